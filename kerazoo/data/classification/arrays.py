"""A data source for arrays in files."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from kerazoo.data.classification.array_files import LabelledArrays, array_files, read_arrays
from kerazoo.data.lazy import Lazy
from kerazoo.data.source import Share, Source, Split
from kerazoo.data.splits import divide
from kerazoo.errors import UserError, error_context
from kerazoo.settings import settings
from kerazoo.structures.label import Label
from kerazoo.structures.sample import Sample


@settings
class Arrays(Source):
    """Images and labels in CIFAR's binary version, MNIST's idx files (also .gz) or Keras' .npz.

    Training and test images are told by the names of files and arrays. Of CIFAR-100 the fine labels
    are read. Grey images become three equal channels.

    Attributes:
        path: a file, or the folder of the files.
        classes: names in label order; by default those that are known, or made up.
        validation: share of each class' training images that is held back, where the data have none.
        seed: of the random choice of what is held back.
    """

    path: str
    classes: tuple[str, ...] | None = None
    validation: Share = 0.1
    seed: Annotated[int, Field(ge=0)] = 0

    def samples(self, split: Split) -> Sequence[Sample]:
        splits, problems = self.survey()
        if problems:
            raise problems[0]
        return splits[split]

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        parts, problems = self._rows_by_split
        untrained = (
            []
            if self._known_names
            else [UserError(line, _ALONE) for line in self._untrained_class_messages()]
        )
        return {
            split: Lazy(rows, functools.partial(_read_sample, stored, origin))
            for split, (stored, origin, rows) in parts.items()
        }, problems + untrained

    def warnings(self) -> list[str]:
        used = {label for labels in self._labels.values() for label in labels}
        absent = [name for label, name in enumerate(self.class_names()) if label not in used]
        counts = f"{len(absent)} of {len(self.class_names())} classes have no images"
        line = f"{self.path}: {counts}: {_join_names(absent)}; number the classes from 0, one after the other"
        return [*([line] if absent else []), *(self._untrained_class_messages() if self._known_names else ())]

    def class_names(self) -> tuple[str, ...]:
        stored, _ = self._stored
        count = 1 + max(int(arrays.labels.max()) for arrays in stored.values())
        names = self._known_names or tuple(f"class {label}" for label in range(count))
        if count > len(names):
            raise UserError(
                f"{self.path} holds the label {count - 1}, which is none of {len(names)} classes",
                "name all classes in data.classes, or leave it out",
            )
        return names

    def files(self) -> Iterable[Path]:
        return array_files(Path(self.path).expanduser())

    @functools.cached_property
    def _stored(self) -> tuple[dict[Split, LabelledArrays], tuple[str, ...]]:
        return read_arrays(Path(self.path).expanduser())

    @property
    def _known_names(self) -> tuple[str, ...]:
        """The class names from the settings or the files; empty if there are none."""
        return self.classes or self._stored[1]

    @functools.cached_property
    def _labels(self) -> dict[Split, set[int]]:
        """The labels that occur in each split."""
        return {split: set(np.unique(arrays.labels).tolist()) for split, arrays in self._stored[0].items()}

    def _untrained_class_messages(self) -> list[str]:
        """Return a line for each split with classes that have no training images."""
        names, trained = self.class_names(), self._labels.get("train", set())
        untrained = {split: sorted(labels - trained) for split, labels in self._labels.items() if trained}
        return [
            f"{self.path}: {split} holds images of {_join_names([names[i] for i in labels])}, train has none"
            for split, labels in untrained.items()
            if labels
        ]

    @functools.cached_property
    def _rows_by_split(self) -> tuple[dict[Split, tuple[LabelledArrays, Split, list[int]]], list[UserError]]:
        """The samples of each split: arrays, the split they are stored under, rows."""
        stored, _ = self._stored
        nothing = LabelledArrays(np.zeros((0, 1, 1), "uint8"), np.zeros(0, "int64"))
        parts = {split: (part, split, list(range(len(part.labels)))) for split, part in stored.items()}
        problems: list[UserError] = []
        if "val" not in stored and "train" in stored:
            divided, problems = self._divide_classes(stored["train"].labels)
            for split in ("train", "val"):
                rows = sorted(row for part in divided for row in part[split])
                parts[split] = stored["train"], "train", rows
        return {split: parts.get(split, (nothing, split, [])) for split in ("train", "val", "test")}, problems

    def _divide_classes(self, labels: np.ndarray) -> tuple[list[dict[Split, list[int]]], list[UserError]]:
        """Return the rows of train and val of each class, and errors for classes that are too small."""
        names, parts, problems = self.class_names(), [], []
        for label in np.unique(labels).tolist():
            rows = np.flatnonzero(labels == label).tolist()
            try:
                with error_context(f"{self.path}, {names[label]}"):
                    parts.append(divide(rows, self.validation, 0.0, "random", self.seed, remedy=_REMEDY))
            except UserError as error:
                problems.append(error)
        return parts, problems


_REMEDY = "add some, remove them, or hold validation images back yourself (x_val, y_val)"


_ALONE = "add some to train, take these out, or name all classes in data.classes"


def _join_names(names: Sequence[str]) -> str:
    """Return the first five names and how many more there are."""
    return ", ".join(map(repr, names[:5])) + f" and {len(names) - 5} more" * (len(names) > 5)


def _read_sample(stored: LabelledArrays, split: Split, row: int) -> Sample:
    image = stored.images[row]
    image = image[..., None] if image.ndim == 2 else image
    pixels = np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))
    return Sample(pixels, Label(int(stored.labels[row])), f"{split}-{row:05}")
