"""A folder of images and masks."""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from kerazoo.data.lazy import Lazy
from kerazoo.data.segmentation.border import BorderWeights, cached_border_weights
from kerazoo.data.segmentation.class_file import class_files, read_class_files
from kerazoo.data.segmentation.mask_decision import DeclaredClasses, MaskDecision, decide_classes
from kerazoo.data.segmentation.mask_files import MaskFile, object_numbers, read_mask
from kerazoo.data.segmentation.mask_guess import BINARY
from kerazoo.data.segmentation.masks import MaskClasses
from kerazoo.data.segmentation.pairing import (
    Kind,
    Pair,
    find_split_folders,
    list_pairs,
    unseen_split_warnings,
)
from kerazoo.data.source import FileSource, Split
from kerazoo.data.splits import divide
from kerazoo.errors import UserError
from kerazoo.files.writing import natural_key
from kerazoo.image import read_image
from kerazoo.settings import replace, settings
from kerazoo.structures.mask import VOID, Mask
from kerazoo.structures.sample import Sample


class _Listing(NamedTuple):
    """What a folder holds.

    `splits` has the pairs of every split; where the images to train on are one alone, `parts` says which part
    of its longer side each split has, from 0 to 1.
    """

    kind: Kind
    splits: dict[Split, list[Pair]]
    problems: list[UserError]
    warnings: list[str]
    parts: dict[Split, tuple[float, float]]


@settings
class Folder(FileSource):
    """Images in `images/`, a class per pixel in `masks/` or a number per object in `instances/`.

    The folder may hold `train/`, `val/` and `test/` with that layout each, or these inside of `images/` and
    `masks/`; what of val and test is not there is taken from the training images by `validation` and
    `test`; a single image is divided into parts. Images and masks share their names. What the values or
    colours of the masks mean says `classes.json` (`kerazoo.data.segmentation.masks.ClassEntry`; where it may
    lie, says `class_file`); without it, it is decided once over all masks: those of 0 and one other value
    are binary, others hold the label itself, 255 being void. Instances are background and foreground.

    Attributes:
        classes: names in label order; by default those of classes.json, or made up.
        void: value of unlabelled pixels in the masks.
        table: what a run's masks meant, which holds for other data too unless their classes.json says
            otherwise; in place of `classes` and `void`.
        split: held back at "random", or the "last" in natural order (slices of a stack).
        border: add U-Net's border weights; needs `instances/`, or binary masks, of which every
            connected region then is an object.
    """

    classes: tuple[str, ...] | None = None
    void: Annotated[int, Field(ge=0, lt=2**16)] | None = None
    table: MaskClasses | None = None
    split: Literal["random", "last"] = "random"
    border: BorderWeights | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes is not None and len(self.classes) < 2:
            raise ValueError("classes needs two names or more, the background's included")
        if self.table is not None and (self.classes, self.void) != (None, None):
            raise ValueError("table says what masks mean: leave classes and void out")

    def class_names(self) -> tuple[str, ...]:
        classes = self._decision.classes
        if classes is None:
            raise (self._decision.problems + self._listing.problems)[0]
        return classes.names

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        classes, problems, *_ = self._decision
        if classes is None:
            return {}, problems + self._listing.problems
        if self.border and self._listing.kind == "masks" and len(classes.names) != 2:
            remedy = "number them in instances/, or leave border out"
            raise UserError(f"border weights need to know the objects in {self.path}", remedy)
        splits: dict[Split, Sequence[Sample]] = {
            split: Lazy(pairs, functools.partial(self._read, part=self._listing.parts.get(split)))
            for split, pairs in self._listing.splits.items()
        }
        return splits, sorted(self._listing.problems + problems, key=lambda error: natural_key(error.message))

    def facts(self) -> dict[str, str]:
        parts = ", ".join(
            f"{split} {low:.0%} to {high:.0%}" for split, (low, high) in self._listing.parts.items()
        )
        return dict(self._decision.facts) | ({"parts of the one image": parts} if parts else {})

    def warnings(self) -> list[str]:
        return [*self._listing.warnings, *super().warnings(), *self._decision.warnings]

    def image_files(self) -> Sequence[Path]:
        return list(dict.fromkeys(pair.image for pair in self._pairs))

    def with_decided_classes(self, names: Sequence[str]) -> "Folder":
        """Return this folder with the decided classes as settings, for a run to keep.

        Args:
            names: of a network's classes, in label order; may be empty. Masks whose classes have these names
                get these labels; where nobody has named them, they are taken for these.
        """
        folder = self
        if names and (self.classes, self.table) == (None, None) and not self._class_files:
            folder = self._meaning({"classes": tuple(names)})
        if (
            folder.table is not None
            or folder._listing.kind == "instances"
            or folder._decision.classes is None
        ):
            return folder
        table = folder._decision.classes.with_names(names)
        return self._meaning({"classes": None, "void": None, "table": table})

    def _meaning(self, changes: dict[str, Any]) -> "Folder":
        """Return this folder with other settings of what masks mean; its files are listed once."""
        folder = replace(self, changes)
        folder.__dict__["_listing"] = self._listing
        return folder

    def files(self) -> Iterable[Path]:
        return list(dict.fromkeys(path for pair in self._pairs for path in pair)) + self._class_files

    def _read(self, pair: Pair, part: tuple[float, float] | None = None) -> Sample:
        image, mask = read_image(pair.image, how=self), read_mask(pair.mask)
        if image.shape[:2] != mask.pixels.shape[:2]:
            mask_size, image_size = (f"{array.shape[1]} x {array.shape[0]}" for array in (mask.pixels, image))
            message = f"{pair.mask} has {mask_size} pixels, its image {image_size}"
            raise UserError(message, "export the mask in the image's size")
        name = pair.image.relative_to(self.root).as_posix().replace("images/", "", 1)
        sample = Sample(image, self._truth(mask, pair.mask), name)
        return sample if part is None else _part_of(sample, *part)

    def _truth(self, mask: MaskFile, path: Path) -> Mask:
        classes = self._decision.classes
        if self._listing.kind == "masks" and classes is not None:
            labels = classes.labels(mask, path)
            return Mask(labels, self._weights(lambda: _connected_regions(labels)))
        objects = object_numbers(mask, path)
        labels = (objects > 0).astype("uint8")
        if self.void is not None:
            labels[objects == self.void] = VOID
        return Mask(labels, self._weights(lambda: np.where(labels == VOID, 0, objects)))

    def _weights(self, objects: Callable[[], np.ndarray]) -> np.ndarray | None:
        return None if self.border is None else cached_border_weights(objects(), self.border)

    @functools.cached_property
    def _class_files(self) -> list[Path]:
        return class_files(self.root, self._pairs)

    @property
    def _pairs(self) -> list[Pair]:
        return list(itertools.chain(*self._listing.splits.values()))

    @functools.cached_property
    def _listing(self) -> _Listing:
        folders = find_split_folders(self.root)
        kinds = {split_folders.kind for split_folders in folders.values()}
        if len(kinds) > 1:
            message = f"{self.path} has masks/ in one split and instances/ in another"
            raise UserError(message, "use one of them")
        listings = {split: list_pairs(split_folders) for split, split_folders in folders.items()}
        problems = [problem for listing in listings.values() for problem in listing.problems]
        shares = (0.0 if "val" in folders else self.validation), (0.0 if "test" in folders else self.test)
        pool = listings["train"].pairs if "train" in folders else []
        divided: dict[Split, list[Pair]] = {"train": pool}
        parts = _parts(*shares) if len(pool) == 1 else {}
        try:
            divided = dict.fromkeys(parts, pool) or divide(pool, *shares, self.split, self.seed)
        except UserError as error:
            problems.append(error)
        others: dict[Split, list[Pair]] = {
            split: pairs.pairs for split, pairs in listings.items() if split != "train"
        }
        warnings = [
            line
            for split, split_folders in folders.items()
            for line in unseen_split_warnings(split_folders, split)
        ]
        return _Listing(kinds.pop(), divided | others, problems, warnings, parts)

    @functools.cached_property
    def _decision(self) -> MaskDecision:
        """The decided classes, and the masks that do not fit them."""
        masks = sorted({pair.mask for pair in self._pairs}, key=natural_key)
        if self._listing.kind == "instances":
            return self._decide_instances()
        try:
            declared = self._declared()
        except UserError as error:
            return MaskDecision(None, [error])
        return decide_classes(masks, declared, self.root)

    def _decide_instances(self) -> MaskDecision:
        names = self.table.names if self.table else self.classes or BINARY
        if len(names) == 2:
            return MaskDecision(MaskClasses(names=names, entries=()), [])
        message = (
            f"{self.path} holds instances, which are background and foreground, not {len(names)} classes"
        )
        return MaskDecision(None, [UserError(message, "give masks/ with a class per pixel")])

    def _declared(self) -> DeclaredClasses:
        """Return the declared classes; a classes.json here goes before a run's table."""
        classes = read_class_files(self.root, self._class_files, self._pairs)
        if classes is None:
            return DeclaredClasses(self.table, names=self.classes, void=self.void)
        file = self._class_files[0]
        if self.void is not None or self.classes not in (None, classes.names):
            raise UserError(
                f"{file} and the settings both say what the classes are",
                "leave out data.classes and data.void",
            )
        names = self.table.names if self.table else classes.names
        if unknown := [name for name in classes.names if name not in names]:
            message = f"{file} declares the class {unknown[0]!r}, the run knows {', '.join(names)}"
            raise UserError(message, "call the classes as the run does")
        return DeclaredClasses(classes.with_names(names))


