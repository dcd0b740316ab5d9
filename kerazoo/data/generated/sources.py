"""Built-in data that needs no download: cells, shapes, scenes, landscapes, people, faces and characters."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from kerazoo.data.episodes.by_class import ByClass
from kerazoo.data.episodes.sampling import Classes
from kerazoo.data.keypoints.windows import Windows
from kerazoo.data.lazy import CachedSamples, Lazy
from kerazoo.data.source import Share, Source, Split
from kerazoo.errors import UserError
from kerazoo.settings import settings
from kerazoo.structures.label import Label
from kerazoo.structures.mask import Mask
from kerazoo.structures.sample import Sample
from kerazoo.structures.skeleton import COCO17, FACE68, Skeleton

if TYPE_CHECKING:
    import numpy as np

Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=16, le=4096)]

_STREAMS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}


@settings
class Generated(Source):
    """Images drawn from a seed.

    Attributes:
        train, validation, test: number of images in each split; none is in two of them.
        seed: another one gives other images.
    """

    train: Count = 1200
    validation: Count = 100
    test: Count = 100
    seed: Count = 0
    generated: ClassVar[bool] = True

    def indices(self, split: Split) -> range:
        """Return the indices of a split's images, from 0."""
        return range({"train": self.train, "val": self.validation, "test": self.test}[split])

    def rng(self, split: Split, *place: int) -> "np.random.Generator":
        """Return the random generator of an image of a split."""
        import numpy as np

        return np.random.default_rng([self.seed, _STREAMS[split], *place])


def _height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


@settings
class Cells(Generated):
    """Microscope images of cells with membranes, drawn from a seed; see `kerazoo.data.generated.cells`.

    Attributes:
        size: height and width in pixels, or one number for both.
    """

    train: Count = 240
    validation: Count = 40
    test: Count = 40
    size: Side | tuple[Side, Side] = (128, 128)

    def samples(self, split: Split) -> Sequence[Sample]:
        return Lazy(self.indices(split), functools.partial(_cells_sample, self, split))

    def class_names(self) -> tuple[str, ...]:
        return "background", "cell", "membrane"


def _cells_sample(source: Cells, split: Split, index: int) -> Sample:
    """Return one sample."""
    from kerazoo.data.generated.cells import draw_cells

    image, labels, _ = draw_cells(source.rng(split, index), _height_and_width(source.size))
    return Sample(image, Mask(labels), f"{split}-{index:04}.png")


@settings
class Shapes(Generated):
    """Small images of ten kinds of shapes, drawn from a seed; see `kerazoo.data.generated.shapes`.

    Attributes:
        size: height and width in pixels.
    """

    train: Count = 4000
    validation: Count = 500
    test: Count = 500
    size: Side = 32

    def samples(self, split: Split) -> Sequence[Sample]:
        return Lazy(self.indices(split), functools.partial(_shape_sample, self, split))

    def class_names(self) -> tuple[str, ...]:
        from kerazoo.data.generated.shapes import NAMES

        return NAMES


def _shape_sample(source: Shapes, split: Split, index: int) -> Sample:
    """Return one sample; the kinds take turns."""
    from kerazoo.data.generated.shapes import NAMES, draw_shape

    label = index % len(NAMES)
    image = draw_shape(source.rng(split, index), label, source.size)
    return Sample(image, Label(label), f"{split}-{index:05}.png")


@settings
class Scenes(Generated):
    """Scenes of shapes with boxes, drawn from a seed; see `kerazoo.data.generated.scenes`.

    Attributes:
        size: height and width in pixels, or one number for both.
        objects: least and most shapes in an image that is not empty.
        empty: share of the images without any.
        kinds: of shapes, in label order; `kerazoo.data.generated.shapes.NAMES` are known.
    """

    size: Side | tuple[Side, Side] = (128, 128)
    objects: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=50)]] = (1, 6)
    empty: Share = 0.1
    kinds: tuple[str, ...] = ("arrow", "cross", "heart", "ring", "star")

    def __post_init__(self) -> None:
        from kerazoo.data.generated.shapes import NAMES

        if self.objects[0] > self.objects[1]:
            raise ValueError("objects goes from the least to the most")
        if not self.kinds or len(set(self.kinds)) < len(self.kinds) or not set(self.kinds) <= set(NAMES):
            raise ValueError(f"kinds are some of {', '.join(NAMES)}, each of them once")

    def samples(self, split: Split) -> Sequence[Sample]:
        return Lazy(self.indices(split), functools.partial(_scene_sample, self, split))

    def class_names(self) -> tuple[str, ...]:
        return self.kinds


