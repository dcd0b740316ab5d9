"""Finding classes and splits in the folder names of a data set or an archive."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from kerazoo.data.source import Split
from kerazoo.data.splits import NAMES, divide, split_of, splits_by_name
from kerazoo.errors import UserError
from kerazoo.files.reading import is_hidden, list_folder, read_text
from kerazoo.files.writing import natural_key

OMNIGLOT: dict[str, Split] = {"images_background": "train", "images_evaluation": "test"}
"""What Lake et al. 2015 call the alphabets to learn from and those to be asked about."""

Names = dict[str, list[str]]
"""Folder, or class -> the files of its images."""


def files_by_folder(files: Iterable[str]) -> Names:
    """Return the files by folder, without hidden ones, in natural order."""
    by_folder: Names = {}
    for path in sorted(map(PurePosixPath, files), key=lambda path: natural_key(str(path))):
        if not is_hidden(path):
            by_folder.setdefault(path.parent.as_posix(), []).append(path.as_posix())
    return by_folder


def class_name(folder: str) -> str:
    """Return the class name of a folder in composed Unicode (macOS decomposes letters).

    Raises:
        UserError: the name is no text.
    """
    name = unicodedata.normalize("NFC", folder)
    if not name.isprintable():
        raise UserError(f"the folder {name[:80]!a} has a name that cannot be printed", "rename it")
    return name


def _parent_folders(folders: Iterable[str]) -> dict[str, str]:
    """Return the folders that contain others, each with one of these."""
    return {above.as_posix(): folder for folder in folders for above in PurePosixPath(folder).parents}


def select_class_folders(where: str, by_folder: Names) -> tuple[Names, list[UserError]]:
    """Return the class folders, and an error for each file beside them."""
    above, split_names = _parent_folders(by_folder), _split_folder_names(by_folder)
    beside = {
        name: files
        for name, files in by_folder.items()
        if name == "." or (name in above and PurePosixPath(name).name in split_names)
    }
    problems = [
        UserError(f"{where}: {file} lies in no class folder", "move it into one or remove it")
        for files in beside.values()
        for file in files
    ]
    return {name: files for name, files in by_folder.items() if name not in beside}, problems


def class_folder_warnings(where: str, by_folder: Names) -> list[str]:
    """Return a warning for each folder that may be no class."""
    above = _parent_folders(by_folder)
    nested = [
        f"{where}: {folder} holds images and so does {above[folder]}; each folder is a class of its own"
        for folder in by_folder
        if folder in above
    ]
    split_names = [
        f"{where}: {folder} is called like a split, but it holds images itself; it is taken for a class"
        for folder in by_folder
        if splits_by_name([PurePosixPath(folder).name])
    ]
    return [*nested, *split_names, *_fold_warnings(where, by_folder)]


def _fold_warnings(where: str, by_folder: Names) -> list[str]:
    """Return a warning if all groups have classes of the same names, other than numbers."""
    groups: dict[str, set[str]] = {}
    for folder in map(PurePosixPath, by_folder):
        groups.setdefault(folder.parent.as_posix(), set()).add(folder.name)
    names = list(groups)
    shared = sorted(name for name in set.intersection(*groups.values()) if not name[-1].isdigit())
    if len(names) < 2 or len(shared) < 2:
        return []
    several = f"{' and '.join(map(repr, names[:5]))} hold the same folders, such as {shared[0]!r}"
    return [
        f"{where}: {several}; each is a class of its own; are these folds or copies? then give one of them"
    ]


def _split_folder_names(by_folder: Names) -> dict[str, Split]:
    """Return the split of each folder name above classes that names one."""
    names = {part for folder in by_folder for part in _top_folders(folder)}
    return splits_by_name(names) | {
        name: OMNIGLOT[name.casefold()] for name in names if name.casefold() in OMNIGLOT
    }


def _top_folders(folder: str) -> tuple[str, ...]:
    """Return the upper two folders above a class, which may name a split."""
    return PurePosixPath(folder).parts[:-1][:2]


def classes_by_split(by_folder: Names) -> tuple[dict[Split, list[str]], Names]:
    """Return the classes of each split, by folder names, and the files of each class."""
    splits: dict[Split, list[str]] = {}
    files_by_class: Names = {}
    repeated = []
    split_names = _split_folder_names(by_folder)
    for folder, files in by_folder.items():
        parts = PurePosixPath(folder).parts
        above = [split_names.get(part) for part in _top_folders(folder)]
        at = [
            position for position, split in enumerate(above) if split and split == next(filter(None, above))
        ]
        name = class_name("/".join(parts[at[-1] + 1 :] if at else parts))
        splits.setdefault(above[at[0]] or "train" if at else "train", []).append(name)
        repeated += [name] * (name in files_by_class)
        files_by_class[name] = files
    if repeated:
        more = f" (and {len(repeated) - 1} more)" if len(repeated) > 1 else ""
        raise UserError(f"the class {repeated[0]!r} is in two splits{more}", _WHOLE_CLASSES)
    return splits, files_by_class


_WHOLE_CLASSES = "whole classes are held back here: keep each in one split, or give the folder of one split"


def hold_back_classes(
    classes: Sequence[str], shares: tuple[float, float], seed: int
) -> dict[Split, list[str]]:
    """Divide classes into train, val and test, by whole groups if there are several."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(PurePosixPath(name).parent.as_posix(), []).append(name)
    what = "group(s) of classes"
    if len(groups) < 2:
        groups, what = {name: [name] for name in classes}, "class(es)"
    remedy = "add classes, or put those of val into a folder val/, all others into train/"
    parts = divide(list(groups), *shares, "random", seed, what=what, remedy=remedy)
    return {split: [n for group in part for n in groups[group]] for split, part in parts.items() if part}


def read_split_lists(folder: Path, files_by_class: Names) -> dict[Split, list[str]]:
    """Return the classes of each split, from a folder of text files."""
    files = {split_of(path.stem): path for path in list_folder(folder) if path.suffix.lower() == ".txt"}
    splits: dict[Split, list[str]] = {}
    split_of_class: dict[str, Split] = {}
    for split in NAMES:
        path = files.get(split)
        if path is None:
            raise UserError(f"{folder} has no {split}.txt", "data.splits wants three files")
        names = dict.fromkeys(_class_in_line(line) for line in read_text(path).split("\n") if line.strip())
        for name in names:
            if name not in files_by_class:
                raise UserError(f"{path}: there is no class {name!r}", "does it belong to these data?")
            if name in split_of_class:
                raise UserError(f"{path}: the class {name!r} is in two splits", "keep one of them")
        split_of_class |= dict.fromkeys(names, split)
        splits[split] = list(names)
    return splits


def _class_in_line(line: str) -> str:
    """Return the class in a line; it may have Windows' separators or end in a rotation."""
    return class_name(re.sub("/rot[0-9]+$", "", line.strip().replace("\\", "/")))
