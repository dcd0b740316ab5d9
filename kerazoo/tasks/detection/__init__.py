"""Detection: boxes around objects, with their classes."""

import collections
import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from kerazoo.settings import fields, replace, settings
from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.scores import Scores
from kerazoo.task import PLAIN, Forward, Options
from kerazoo.tasks.images import Labelled

if TYPE_CHECKING:
    from kerazoo.data.source import Source


@settings
class Detection(Labelled):
    """What every detection family shares.

    `decode` gives all that a network finds, however weak, and the scores count it. People, and programs that
    read the rows and files of predictions, are given what has a score of `score` at least.

    Attributes:
        classes: number of classes.
        score: least score of what is drawn, described and saved.
        tta_sizes: sizes of the network's input that test-time averaging looks at, as factors of its own.
    """

    supports: ClassVar[frozenset[str]] = frozenset({"tile", "tta", "results"})

    classes: Annotated[int, Field(ge=1)] = 80
    score: Annotated[float, Field(ge=0, le=1)] = 0.3
    tta_sizes: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (1.0,)

    def labels(self) -> int:
        return self.classes

    def with_classes(self, names: Sequence[str]) -> Self:
        return replace(self, {"classes": len(names), "names": tuple(names)}, "family")

    def adopting(self, published: dict[str, Any]) -> Self:
        """Return this family with a checkpoint's settings.

        Names stay where they still fit; 80 classes without names are COCO's.
        """
        from kerazoo.tasks.detection.coco_classes import NAMES

        classes = published.get("classes", self.classes)
        names = next((known for known in (self.names, NAMES) if len(known) == classes), ())
        return replace(self, {"names": names, **published}, "family")

    def weight_settings(self) -> dict[str, Any]:
        free = {"classes", "names", "score", "tta_sizes"}
        return {name: value for name, value in fields(self).items() if name not in free}

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Plan the size that images are framed to, training windows at that scale, the batch, and turns."""
        from kerazoo.tasks import planning

        data = grounds.fingerprint
        sides = float(np.median(data.heights)), float(np.median(data.widths))
        size, because = planning.framed(grounds, self.stride())
        size = grounds.size or size
        scale = min(size[0] / sides[0], size[1] / sides[1])
        seen = f"objects of images of {sides[0]:.0f} x {sides[1]:.0f} are seen at {scale:.2f} of their size"
        return [
            Decision("family.size", size, because),
            Decision("augmentation.crop", grounds.crop or size, "as the network predicts"),
            Decision("augmentation.scale", (round(0.8 * scale, 3), round(1.25 * scale, 3)), seen),
            planning.batch(grounds, grounds.crop or size),
            *planning.light(grounds),
            *planning.orientation(grounds),
        ]

    # --- inference --------------------------------------------------------------------------

    @abstractmethod
    def stride(self) -> int:
        """Return what divides the sides of the network's input."""

    @abstractmethod
    def at_scale(self, factor: float) -> Self:
        """Return this family with a network input of `factor` times the size."""

    def views(self, forward: Forward, image: np.ndarray) -> list[Detections]:
        """Return what is found in the image and in its mirror image, in pixels of the image.

        A family whose maps can be averaged returns one result of both.
        """
        from kerazoo.tasks.detection.augmented import decoded, mirrored

        reversed_result = decoded(self, forward, image[:, ::-1])
        return [decoded(self, forward, image), mirrored(reversed_result, image.shape[1])]

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Detections]:
        """Yield the objects of images in turn; whole images share batches."""
        from kerazoo.tasks.detection.tiling import needs_tiles, whole_or_tiled

        def is_plain(image: np.ndarray) -> bool:
            return not options.tta and not needs_tiles(image, options.tile)

        for plain, alike in itertools.groupby(images, key=is_plain):
            if plain:
                yield from super().infer(forward, alike, options)
            else:
                yield from (whole_or_tiled(self, forward, image, options) for image in alike)

    def output_difference(self, expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> float:
        """Return by how much exported objects differ from those of the Keras model."""
        from kerazoo.tasks.detection.exported import objects_apart

        return objects_apart(expected, found)

    # --- scores and drawings ----------------------------------------------------------------

    def evaluate(self, pairs: Iterable[tuple[Boxes, Detections]]) -> Scores:
        from kerazoo.tasks.detection.scores import scores

        return scores(pairs, self.class_names(), self.score)

    def shown(self, result: Detections) -> Detections:
        """Return what has a score of `score` at least."""
        strong = result.scores >= self.score
        return Detections(result.boxes[strong], result.labels[strong], result.scores[strong])

    def draw(self, image: np.ndarray, result: Boxes | Detections) -> np.ndarray:
        from kerazoo.tasks.detection.drawing import draw_boxes

        shown = result if isinstance(result, Boxes) else self.shown(result)
        return draw_boxes(image, shown, self.class_names())

    def describe(self, result: Detections) -> dict[str, Any]:
        """Return every object's class, score and box (left, top, width, height in the image's pixels)."""
        from kerazoo.tasks.detection.result_files import object_rows

        return object_rows(self.shown(result), self.class_names())

    def summary(self, described: dict[str, Any]) -> str:
        """Return how many objects of which classes there are: "3 objects: 2 cat, 1 dog"."""
        counts = collections.Counter(found["class"] for found in described["objects"])
        total = counts.total()
        line = f"{total} object{'' if total == 1 else 's'}"
        return (
            line + ": " * bool(counts) + ", ".join(f"{count} {name}" for name, count in counts.most_common())
        )

    def save(self, result: Detections, stem: Path) -> list[Path]:
        """Write nothing: the row says it all, and `write_results` what other programs read."""
        return []

    # --- data -------------------------------------------------------------------------------

    def source_for(self, path: str) -> "type[Source]":
        from kerazoo.data.detection.source import AnnotatedBoxes

        return AnnotatedBoxes

    def configure(self, data: "Source") -> "Source":
        """Return the user's boxes with the labels of this network's class names."""
        from kerazoo.data.detection.source import AnnotatedBoxes

        known = self.names and isinstance(data, AnnotatedBoxes) and data.classes is None
        return replace(data, {"classes": self.names}) if known else data
