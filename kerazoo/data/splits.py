"""Recognising the folders of splits, and dividing one pool of samples into splits."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeVar, get_args

import numpy as np

from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files.reading import list_folder

NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What the folder of a split may be called, in any capitals; "set" may follow: `Test`, `training_set`.
Such a word may also stand in a longer name: see `splits_by_name`."""

_SPLITS = {name: split for split, names in NAMES.items() for name in names}

_GLUED = re.compile("(?<=.)(sets?|data|images?|imgs?|labels?|masks?)$")
"""What is written without a gap behind the name of a split: `trainset`, `testimages`."""

Item = TypeVar("Item")


def split_of(name: str) -> Split | None:
    """Return the split of a folder with this name, None if it is no split.

    >>> split_of("Training_Set"), split_of("valid"), split_of("cats")
    ('train', 'val', None)
    """
    return _SPLITS.get(name.casefold().removesuffix("set").rstrip("_- "))


def split_in_name(name: str) -> Split | None:
    """Return the split that a word in a name means, None if there is none or more than one.

    >>> split_in("train-images-idx3-ubyte"), split_in("seg_test"), split_in("val2017"), split_in("contest")
    ('train', 'test', 'val', None)
    """
    parted = re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).casefold()  # MNISTTest
    words = (_GLUED.sub("", word) for word in re.findall(r"t10k|[^\W\d_]+", parted))
    splits = {split for word in words if (split := "test" if word == "t10k" else _SPLITS.get(word))}
    return splits.pop() if len(splits) == 1 else None


def splits_by_name(names: Iterable[str]) -> dict[str, Split]:
    """Return the split of each folder name that means one: the common rule for all data in folders.

    Whole names always do. Words in names do where two splits are told (`seg_train` beside `seg_test`): a
    class may be called `bullet-train`. What is called like a split outright goes before its namesakes.
    """
    listed = list(names)
    outright = {name: split for name in listed if (split := split_of(name))}
    by_word = {name: split for name in listed if (split := split_in_name(name))}
    if len({*outright.values(), *by_word.values()}) < 2:
        return outright
    return outright | {name: split for name, split in by_word.items() if split not in outright.values()}


def folders_by_split(folders: Iterable[Path]) -> dict[Split, Path]:
    """Return the folders that are splits (`splits_by_name`), in the order train, val, test.

    Raises:
        UserError: two are of one split, such as `val` and `Validation`.
    """
    paths = {path.name: path for path in folders}
    by_split: dict[Split, Path] = {}
    for name, split in splits_by_name(paths).items():
        if split in by_split:
            raise UserError(
                f"{by_split[split]} and {paths[name]} are both {split} folders", "keep one of them"
            )
        by_split[split] = paths[name]
    return {split: by_split[split] for split in get_args(Split) if split in by_split}


def split_folders(folder: Path) -> dict[Split, Path]:
    """Return the sub-folders of a folder that are splits, as `folders_by_split`."""
    return folders_by_split(path for path in list_folder(folder) if path.is_dir()) if folder.is_dir() else {}


def divide(
    items: Sequence[Item],
    validation: float,
    test: float,
    order: Literal["random", "last"],
    seed: int,
    *,
    what: str = "image(s)",
    remedy: str = "add images or make val/",
) -> dict[Split, list[Item]]:
    """Return train, val and test parts, each in the order of `items`.

    Args:
        items: images, in natural order.
        validation, test: shares of the whole; one pair at least where a share is not 0.
        order: "random" draws them, "last" takes them from the end (val, then test), for slices of
            a stack, whose neighbours are alike.
        seed: of the drawing.
        what: the items are called in messages.
        remedy: what the user can do where there are too few.

    Raises:
        UserError: nothing would be left to train on.
    """
    count = len(items)
    held = [max(round(share * count), 1) if share and count else 0 for share in (validation, test)]
    train = count - sum(held)
    if count and train < 1:
        held_back = " and ".join(name for name, share in (("val", validation), ("test", test)) if share)
        raise UserError(f"{count} {what} cannot be divided into train and {held_back}", remedy)
    ranks = np.arange(count) if order == "last" else np.random.default_rng(seed).permutation(count)
    parts = np.split(ranks, [train, train + held[0]])
    names: tuple[Split, ...] = ("train", "val", "test")
    return {name: [items[i] for i in sorted(part)] for name, part in zip(names, parts, strict=True)}
