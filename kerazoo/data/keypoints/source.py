"""The base class of data sources with key points, such as COCO's and MPII's."""

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from kerazoo.data.annotations import Key, Remarks, annotation_files
from kerazoo.data.keypoints.detections import read_detections
from kerazoo.data.keypoints.windows import Windows, box_window, person_window
from kerazoo.data.lazy import Lazy
from kerazoo.data.regions import Region, region_mask
from kerazoo.data.source import FileSource, Source, Split
from kerazoo.data.splits import divide
from kerazoo.errors import UserError, error_context
from kerazoo.image import image_size, read_image
from kerazoo.media.pixels import ImageReading
from kerazoo.settings import replace, settings
from kerazoo.structures.keypoints import People
from kerazoo.structures.sample import Sample
from kerazoo.structures.skeleton import COCO17, Skeleton

SPLITS: tuple[Split, ...] = ("train", "val", "test")

AREA_OF_BOX = 0.53
"""Share of a box that a person is taken to cover where the area is not told, as is usual for COCO."""


class AnnotatedImage(NamedTuple):
    """An image and its annotated people.

    Attributes:
        name: of its file, a path in the folder of its split.
        size: height and width that the file of annotations tells, or else its own; None where neither can
            be read.
        people: without `ignore`.
        labelled: bool `(P,)`, which people to train on.
        ignore: the regions of crowds and of people who are not; they become the ignore mask.
    """

    name: str
    size: tuple[int, int] | None
    people: People
    labelled: np.ndarray
    ignore: tuple[Region, ...] = ()


class AnnotatedImages(NamedTuple):
    """The images of a split.

    Attributes:
        folder: where they are.
        images: those that are there.
        categories: the ids that people have in the file of annotations.
    """

    folder: Path
    images: list[AnnotatedImage]
    categories: Collection[Key] = ()


class _Survey(NamedTuple):
    splits: dict[Split, AnnotatedImages]
    remarks: Remarks


class WindowTarget(NamedTuple):
    """The target of a window: a person of an image, or a box; None means the whole image."""

    image: int
    number: int
    box: np.ndarray | None = None
    score: float = 1.0


