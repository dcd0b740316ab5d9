"""Which folders of pictures are classes, and of which split: names alone, of a folder or an archive."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from kerazoo.data.source import Split
from kerazoo.data.splits import NAMES, divide, split_of
from kerazoo.errors import UserError
from kerazoo.files import natural
from kerazoo.reading import entries, hidden, read_text

OMNIGLOT: dict[str, Split] = {"images_background": "train", "images_evaluation": "test"}
"""What Lake et al. 2015 call the alphabets to learn from and those to be asked about."""

Names = dict[str, list[str]]
"""Folder, or class -> the files of its pictures."""


def by_folder(files: Iterable[str]) -> Names:
    """Return the files of every folder that holds some, hidden ones left out, all in natural order."""
    found: Names = {}
    for path in sorted(map(PurePosixPath, files), key=lambda path: natural(str(path))):
        if not hidden(path):
            found.setdefault(path.parent.as_posix(), []).append(path.as_posix())
    return found


def class_name(folder: str) -> str:
    """Return the class that a folder of this name holds: the same on macOS, which decomposes letters.

    Raises:
        UserError: the name is no text.
    """
    name = unicodedata.normalize("NFC", folder)
    if not name.isprintable():
        raise UserError(f"the folder {name[:80]!a} has a name that cannot be printed", "rename it")
    return name


def _above(folders: Iterable[str]) -> dict[str, str]:
    """Return the folders that have others in them, each with one of these."""
    return {above.as_posix(): folder for folder in folders for above in PurePosixPath(folder).parents}


def classes_alone(where: str, found: Names) -> tuple[Names, list[UserError]]:
    """Return the folders that are classes, and a line for each file that lies beside such folders."""
    above = _above(found)
    beside = {
        name: files for name, files in found.items() if name == "." or (name in above and _split_of(name))
    }
    problems = [
        UserError(f"{where}: {file} lies in no class folder", "move it into one or remove it")
        for files in beside.values()
        for file in files
    ]
    return {name: files for name, files in found.items() if name not in beside}, problems


def doubtful(where: str, found: Names) -> list[str]:
    """Return a line for each folder of which it is doubtful that it is a class."""
    above = _above(found)
    nested = [
        f"{where}: {folder} holds pictures and so does {above[folder]}; each folder is a class of its own"
        for folder in found
        if folder in above
    ]
    called = [
        f"{where}: {folder} is called like a split, but it holds pictures itself; it is taken for a class"
        for folder in found
        if _split_of(folder)
    ]
    return nested + called


def _split_of(folder: str) -> Split | None:
    """Return the split that the last part of a folder's name tells."""
    name = PurePosixPath(folder).name
    return OMNIGLOT.get(name.casefold()) or split_of(name)


def classes_by_split(found: Names) -> tuple[dict[Split, list[str]], Names]:
    """Return the classes that a folder's name puts into each split, and all files by class without it."""
    splits: dict[Split, list[str]] = {}
    named: Names = {}
    twice = []
    for folder, files in found.items():
        parts = PurePosixPath(folder).parts
        above = list(map(_split_of, parts[: min(2, len(parts) - 1)]))
        at = next((place for place, split in enumerate(above) if split), None)
        name = class_name("/".join(parts if at is None else parts[at + 1 :]))
        splits.setdefault("train" if at is None else above[at] or "train", []).append(name)
        twice += [name] * (name in named)
        named[name] = files
    if twice:
        more = f" (and {len(twice) - 1} more)" if len(twice) > 1 else ""
        raise UserError(f"the class {twice[0]} is in two splits{more}", _WHOLE_CLASSES)
    return splits, named


_WHOLE_CLASSES = "whole classes are held back here: keep each in one split, or give the folder of one split"


def held_back(classes: Sequence[str], shares: tuple[float, float], seed: int) -> dict[Split, list[str]]:
    """Return train, val and test parts of classes, by whole groups where there are some."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(PurePosixPath(name).parent.as_posix(), []).append(name)
    what = "group(s) of classes"
    if len(groups) < 2:
        groups, what = {name: [name] for name in classes}, "class(es)"
    remedy = "add classes, or put those of val into a folder val/, all others into train/"
    parts = divide(list(groups), *shares, "random", seed, what=what, remedy=remedy)
    return {split: [n for group in part for n in groups[group]] for split, part in parts.items() if part}


def listed_in(folder: Path, named: Names) -> dict[Split, list[str]]:
    """Return the splits of a folder of text files."""
    files = {split_of(path.stem): path for path in entries(folder) if path.suffix.lower() == ".txt"}
    splits: dict[Split, list[str]] = {}
    known: dict[str, Split] = {}
    for split in NAMES:
        path = files.get(split)
        if path is None:
            raise UserError(f"{folder} has no {split}.txt", "data.splits wants three files")
        names = dict.fromkeys(_class_of(line) for line in read_text(path).split("\n") if line.strip())
        for name in names:
            if name not in named:
                raise UserError(f"{path}: there is no class {name!r}", "does it belong to these data?")
            if name in known:
                raise UserError(f"{path}: the class {name!r} is in two splits", "keep one of them")
        known |= dict.fromkeys(names, split)
        splits[split] = list(names)
    return splits


def _class_of(line: str) -> str:
    """Return the class that a line names, perhaps with Windows' separators or a rotation behind it."""
    return class_name(re.sub("/rot[0-9]+$", "", line.strip().replace("\\", "/")))
