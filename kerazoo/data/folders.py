"""A folder of images and masks."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from kerazoo.data.border import BorderWeights, cached_border_weights
from kerazoo.data.lazy import Lazy
from kerazoo.data.masks import Classes, as_numbers, declared, guessed, learned
from kerazoo.data.pairs import Kind, Pair, list_pairs, split_folders
from kerazoo.data.source import Files, Split
from kerazoo.data.splits import divide
from kerazoo.errors import UserError
from kerazoo.image import read_codes, read_image
from kerazoo.settings import settings
from kerazoo.task import Sample
from kerazoo.tasks.segmentation import VOID, Mask


class _Listed(NamedTuple):
    kind: Kind
    splits: dict[Split, list[Pair]]
    problems: list[UserError]

    def masks(self) -> list[Path]:
        return [pair.mask for pairs in self.splits.values() for pair in pairs]


@settings
class Folder(Files):
    """Photographs in `images/`, a class per pixel in `masks/` or a number per object in `instances/`.

    The folder may hold `train/`, `val/` and `test/` with that layout each; what of val and test is
    not there is taken from the training images by `validation` and `test`. Images and masks share
    their names. What the values or colours of the masks mean says `classes.json` in the folder
    (`kerazoo.data.masks.ClassEntry`); without it, masks of 0 and one other value are binary and
    others hold the label itself, 255 being void. Instances are background and foreground.

    Attributes:
        classes: names in label order; by default those of classes.json, or made up.
        void: value of unlabelled pixels in the masks.
        split: held back at "random", or the "last" in natural order (slices of a stack).
        border: add U-Net's border weights; needs `instances/`, or binary masks, of which every
            connected region then is an object.
    """

    classes: tuple[str, ...] | None = None
    void: Annotated[int, Field(ge=0, lt=2**16)] | None = None
    split: Literal["random", "last"] = "random"
    border: BorderWeights | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes is not None and len(self.classes) < 2:
            raise ValueError("classes needs two names or more, the background's included")

    def class_names(self) -> tuple[str, ...]:
        return self._classes[0].names

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        classes, problems = self._classes
        if self.border and self._listed.kind == "masks" and len(classes.names) != 2:
            remedy = "number them in instances/, or leave border out"
            raise UserError(f"border weights need to know the objects in {self.path}", remedy)
        splits: dict[Split, Sequence[Sample]] = {
            split: Lazy(pairs, self._read) for split, pairs in self._listed.splits.items()
        }
        return splits, self._listed.problems + problems

    def _read(self, pair: Pair) -> Sample:
        image, codes = read_image(pair.image), read_codes(pair.mask)
        if image.shape[:2] != codes.shape[:2]:
            mask, photograph = (f"{array.shape[1]} x {array.shape[0]}" for array in (codes, image))
            told = f"{pair.mask} has {mask} pixels, its image {photograph}"
            raise UserError(told, "export the mask in the image's size")
        name = pair.image.relative_to(self.root).as_posix().replace("images/", "", 1)
        return Sample(image, self._truth(codes, pair.mask), name)

    def _truth(self, codes: np.ndarray, path: Path) -> Mask:
        if self._listed.kind == "masks":
            labels = self._classes[0].labels(codes, path)
            return Mask(labels, self._weights(lambda: _regions(labels)))
        objects = as_numbers(codes, path)
        labels = (objects > 0).astype("uint8")
        if self.void is not None:
            labels[objects == self.void] = VOID
        return Mask(labels, self._weights(lambda: np.where(labels == VOID, 0, objects)))

    def _weights(self, objects: Callable[[], np.ndarray]) -> np.ndarray | None:
        return None if self.border is None else cached_border_weights(objects(), self.border)

    @functools.cached_property
    def _listed(self) -> _Listed:
        folders = split_folders(self.root)
        listings = {split: list_pairs(folder) for split, folder in folders.items()}
        kinds = {listing.kind for listing in listings.values()}
        if len(kinds) > 1:
            raise UserError(
                f"{self.path} has masks/ in one split and instances/ in another", "use one of them"
            )
        shares = (0.0 if "val" in folders else self.validation), (0.0 if "test" in folders else self.test)
        pool = listings["train"].pairs if "train" in listings else []
        splits = divide(pool, *shares, self.split, self.seed)
        splits |= {split: listing.pairs for split, listing in listings.items() if split != "train"}
        return _Listed(
            kinds.pop(), splits, [problem for each in listings.values() for problem in each.problems]
        )

    @functools.cached_property
    def _classes(self) -> tuple[Classes, list[UserError]]:
        """The classes, and the masks that do not fit them."""
        if self._listed.kind == "instances":
            return guessed({0, 1}, self.classes, None, self.root), []
        file = self.root / "classes.json"
        if not file.exists():
            return learned(self._listed.masks(), self.classes, self.void, self.root)
        classes = declared(file)
        if self.void is not None or self.classes not in (None, classes.names):
            raise UserError(
                f"{file} and the settings both say what the classes are",
                "leave out data.classes and data.void",
            )
        return classes, []


def _regions(labels: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.connectedComponents((labels == 1).astype("uint8"), connectivity=4)[1]