def _parts(validation: float, test: float) -> dict[Split, tuple[float, float]]:
    """Return which part of a single image each split has; nothing where nothing is held back."""
    shares: dict[Split, float] = {"train": 1 - validation - test, "val": validation, "test": test}
    ends = dict(zip(shares, itertools.accumulate(shares.values()), strict=True))
    held: dict[Split, tuple[float, float]] = {s: (ends[s] - n, ends[s]) for s, n in shares.items() if n}
    return held if len(held) > 1 and "train" in held else {}


def _part_of(sample: Sample, low: float, high: float) -> Sample:
    """Return what lies between two shares of the longer side.

    Raises:
        UserError: nothing does.
    """
    along = int(np.argmax(sample.image.shape[:2]))
    side = sample.image.shape[along]
    between = slice(round(low * side), round(high * side))
    if between.start == between.stop:
        raise UserError(f"{sample.name} is too small to be divided", "add images or make val/")
    window = (slice(None),) * along + (between,)
    truth = Mask(
        sample.truth.labels[window], None if sample.truth.weights is None else sample.truth.weights[window]
    )
    return Sample(sample.image[window], truth, f"{sample.name}, {low:.0%} to {high:.0%}")


def _connected_regions(labels: np.ndarray) -> np.ndarray:
    from kerazoo.media.opencv import cv2

    return cv2.connectedComponents((labels == 1).astype("uint8"), connectivity=4)[1]