def _scene_sample(source: Scenes, split: Split, index: int) -> Sample:
    """Return one sample."""
    import numpy as np

    from kerazoo.data.generated.scenes import draw_scene
    from kerazoo.structures.boxes import Boxes

    rng, size = source.rng(split, index), _height_and_width(source.size)
    empty, count = rng.random() < source.empty, int(rng.integers(source.objects[0], source.objects[1] + 1))
    scene = draw_scene(rng, size, source.kinds, 0 if empty else count)
    flags = np.zeros(len(scene.labels), bool)
    truth = Boxes(scene.boxes, scene.labels, flags, flags, size, index + 1, scene.areas)
    return Sample(scene.image, truth, f"{split}-{index:05}.png")


@settings
class Landscapes(Generated):
    """Two domains of landscapes, in summer (A) and in winter (B); see `kerazoo.data.generated.landscapes`.

    A split has that many of each domain; no scene is drawn in both.

    Attributes:
        size: height and width in pixels.
    """

    train: Count = 400
    validation: Count = 60
    test: Count = 60
    size: Side = 64

    def samples(self, split: Split) -> Sequence[Sample]:
        from kerazoo.data.translation.unpaired import alternate_domains, pair_domains

        summer, winter = (
            Lazy(self.indices(split), functools.partial(_landscape_sample, self, split, domain))
            for domain in (0, 1)
        )
        return pair_domains(summer, winter) if split == "train" else alternate_domains(summer, winter)

    def class_names(self) -> tuple[str, ...]:
        return "summer", "winter"


def _landscape_sample(source: Landscapes, split: Split, domain: int, index: int) -> Sample:
    """Return one image; no scene is in both domains."""

    from kerazoo.data.generated.landscapes import draw_landscape
    from kerazoo.structures.images import Real

    image = draw_landscape(source.rng(split, domain, index), source.size, winter=domain == 1)
    return Sample(image, Real(domain, image), f"{split}-{source.class_names()[domain]}-{index:05}.png")


@settings
class Figures(Generated):
    """Images of people, drawn from a seed; see `kerazoo.data.generated.figures`.

    Attributes:
        size: height and width in pixels, or one number for both.
        people: least and most in an image.
        skeleton: the points that are given; COCO's and MPII's are known.
        windows: give every person a sample of its own, cut out so; None gives whole images.
    """

    size: Side | tuple[Side, Side] = (192, 256)
    people: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=12)]] = (1, 4)
    skeleton: Skeleton = COCO17
    windows: Windows | None = None

    def __post_init__(self) -> None:
        if self.people[0] > self.people[1]:
            raise ValueError("people goes from the least to the most")

    def samples(self, split: Split) -> Sequence[Sample]:
        from kerazoo.data.generated.figures import POINTS

        missing = [name for name in self.skeleton.annotated_points() if name not in POINTS]
        if missing:
            raise UserError(
                f"built-in figures have no point {missing[0]!r}", "give your own data with --data"
            )
        if self.windows is None:
            return Lazy(self.indices(split), functools.partial(_figures_sample, self, split))
        people = (
            (index, person)
            for index in self.indices(split)
            for person in range(_people_count(self, split, index)[0])
        )
        return Lazy(list(people), functools.partial(_window_sample, self, split))

    def class_names(self) -> tuple[str, ...]:
        return self.skeleton.points


def _people_count(source: Figures, split: Split, index: int) -> "tuple[int, np.random.Generator]":
    """Return the number of people in an image, and the generator for all else."""

    rng = source.rng(split, index)
    least, most = source.people
    return int(rng.integers(least, most + 1)), rng


def _figures_sample(source: Figures, split: Split, index: int) -> Sample:
    """Return one image with all its people."""
    from kerazoo.data.generated.figures import POINTS, draw_figures
    from kerazoo.structures.keypoints import People

    count, rng = _people_count(source, split, index)
    scene = draw_figures(rng, _height_and_width(source.size), count)
    points, visible = source.skeleton.convert_points(POINTS, scene.points, scene.visible)
    people = People(points, visible, scene.boxes, scene.areas, source.skeleton, image=index + 1)
    return Sample(scene.image, people, f"{split}-{index:05}.png")


