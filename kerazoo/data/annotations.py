"""Finding annotation files, and reading the numbers and ids in them."""

import dataclasses
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from kerazoo.data.source import Split, existing_path
from kerazoo.data.splits import folders_by_split, split_of
from kerazoo.errors import UserError
from kerazoo.files.reading import list_folder, read_bytes
from kerazoo.files.writing import natural_key

LARGEST = 1e9
"""No coordinate is larger, in pixels."""

MANY, NAMED = 5, 3
"""More than `MANY` entries that are wrong for one reason get one line: the first and `NAMED` more."""

_NUMBERS = {int, float, bool, type(None)}

_FLAGS = {0: False, 1: True, "0": False, "1": True, None: False}
"""What is written for a flag, such as `iscrowd`."""

_PARTS = (b"images", b"annotations", b"categories")
"""What a file of COCO has."""

_FLAG = int | float | str | None

Key = int | str
"""An id as a file has it."""

Kind = Literal["keypoints", "instances"]
"""The word in the names of COCO's own files, such as `instances_train2017.json`."""


class ListedImage(NamedTuple):
    """An image in COCO's "images": the name of its file, and height and width if they are told."""

    name: str
    size: tuple[int, int] | None


@dataclasses.dataclass
class Remarks:
    """Problems and warnings collected while files are read.

    Attributes:
        problems: what is wrong; nothing is trained on before it is mended.
        warnings: a line each about what only the user can judge.
    """

    problems: list[UserError] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


def entry_errors(file: Path, kind: str, wrong: Iterable[tuple[object, str]]) -> list[UserError]:
    """Return errors for wrong entries of a file: one each, or one for more than `MANY` of the same reason.

    Args:
        kind: what the entries are called, such as "annotation".
        wrong: name or number of each, and its reason as "has no bbox".
    """
    names = defaultdict(list)
    for name, reason in wrong:
        names[reason].append(str(name))
    lines = []
    for reason, (first, *others) in names.items():
        if len(others) < MANY:
            lines += [f"{kind} {name} {reason}" for name in (first, *others)]
        else:
            shown = ", ".join(others[:NAMED])
            lines.append(f"{kind} {first} {reason} ({len(others)} more are like it: {shown}, ...)")
    return [UserError(f"{file}: {line}", "mend or remove it") for line in lines]


def annotation_files(root: Path, remarks: Remarks, kind: Kind = "keypoints") -> dict[Split, Path]:
    """Return the annotation file of each split in a folder; a file itself is train.

    A file is known by its name, as `kerazoo.data.splits` knows folders: `val.json`, `Validation.json` or
    `person_keypoints_val2017.json`, in the folder or in its `annotations/` or `annot/`; else by the folder of
    a split that it is in, `valid/_annotations.coco.json`. A single `person_keypoints_default.json` is train,
    and so is the only file in the folder if it holds what COCO's files do, whatever its name.
    Of `instances` the names are `instances_val2017.json` and `instances_default.json`.

    Raises:
        UserError: there is none, or several for a split.
    """
    if not existing_path(root).is_dir():
        return {"train": root}
    files, others = _files_by_name(root, kind)
    if not files:
        inside = {
            path: file
            for path in list_folder(root)
            if path.is_dir() and (file := _file_in_split_folder(path))
        }
        files = {split: inside[folder] for split, folder in folders_by_split(inside).items()}
    if len(others) == 1 and "train" not in files:
        files["train"] = others.pop()
    if not files and not others and (only := _only_file(root)):
        files["train"] = only
    if not files and not others:
        raise UserError(
            f"{root} has no annotations", "put train.json and val.json there, or give a .json file"
        )
    if not files:
        names = " and ".join(str(file.relative_to(root)) for file in others)
        raise UserError(f"{root} has {names}, none for train", "give one, or call one train.json")
    remarks.warnings += [f"{file} is named after no split and is left out" for file in others]
    return files


def split_of_file(file: Path, kind: Kind = "keypoints") -> Split | None:
    """Return the split in the name of an annotation file, None if there is none.

    >>> split_of_file(Path("person_keypoints_val2017.json")), split_of_file(Path("default.json"))
    ('val', None)
    """
    _, marked, end = file.stem.casefold().rpartition(f"{kind}_")
    return split_of(re.split("[^a-z]", end)[0] if marked else end.rstrip("0123456789"))


def _files_by_name(root: Path, kind: Kind) -> tuple[dict[Split, Path], list[Path]]:
    """Return the files named after splits, and files of that kind named after none."""
    files: dict[Split, Path] = {}
    others = []
    inside = [file for folder in (root, root / "annotations", root / "annot") for file in _json_files(folder)]
    for file in sorted(inside, key=natural_key):
        split = split_of_file(file, kind)
        if split in files:
            names = " and ".join(str(path.relative_to(root)) for path in (files[split], file))
            raise UserError(f"{root} has {names}, all for {split}", "keep one, or give the file itself")
        if split:
            files[split] = file
        elif f"{kind}_" in file.stem.casefold():
            others.append(file)
    return files, others


def _file_in_split_folder(folder: Path) -> Path | None:
    """Return the annotation file in the folder of a split: Roboflow's, or the only one."""
    files = _json_files(folder)
    known = folder / "_annotations.coco.json"
    return known if known in files else files[0] if len(files) == 1 else None


