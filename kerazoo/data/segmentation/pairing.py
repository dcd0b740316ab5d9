"""Pairing the images and masks of a folder, by split."""

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from kerazoo.data import splits
from kerazoo.data.source import Split, existing_path
from kerazoo.errors import UserError
from kerazoo.files.listing import list_images
from kerazoo.files.reading import list_folder

Kind = Literal["masks", "instances"]

_FOLD = re.compile("(?<![a-z])(k?folds?(?![a-z])|hold[-_ ]?out)")
"""Words of folders that stand for a part of the data, beside the names of splits."""

_SHOWN = 4
"""As many folders are told in a warning."""


class Pair(NamedTuple):
    """An image and its truth."""

    image: Path
    mask: Path


class SplitFolders(NamedTuple):
    """The folders of a split's images and of their masks.

    Attributes:
        images: a folder.
        masks: the folder of what belongs to them.
        kind: "masks" hold a class per pixel, "instances" a number per object.
    """

    images: Path
    masks: Path
    kind: Kind


@dataclass(frozen=True)
class PairListing:
    """The pairs of one split.

    Attributes:
        pairs: in natural order of the images.
        problems: files without a partner, or that there are none.
    """

    pairs: list[Pair]
    problems: list[UserError]


def list_pairs(folders: SplitFolders) -> PairListing:
    """Return the pairs of images and masks of a split.

    A mask has the name of its image without its suffix (`a.png`) or with it (`a.jpg.png`), or that name
    with `_mask` behind it; sub-folders must agree too. Names are compared in Unicode's composed form,
    since a Mac writes umlauts in another one than Linux.
    """
    images, masks = list_images(folders.images), list_images(folders.masks)
    if not images:
        return PairListing(
            [], [UserError(f"{folders.images} holds no images", "put images there, or remove it")]
        )
    images_by_name: dict[str, list[Path]] = {}
    for image in images:
        for name in (_relative_name(image, folders.images), _relative_stem(image, folders.images)):
            images_by_name.setdefault(name, []).append(image)
    masks_by_image: dict[Path, Path] = {}
    problems = []
    unclear: set[Path] = set()
    for mask in masks:
        stem = _relative_stem(mask, folders.masks)
        candidates = images_by_name.get(stem) or images_by_name.get(stem.removesuffix("_mask"), [])
        if not candidates:
            message = f"{mask} has no image in {folders.images}"
            problems.append(UserError(message, "add the image or remove the mask"))
        elif len(candidates) > 1:
            problems.append(
                UserError(f"{candidates[1]} and {candidates[0].name} share a name", "keep one of them")
            )
            unclear.update(candidates)
        elif candidates[0] in masks_by_image:
            message = f"{mask} and {masks_by_image[candidates[0]].name} are both masks of {candidates[0]}"
            problems.append(UserError(message, "keep one of them"))
        else:
            masks_by_image[candidates[0]] = mask
    for image in images:
        if image not in masks_by_image and image not in unclear:
            remedy = f"add {folders.masks / _relative_stem(image, folders.images)}.png or remove the image"
            problems.append(UserError(f"{image} has no mask", remedy))
    return PairListing(
        [Pair(image, masks_by_image[image]) for image in images if image in masks_by_image], problems
    )


def find_split_folders(root: Path) -> dict[Split, SplitFolders]:
    """Return the folders of images and masks of each split.

    Splits are folders with `images/` and `masks/` each, such as `train/images`, or folders inside of both,
    such as `images/train`, called as `kerazoo.data.splits.splits_by_name` knows them. Without any of them all
    is for training.

    Raises:
        UserError: `root` is not there, empty, has neither, or has one split twice.
    """
    if not existing_path(root).is_dir():
        raise UserError(f"data {root} is a file", _layout_remedy(root))
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"data folder {root} cannot be read", "change its permissions")
    if not any(root.iterdir()):
        raise UserError(f"data folder {root} is empty", _layout_remedy(root))
    folders = [path for path in list_folder(root) if path.is_dir()]
    by_split = splits.folders_by_split(
        p for p in folders if splits.split_of(p.name) or (p / "images").is_dir()
    )
    inside = _splits_inside(root) if (root / "images").is_dir() or not by_split else {}
    if twice := by_split.keys() & inside.keys():
        split = min(twice)
        message = f"{inside[split].images} and {by_split[split]} both hold images of {split}"
        raise UserError(message, "keep one of them")
    return {split: _split_folders(folder) for split, folder in by_split.items()} | inside


def unseen_split_warnings(folders: SplitFolders, split: Split) -> list[str]:
    """Return a warning if sub-folders of a split's images are named like splits or folds.

    Args:
        folders: of the split, or of all images where no split has a folder.
        split: that all of it is taken for.
    """
    images = list_images(folders.images)
    names = {name: None for image in images for name in image.relative_to(folders.images).parent.parts}
    folds = [name for name in names if _FOLD.search(name.casefold())]
    if not folds and {splits.split_in_name(name) for name in names} in (set(), {None}, {split}):
        return []
    suspicious = [name for name in names if name in folds or splits.split_in_name(name)]
    shown = ", ".join(suspicious[:_SHOWN]) + ", ..." * (len(suspicious) > _SHOWN)
    return [
        f"{folders.images} holds the folders {shown}, which are not seen as splits: all their images are "
        f"taken together; if they are splits, call them train, val and test, in {folders.masks.name}/ too"
    ]


def _splits_inside(root: Path) -> dict[Split, SplitFolders]:
    """Return the splits inside of `root/images`, or all of it as train."""
    folders = _split_folders(root)
    images, masks = splits.split_folders(folders.images), splits.split_folders(folders.masks)
    if not images and not masks:
        return {"train": folders}
    for split in images.keys() ^ masks.keys():
        there, missing = (images, folders.masks) if split in images else (masks, folders.images)
        message = f"{there[split]} is a folder of {split}, {missing} has none"
        raise UserError(message, "divide both in the same way")
    for folder, parts in ((folders.images, images), (folders.masks, masks)):
        first = {file: file.relative_to(folder).parts[0] for file in list_images(folder)}
        known = [part.name for part in parts.values()]
        loose = [file for file, part in first.items() if part not in known]
        if loose:
            names = ", ".join(known)
            more = f" (and {len(loose) - 1} more)" if len(loose) > 1 else ""
            message = f"{loose[0]}{more} is in none of the folders {names} of {folder}"
            raise UserError(message, "move it into one of them, or call them otherwise if they are no splits")
    return {split: SplitFolders(images[split], masks[split], folders.kind) for split in images}


def _split_folders(folder: Path) -> SplitFolders:
    kinds: list[Kind] = [kind for kind in ("masks", "instances") if (folder / kind).is_dir()]
    if not (folder / "images").is_dir():
        raise UserError(f"{folder} has no folder images/", _layout_remedy(folder))
    if len(kinds) != 1:
        contents = "both masks/ and instances/" if kinds else "neither masks/ nor instances/"
        raise UserError(f"{folder} has {contents}", _layout_remedy(folder))
    return SplitFolders(folder / "images", folder / kinds[0], kinds[0])


def _relative_name(file: Path, folder: Path) -> str:
    return unicodedata.normalize("NFC", file.relative_to(folder).as_posix())


def _relative_stem(file: Path, folder: Path) -> str:
    return _relative_name(file.with_suffix(""), folder)


def _layout_remedy(folder: Path) -> str:
    return f"put images into {folder / 'images'} and masks of the same names into {folder / 'masks'}"