def _window_sample(source: "Figures | Faces", split: Split, place: tuple[int, int]) -> Sample:
    """Return the window around one person of an image."""
    from kerazoo.data.keypoints.windows import box_window, person_window

    assert source.windows is not None
    index, person = place
    sample = (
        _figures_sample(source, split, index)
        if isinstance(source, Figures)
        else _face_sample(source, split, index)
    )
    if split == "train":
        return person_window(sample, source.windows, person)
    return box_window(sample, source.windows, sample.truth.boxes[person], 1.0, person)


@settings
class Faces(Generated):
    """Images of one face each with 300W's 68 landmarks, drawn from a seed (`generated.faces`).

    Attributes:
        size: height and width in pixels.
        skeleton: those landmarks.
        windows: give the window around every face, cut out so; None gives whole images.
    """

    size: Side = 160
    skeleton: Skeleton = FACE68
    windows: Windows | None = None

    def __post_init__(self) -> None:
        if self.skeleton.points != FACE68.points:
            raise ValueError("built-in faces have the 68 landmarks of face68: give your own data with --data")

    def samples(self, split: Split) -> Sequence[Sample]:
        if self.windows is None:
            return Lazy(self.indices(split), functools.partial(_face_sample, self, split))
        return Lazy(
            [(index, 0) for index in self.indices(split)], functools.partial(_window_sample, self, split)
        )

    def class_names(self) -> tuple[str, ...]:
        return self.skeleton.points


def _face_sample(source: Faces, split: Split, index: int) -> Sample:
    """Return one image of a face; its box and area are those of the landmarks."""
    import numpy as np

    from kerazoo.data.generated.faces import draw_face
    from kerazoo.media.opencv import cv2
    from kerazoo.structures.keypoints import People

    rng = source.rng(split, index)
    image, points, visible = draw_face(rng, (source.size, source.size))
    low, high = points.min(axis=0), points.max(axis=0)
    area = np.array([cv2.contourArea(cv2.convexHull(points))], "float32")
    box = np.concatenate([low, high - low])[None]
    people = People(points[None], visible[None], box, area, source.skeleton, image=index + 1)
    return Sample(image, people, f"{split}-{index:05}.png")


@settings
class Glyphs(ByClass):
    """Characters of made-up alphabets by class, drawn from a seed; see `kerazoo.data.generated.glyphs`.

    Attributes:
        size: height and width in pixels.
        characters: number of classes of train, val and test; none is in two of them.
        drawings: images of each.
    """

    size: tuple[Side, Side] = (28, 28)
    characters: tuple[Count, Count, Count] = (240, 60, 60)
    drawings: Annotated[int, Field(ge=1)] = 20
    generated: ClassVar[bool] = True

    def display_name(self) -> str:
        return "built-in characters"

    def classes(self, split: Split) -> Classes:
        return self._by_split[split]

    @functools.cached_property
    def _by_split(self) -> dict[Split, Classes]:
        by_split, first = {}, 0
        for (split, stream), count in zip(_STREAMS.items(), self.characters, strict=True):
            places = [(stream, label, drawing) for label in range(count) for drawing in range(self.drawings)]
            images = CachedSamples(Lazy(places, functools.partial(_glyph_sample, self, first)))
            names = [f"{split}/character{label + 1:03}" for label in range(count)]
            by_split[split] = Classes(names, images, range(0, len(places) + 1, self.drawings))
            first += count
        return by_split


def _glyph_sample(source: Glyphs, first: int, place: tuple[int, int, int]) -> Sample:
    """Return one image; its label counts the characters of all splits."""
    import numpy as np

    from kerazoo.data.generated.glyphs import draw_strokes, random_strokes

    stream, label, drawing = place
    strokes = random_strokes(np.random.default_rng([source.seed, stream, label]))
    rng = np.random.default_rng([source.seed, stream, label, drawing])
    image = draw_strokes(rng, strokes, source.size)
    return Sample(image, Label(first + label), f"character{first + label + 1:03}-{drawing + 1:02}.png")
