"""Which files of a folder belong together, and to which split."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from kerazoo.data import splits
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.image import images_below

Kind = Literal["masks", "instances"]


class Pair(NamedTuple):
    """A photograph and its truth."""

    image: Path
    mask: Path


@dataclass(frozen=True)
class Listing:
    """The pairs below one folder.

    Attributes:
        kind: "masks" hold a class per pixel, "instances" a number per object.
        pairs: in natural order of the images.
        problems: files without a partner.
    """

    kind: Kind
    pairs: list[Pair]
    problems: list[UserError]


def list_pairs(folder: Path) -> Listing:
    """Return the pairs of `folder/images` and `folder/masks` or `folder/instances`.

    A mask has the name of its image (any suffix), or that name with `_mask` behind it;
    sub-folders must agree too.

    Raises:
        UserError: the folders are not there, or hold no images.
    """
    images, kind = folder / "images", _kind(folder)
    found = images_below(images)
    if not found:
        raise UserError(f"{images} holds no images", _layout(folder))
    by_stem, problems = _by_stem(found, images)
    masks, doubles = _by_stem(images_below(folder / kind), folder / kind, known=by_stem)
    problems += doubles
    for stem, image in by_stem.items():
        if stem not in masks:
            problems.append(
                UserError(f"{image} has no mask", f"add {folder / kind / stem}.png or remove the image")
            )
    for stem, mask in masks.items():
        if stem not in by_stem:
            problems.append(UserError(f"{mask} has no image in {images}", "add the image or remove the mask"))
    return Listing(
        kind, [Pair(image, masks[stem]) for stem, image in by_stem.items() if stem in masks], problems
    )


def split_folders(root: Path) -> dict[Split, Path]:
    """Return the train, val and test sub-folders that exist; `root` itself as train where images/ is in it.

    Raises:
        UserError: `root` is not there, empty, or has neither sub-folders nor `images/`.
    """
    if not root.is_dir():
        raise UserError(
            f"data folder {root} {'is a file' if root.exists() else 'does not exist'}", _layout(root)
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"data folder {root} cannot be read", "change its permissions")
    if not any(root.iterdir()):
        raise UserError(f"data folder {root} is empty", _layout(root))
    named = splits.split_folders(root)
    return (
        named if "train" in named or (named and not (root / "images").is_dir()) else {"train": root, **named}
    )


def _kind(folder: Path) -> Kind:
    kinds: list[Kind] = [kind for kind in ("masks", "instances") if (folder / kind).is_dir()]
    if not (folder / "images").is_dir():
        raise UserError(f"{folder} has no folder images/", _layout(folder))
    if len(kinds) != 1:
        told = "both masks/ and instances/" if kinds else "neither masks/ nor instances/"
        raise UserError(f"{folder} has {told}", _layout(folder))
    return kinds[0]


def _by_stem(
    files: Sequence[Path], folder: Path, known: dict[str, Path] | None = None
) -> tuple[dict[str, Path], list[UserError]]:
    found: dict[str, Path] = {}
    problems = []
    for file in files:
        stem = file.relative_to(folder).with_suffix("").as_posix()
        if known is not None and stem not in known:
            stem = stem.removesuffix("_mask")
        if stem in found:
            problems.append(UserError(f"{file} and {found[stem].name} share a name", "keep one of them"))
        found.setdefault(stem, file)
    return found, problems


def _layout(folder: Path) -> str:
    return f"put photographs into {folder / 'images'} and masks of the same names into {folder / 'masks'}"