def _only_file(root: Path) -> Path | None:
    """Return the only JSON file in a folder if it holds what COCO's files do."""
    files = _json_files(root)
    if len(files) != 1:
        return None
    content = read_bytes(files[0])  # searched and not decoded, for that takes seconds where files are large
    return files[0] if all(re.search(rb'"%s"\s*:' % part, content) for part in _PARTS) else None


def _json_files(folder: Path) -> list[Path]:
    return [file for file in folder.glob("*.json") if not file.name.startswith(".")]


def number_array(rows: Sequence[Any], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of numbers as an array, and which rows are valid.

    Args:
        rows: decoded JSON.
        width: of a sound row.

    Returns:
        float64 `(N, width)`, NaN for null, NaN and what is beyond `LARGEST`, and for all of a row that is no
        list of `width` numbers and nulls; bool `(N,)`, which rows are.
    """
    try:
        whole = np.array(rows)
    except (ValueError, OverflowError):  # of different lengths, or no float is as large
        whole = np.zeros(0)
    sound = np.ones(len(rows), bool)
    if whole.shape != (len(rows), width) or whole.dtype.kind not in "iuf":
        sound = np.array([_are_numbers(row, width) for row in rows], bool)
        empty = [np.nan] * width
        floats = [_to_floats(row) if fits else empty for row, fits in zip(rows, sound, strict=True)]
        whole = np.array(floats, "float64").reshape(-1, width)
    whole = whole.astype("float64")
    whole[~(np.abs(whole) <= LARGEST)] = np.nan  # written so that NaN, which compares False, stays NaN
    return whole, sound


def _are_numbers(row: Any, width: int) -> bool:
    return isinstance(row, list) and len(row) == width and set(map(type, row)) <= _NUMBERS


def _to_floats(row: list[Any]) -> list[float]:
    return [float(value) if value is not None and abs(value) <= LARGEST else np.nan for value in row]


def text_number(text: str) -> float:
    """Return the number that a text is, NaN if it is none; Python's `0.5_0` is none."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def parse_key(value: Any) -> Key | None:
    """Return an id as a whole number or text; None for anything else.

    >>> key_of(3.0), key_of("0003"), key_of(True), key_of([3])
    (3, '0003', None, None)
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def parse_flags(values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return which flags are set, and which values are no flags: bool `(N,)` both."""
    flags = [_FLAGS.get(value) if isinstance(value, _FLAG) else None for value in values]
    odd = [not isinstance(value, _FLAG) or value not in _FLAGS for value in values]
    return np.array([bool(flag) for flag in flags], bool), np.array(odd, bool)


def images_by_key(images: list[Any], file: Path, remarks: Remarks) -> dict[Key, ListedImage]:
    """Return COCO's "images" by id; those that are wrong become problems."""
    by_key: dict[Key, ListedImage] = {}
    for index, entry in enumerate(images, 1):
        key = parse_key(entry.get("id")) if isinstance(entry, dict) else None
        name = entry.get("file_name") if isinstance(entry, dict) else None
        if key is None or not isinstance(name, str) or not name:
            which = f"number {index}" if key is None else key
            message = f"{file}: image {which} has no id or no file_name"
            remarks.problems.append(UserError(message, "mend or remove it"))
        elif key in by_key:
            message = f"{file}: image {key} is there twice"
            remarks.problems.append(UserError(message, "give each an id of its own"))
        else:
            size = _parse_side(entry.get("height")), _parse_side(entry.get("width"))
            by_key[key] = ListedImage(name, size if all(size) else None)
    twice = [name for name, count in Counter(image.name for image in by_key.values()).items() if count > 1]
    if twice:
        message = f"{len(twice)} image(s) have several ids, such as {twice[0]}"
        remarks.warnings.append(f"{file}: {message}; what one id has is unknown to the other")
    return by_key


def category_names(categories: Iterable[Any], file: Path) -> dict[Key, str]:
    """Return the names of COCO's "categories" by id, "" for what is no name; without an id they are left out.

    Raises:
        UserError: an id is there twice.
    """
    names: dict[Key, str] = {}
    for category in categories:
        key = parse_key(category.get("id")) if isinstance(category, dict) else None
        if key in names:
            raise UserError(f"{file}: the category id {key} is there twice", "give each an id of its own")
        if key is not None:
            name = category.get("name")
            is_name = isinstance(name, str | int | float) and not isinstance(name, bool)
            names[key] = str(name) if is_name and str(name).strip() else ""
    return names


def _parse_side(value: Any) -> int:
    """Return the length of a side in pixels, 0 if it is missing."""
    length = parse_key(value)
    return length if isinstance(length, int) and 0 < length < LARGEST else 0


class Ids:
    """Ids that others refer to; 7 matches "0007" if only one of them exists."""

    def __init__(self, keys: Iterable[Key]):
        """Store the existing ids."""
        self._keys = set(keys)
        self._by_number: dict[int, Key | None] = {}
        for key in self._keys:
            if (number := _whole_number(key)) is not None:
                self._by_number[number] = None if number in self._by_number else key

    def __str__(self) -> str:
        return ", ".join(map(str, self._keys))

    def find(self, value: Any) -> Key | None:
        """Return the existing id that a value refers to; None if there is none."""
        key = parse_key(value)
        if key is None or key in self._keys:
            return key
        number = _whole_number(key)
        return None if number is None else self._by_number.get(number)


def _whole_number(key: Key) -> int | None:
    if isinstance(key, int):
        return key
    return int(key) if key.isdecimal() and len(key) < 20 else None