@settings
class Keypoints(FileSource):
    """Key points in JSON files.

    In a folder these are `train.json`, `val.json` and `test.json`, there or in `annotations/` or `annot/`,
    or COCO's own `annotations/person_keypoints_train2017.json` and so on (`annotation_files`). What of val
    and test is not there is taken from the training images by `validation` and `test`.

    Points up to a pixel beyond the border of their image are brought into it; those farther outside are not
    labelled.

    Attributes:
        path: of a file, or of a folder with a file for each split.
        images: folder of the images; by default the one of these that has them: the file's own,
            `images/`, `train/` for train.json, `../train2017/` for person_keypoints_train2017.json
            (`kerazoo.data.image_paths`).
        same: validate and test on the training images themselves where there is one file, which shows
            whether they can be learned by heart, and nothing else.
        skeleton: the points that are given, found by name; the file must have all that it annotates.
        least_points, least_area: labelled points and square pixels that people must have to be learned
            from; where others are nothing is learned (the published training of part affinity
            fields: 5 and 1024). In val and test all of them count.
        windows: give every person a sample of its own, cut out so; None gives whole images.
        detections: COCO's results of a detector, whose boxes the windows of val and test are cut around
            instead of the annotated ones; who is in none was missed.
    """

    images: str | None = None
    same: bool = False
    skeleton: Skeleton = COCO17
    least_points: Annotated[int, Field(ge=1)] = 1
    least_area: Annotated[float, Field(ge=0)] = 0.0
    windows: Windows | None = None
    detections: str | None = None

    @abstractmethod
    def parse_file(self, file: Path, remarks: Remarks) -> AnnotatedImages:
        """Return the annotated images of a file that exist; add the errors of others to `remarks`.

        Raises:
            UserError: nothing of the file can be used.
        """

    def class_names(self) -> tuple[str, ...]:
        return self.skeleton.points

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        if self.detections and not self.windows:
            raise UserError("data.detections are boxes for windows", "set data.windows too, or leave it out")
        splits, remarks = self._checked_survey
        return {
            split: self._samples(split, annotated) for split, annotated in splits.items()
        }, remarks.problems

    def whole_images(self) -> Source:
        return replace(self, {"windows": None, "detections": None}) if self.windows else self

    def warnings(self) -> list[str]:
        points = ", ".join(self.skeleton.unflipped_points())[:200]
        unflipped = (
            f"the skeleton's flips leave out {points}: a mirror image (augmentation.flip, --tta) shows the "
            "other side under their names"
        )
        return [*super().warnings(), *[unflipped] * bool(points), *self._checked_survey.remarks.warnings]

    def image_files(self) -> Sequence[Path]:
        annotated = self._checked_survey.splits.values()
        return [
            split_images.folder / image.name for split_images in annotated for image in split_images.images
        ]

    def files(self) -> Iterable[Path]:
        paths = [*annotation_files(self.root, Remarks()).values()]
        paths += [Path(self.detections).expanduser()] if self.detections else []
        return [*paths, *self.image_files()]

    def check_points(self, names: Sequence[str], file: Path) -> None:
        """Raise a `UserError` if a file with the points `names` lacks points of the skeleton."""
        missing = [name for name in self.skeleton.annotated_points() if name not in names]
        if missing:
            raise UserError(
                f"{file} has no point {missing[0]!r}, its points are {', '.join(names)[:200]}",
                "give their skeleton: --set family.skeleton=NAME or FILE.json",
            )

    def has_enough_points(self, visible: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """Return which people have enough labelled points and area to train on: bool `(P,)`."""
        return ((visible > 0).sum(axis=1) >= self.least_points) & (areas >= self.least_area)

    @functools.cached_property
    def _checked_survey(self) -> _Survey:
        by_split: dict[Split, AnnotatedImages] = {}
        remarks = Remarks()
        for split, file in annotation_files(self.root, remarks).items():
            try:
                by_split[split] = self._parse_checked(file, remarks)
            except UserError as error:
                remarks.problems.append(error)
        training = by_split.get("train", AnnotatedImages(self.root, []))
        pool = training.images
        shares = ("val" not in by_split) * self.validation, ("test" not in by_split) * self.test
        with error_context(self.root):
            parts = dict.fromkeys(SPLITS, pool) if self.same else divide(pool, *shares, "random", self.seed)
        divided = {split: training._replace(images=parts[split]) for split in SPLITS}
        splits = divided | {split: annotated for split, annotated in by_split.items() if split != "train"}
        return _Survey(splits, remarks)

    def _parse_checked(self, file: Path, remarks: Remarks) -> AnnotatedImages:
        before = len(remarks.problems)
        annotated = self.parse_file(file, remarks)
        trainable = any(image.labelled.any() for image in annotated.images)
        if not trainable and len(remarks.problems) == before:
            least = f"{self.least_points} labelled points and {self.least_area:g} square pixels"
            raise UserError(f"{file} has nobody with {least}", "label people, or lower data.least_points")
        return annotated

    def _samples(self, split: Split, annotated: AnnotatedImages) -> Sequence[Sample]:
        indices = range(len(annotated.images))
        read = functools.partial(self._read, split, annotated)
        if self.windows is None:
            return Lazy(indices, read)
        # The windows of an image follow each other: it is read once for all of them.
        recent = functools.lru_cache(2)(read)
        return Lazy(
            self._window_targets(split, annotated),
            functools.partial(_cut_window, split, self.windows, recent),
        )

    def _read(self, split: Split, annotated: AnnotatedImages, index: int) -> Sample:
        name, size, people, labelled, regions = annotated.images[index]
        image = read_image(annotated.folder / name, how=self)
        if size is not None and size != image.shape[:2]:
            actual, expected = (f"{width} x {height}" for height, width in (image.shape[:2], size))
            message = f"{annotated.folder / name} has {actual} pixels, its annotations are for {expected}"
            raise UserError(
                message, "give the images that were annotated, in their size and the right way up"
            )
        if split == "train" and not labelled.all():
            parts = {
                part: getattr(people, part)[labelled] for part in ("points", "visible", "boxes", "areas")
            }
            people = dataclasses.replace(people, **parts)
        if regions and self.windows is None:
            people = dataclasses.replace(people, ignore=region_mask(regions, image.shape[:2]))
        return Sample(image, people, name)

    def _window_targets(self, split: Split, annotated: AnnotatedImages) -> list[WindowTarget]:
        if split != "train" and self.detections:
            return self._detected_targets(annotated)
        views = []
        for index, image in enumerate(annotated.images):
            targets = image.labelled if split == "train" else image.people.visible.any(axis=1)
            boxes = image.people.boxes[targets]
            views += [WindowTarget(index, number, box) for number, box in enumerate(boxes)]
        return views

    def _detected_targets(self, annotated: AnnotatedImages) -> list[WindowTarget]:
        if not annotated.images:
            return []
        assert self.detections
        sizes = {entry.people.image: entry.size for entry in annotated.images}
        detections = read_detections(Path(self.detections).expanduser(), annotated.categories, sizes)
        views = []
        for index, image in enumerate(annotated.images):
            for number, box in enumerate(detections.get(image.people.image, ())):
                views.append(WindowTarget(index, number, box[:4], float(box[4])))
            if image.people.image not in detections and image.people.visible.any():
                views.append(WindowTarget(index, 0, None, 0.0))
        return views


def try_image_size(folder: Path, name: str | None, how: ImageReading) -> tuple[int, int] | None:
    """Return height and width of an image; None if it cannot be read, which is reported when it is."""
    if name is None:
        return None
    try:
        return image_size(folder / name, how)
    except UserError:
        return None


def _cut_window(split: Split, windows: Windows, read: Callable[[int], Sample], view: WindowTarget) -> Sample:
    sample = read(view.image)
    if split == "train":
        return person_window(sample, windows, view.number)
    height, width = sample.image.shape[:2]
    box = [0, 0, width, height] if view.box is None else view.box.tolist()
    return box_window(sample, windows, box, view.score, view.number)
