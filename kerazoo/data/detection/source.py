"""The data source of boxes, whatever the format of their files."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from kerazoo.data.annotations import Key, Remarks
from kerazoo.data.detection.annotated import AnnotatedImage, Reading, box_warnings, sanitise, share_errors
from kerazoo.data.detection.coco import read_coco
from kerazoo.data.detection.layout import Format, recognise
from kerazoo.data.detection.voc import read_voc
from kerazoo.data.detection.yolo import read_yolo
from kerazoo.data.lazy import Lazy
from kerazoo.data.source import FileSource, Split
from kerazoo.data.splits import divide
from kerazoo.errors import UserError, error_context
from kerazoo.image import read_image
from kerazoo.settings import settings
from kerazoo.structures.boxes import Boxes, box_areas
from kerazoo.structures.sample import Sample


class _Survey(NamedTuple):
    format: Format
    reading: Reading
    splits: dict[Split, list[AnnotatedImage]]
    remarks: Remarks


@settings
class AnnotatedBoxes(FileSource):
    """Boxes in COCO's JSON, in Pascal VOC's XML or in YOLO's text; the files tell which.

    What of val and test the files do not tell apart is taken from the training images by `validation` and
    `test`. Boxes that reach beyond their image are clipped; those without an area inside of it are left out;
    the warnings name them. Images without boxes are samples like others.

    Attributes:
        path: of a folder, of COCO's `.json` or of YOLO's `data.yaml`.
        format: of the files, for folders that have several.
        images: folder of COCO's images; by default it is found (`kerazoo.data.image_paths`).
        classes: names in label order; by default those of the files: COCO's categories by their ids, YOLO's
            names, and VOC's in natural order.
        unlabelled: what an image without a file of boxes is: an error, or "empty", without objects.
    """

    format: Format | None = None
    images: str | None = None
    classes: tuple[str, ...] | None = None
    unlabelled: Literal["error", "empty"] = "error"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes is not None and (not self.classes or len(set(self.classes)) < len(self.classes)):
            raise ValueError("classes needs names, each of them once")

    def class_names(self) -> tuple[str, ...]:
        return self.classes or self.reading.names

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        parts: dict[Split, Sequence[Sample]] = {
            split: Lazy(images, functools.partial(self._read, split))
            for split, images in self._survey.splits.items()
        }
        return parts, self._survey.remarks.problems

    def warnings(self) -> list[str]:
        found = self.reading
        return [*super().warnings(), *self._survey.remarks.warnings, *box_warnings(found.splits, found.names)]

    def facts(self) -> dict[str, str]:
        return {"format": self._survey.format}

    def image_files(self) -> Sequence[Path]:
        return [image.path for images in self.reading.splits.values() for image in images]

    def files(self) -> Iterable[Path]:
        return dict.fromkeys([*self.reading.files, *self.image_files()])

    @property
    def reading(self) -> Reading:
        """All that the files tell, with sound boxes, in the splits that they tell apart.

        Raises:
            UserError: they tell nothing that can be used.
        """
        return self._survey.reading

    @functools.cached_property
    def _survey(self) -> _Survey:
        remarks, kind = Remarks(), recognise(self.root, self.format)
        found = self._parse(kind, remarks)
        remarks.problems += share_errors(found.splits)
        found = found._replace(splits=sanitise(found.splits, found.names, remarks))
        remarks.problems += self._class_errors(found)
        if not remarks.problems and not any(_box_counts(found)):
            message = f"{self.path} has no boxes at all"
            remarks.problems.append(UserError(message, "annotate some objects: there is nothing to learn"))
        return _Survey(kind, found, self._divide(found.splits, remarks), remarks)

    def _parse(self, kind: Format, remarks: Remarks) -> Reading:
        if kind == "coco":
            return read_coco(self.root, self.images, self, remarks)
        empty = self.unlabelled == "empty"
        if kind == "voc":
            return read_voc(self.root, self, empty, remarks)
        return read_yolo(self.root, self.classes, empty, remarks)

    def _divide(
        self, splits: dict[Split, list[AnnotatedImage]], remarks: Remarks
    ) -> dict[Split, list[AnnotatedImage]]:
        """Return the splits, with what of val and test is not there taken from train."""
        pool = splits.get("train", [])
        parts: dict[Split, list[AnnotatedImage]] = {"train": pool}
        shares = ("val" not in splits) * self.validation, ("test" not in splits) * self.test
        try:
            with error_context(self.root):
                parts = divide(pool, *shares, "random", self.seed)
        except UserError as error:
            remarks.problems.append(error)
        return parts | {split: images for split, images in splits.items() if split != "train"}

    def _class_errors(self, found: Reading) -> list[UserError]:
        """Return an error for each class of the files that has boxes and is not among `classes`."""
        if self.classes is None:
            return []
        first: dict[int, tuple[AnnotatedImage, str]] = {}
        for image in (image for images in found.splits.values() for image in images):
            for label, place in zip(image.rows.labels.tolist(), image.rows.places, strict=True):
                first.setdefault(label, (image, place))
        return [
            UserError(
                f"{image.file}, {place}: {found.names[label]!r} is none of {', '.join(self.classes)[:200]}",
                "call the classes so, or name all in data.classes",
            )
            for label, (image, place) in first.items()
            if found.names[label] not in self.classes
        ]

    def _categories(self, split: Split) -> tuple[Key, ...]:
        """Return the ids that the classes have in the file of a split; nothing if it has none."""
        ids = self.reading.categories.get(split) or self.reading.categories.get("train")
        if not ids:
            return ()
        by_name = dict(zip(self.reading.names, ids, strict=True))
        unknown = -1 - len(ids)  # below what stands for classes that this file lacks
        return tuple(by_name.get(name, unknown - label) for label, name in enumerate(self.class_names()))

    def truth(self, split: Split, image: AnnotatedImage, size: tuple[int, int]) -> Boxes:
        """Return the boxes of an image.

        Args:
            split: that the image is in.
            image: of `reading`.
            size: its height and width.

        Raises:
            UserError: its boxes are for another size.
        """
        if image.size is not None and image.size != size:
            actual, expected = (f"{width} x {height}" for height, width in (size, image.size))
            message = f"{image.path} has {actual} pixels, its boxes are for {expected}"
            raise UserError(
                message, "give the images that were annotated, in their size and the right way up"
            )
        rows, sides = image.rows, (np.array((size[1], size[0]) * 2) if image.size is None else 1)
        boxes = (rows.boxes * sides).astype("float32")
        return Boxes(
            boxes,
            self._label_table[rows.labels],
            rows.crowd,
            rows.difficult,
            size,
            image.key,
            np.where(np.isnan(rows.areas), box_areas(boxes), rows.areas).astype("float32"),
            categories=self._categories(split),
        )

    @functools.cached_property
    def _label_table(self) -> np.ndarray:
        """The label of each class of the files, -1 for what is no class here: int32 `(N,)`."""
        label_of = {name: label for label, name in enumerate(self.class_names())}
        return np.array([label_of.get(name, -1) for name in self.reading.names], "int32")

    def _read(self, split: Split, image: AnnotatedImage) -> Sample:
        pixels = read_image(image.path, how=self)
        return Sample(pixels, self.truth(split, image, pixels.shape[:2]), image.name)


def _box_counts(reading: Reading) -> list[int]:
    return [len(image.rows.boxes) for images in reading.splits.values() for image in images]
