"""YOLO's names of classes and places of splits: `data.yaml`, `obj.data`, or a name in each line of a file."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kerazoo.data.detection.layout import DARKNET, is_class_list
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files.reading import is_file, list_folder, read_text

LARGEST = 1 << 20
"""Bytes of the largest file that is read."""

YAML = (".yaml", ".yml")

_SPLITS: tuple[Split, ...] = ("train", "val", "test")

_DARKNET_SPLITS: dict[str, Split] = {"train": "train", "valid": "val", "test": "test"}


class ClassFile(NamedTuple):
    """The classes of a data set.

    Attributes:
        path: of the file.
        names: in label order.
        folders: what it says of each split: folders of images, or lists of them; often nothing.
        base: the folder that these are in: the given one, or that which a `.yaml` file calls its `path`.
        key_points: numbers of key points behind each box, 0 for none.
        others: files that it names and that were read.
    """

    path: Path
    names: tuple[str, ...]
    folders: dict[Split, list[str]]
    base: Path
    key_points: int = 0
    others: tuple[Path, ...] = ()


def find_class_file(root: Path, files: Sequence[Path]) -> ClassFile | None:
    """Return the classes that a folder or a `.yaml` file tells; None if there is no such file.

    In a folder `data.yaml` goes before other `.yaml` files, these before `obj.data` and lists of names.

    Args:
        root: the folder, or the file itself.
        files: all that are in the folder.

    Raises:
        UserError: the file cannot be read, or several name different classes.
    """
    if is_file(root):
        return _read_yaml(root)
    lists = [file for file in files if is_class_list(file)]
    darknet = root / DARKNET
    if settings := _settings_files(root, alone=not lists and not is_file(darknet)):
        read = [_read_yaml(file) for file in settings]
    elif is_file(darknet):
        read = [_read_darknet(darknet)]
    else:
        read = [ClassFile(file, _read_list(file), {}, root) for file in lists]
    for other in read[1:]:
        if other.names != read[0].names:
            message = f"{read[0].path} and {other.path} name different classes"
            raise UserError(message, "keep one of them, or give the .yaml file itself")
    return read[0] if read else None


def _settings_files(root: Path, alone: bool) -> list[Path]:
    """Return the `.yaml` files in a folder that tell classes.

    Args:
        root: the folder.
        alone: no other file tells them, so that what is wrong with a single `.yaml` file has to be told.
    """
    inside = [file for file in list_folder(root) if file.suffix.lower() in YAML]
    named = [file for file in inside if file.stem == "data" and _tells(file, {"names", *_SPLITS}, True)]
    return named or [file for file in inside if _tells(file, {"names"}, alone and len(inside) == 1)]


def _tells(file: Path, keys: set[str], broken: bool) -> bool:
    """Whether a `.yaml` file has one of the keys; `broken` is what a file that cannot be read counts as."""
    try:
        content = _parse_yaml(file)
    except UserError:
        return broken
    return isinstance(content, dict) and not keys.isdisjoint(content)


def locate(place: str, bases: Sequence[Path]) -> Iterator[Path]:
    """Yield the files or folders that a data set may call `place`, the likeliest first.

    A whole path that exists goes first, then what is inside of the data set, then what is beside it. What
    is missing, such as a path of another machine, is known by its end, the longest first. One part is enough
    for lists and for what is in `data/`, where darknet has everything.

    Args:
        place: as it is written, with the separators of any system.
        bases: folders that it may be in.
    """
    written = Path(place.replace("\\", "/"))
    parts = [part for part in written.parts if part not in (written.anchor, ".", "..")]
    least = 1 if written.suffix.lower() in (".txt", ".names") or parts[:-1] == ["data"] else 2
    inner, *ends = [Path(*parts[first:]) for first in range(max(len(parts), 1))]
    ends = [end for end in ends if len(end.parts) >= least]
    whole = [written] if written.is_absolute() else []
    near = [inner] if whole else [inner, written] if parts else [written]
    inside = (base / path for group in (near, ends) for path in group for base in bases)
    return filter(_exists, itertools.chain(whole, inside))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # names that no file can have
        return False


def _read_list(file: Path) -> tuple[str, ...]:
    """Return the names in the lines of a file."""
    lines = read_text(file, LARGEST).rstrip().splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            message = f"{file}: line {number} is blank, and a line's number is that of its class"
            raise UserError(message, "name the class, or remove the line")
    return _checked_names(lines, file)


def _read_darknet(file: Path) -> ClassFile:
    """Return what `obj.data` tells: `key = value` in each line; paths are of the folder darknet starts in."""
    lines = (line.partition("#")[0].partition("=") for line in read_text(file, LARGEST).splitlines())
    told = {key.strip(): value.strip() for key, _, value in lines if value.strip()}
    place = told.get("names", "obj.names")
    found = next(filter(is_file, locate(place, [file.parent])), None)
    if found is None:
        raise UserError(f"{file}: names is {place}, which is not there", "correct the path")
    names = _read_list(found)
    if told.get("classes", str(len(names))) != str(len(names)):
        message = f"{file}: classes is {told['classes']!r:.20}, and there are {len(names)} names"
        raise UserError(message, "correct it")
    folders = {split: [told[key]] for key, split in _DARKNET_SPLITS.items() if key in told}
    return ClassFile(file, names, folders, file.parent, others=(found,))


def _read_yaml(file: Path) -> ClassFile:
    """Return what a file tells; what it calls its `path` is the base if it is there."""
    content = _parse_yaml(file)
    if not isinstance(content, dict) or "names" not in content:
        raise UserError(f"{file} has no names", "write 'names: [cat, dog]', in label order")
    names = content["names"]
    if isinstance(names, dict):
        numbers = [str(number) for number in range(len(names))]
        if set(names) != set(numbers):
            raise UserError(f"{file}: the names are not numbered 0 to {len(names) - 1}", "number them so")
        names = [names[number] for number in numbers]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{file}: names is no list of texts", "write 'names: [cat, dog]', in label order")
    if (count := content.get("nc", str(len(names)))) != str(len(names)):
        told = repr(count[:20]) if isinstance(count, str) else "no number"  # lists may unfold to gigabytes
        raise UserError(f"{file}: nc is {told}, and there are {len(names)} names", "correct it")
    folders: dict[Split, list[str]] = {}
    for split in _SPLITS:
        places = content.get(split) or []
        if not isinstance(places, str | list) or not all(isinstance(place, str) for place in places):
            raise UserError(f"{file}: {split} is no path and no list of paths", "correct it")
        folders |= {split: [places] if isinstance(places, str) else places} if places else {}
    base = content.get("path") or "."
    if not isinstance(base, str):
        raise UserError(f"{file}: path is no text", "correct it")
    place = file.parent / base
    moved = _exists(place) and place.is_dir() and not os.path.samefile(place, file.parent)
    checked = _checked_names(names, file)
    return ClassFile(file, checked, folders, place if moved else file.parent, _key_points(content, file))


def _key_points(content: dict[str, Any], file: Path) -> int:
    """Return how many numbers of key points follow each box: `kpt_shape` is points and numbers of each."""
    shape = content.get("kpt_shape")
    if shape in (None, "", "null", "~"):
        return 0
    if not isinstance(shape, list) or len(shape) != 2 or not all(map(_is_count, shape)):
        raise UserError(f"{file}: kpt_shape is no list of two whole numbers", "write it as [17, 3]")
    return int(shape[0]) * int(shape[1])


def _is_count(text: Any) -> bool:
    return isinstance(text, str) and text.isdecimal() and len(text) < 5


def _parse_yaml(file: Path) -> Any:
    """Return a file's content, in which every scalar is a text: `no` is a name and not False."""
    import yaml  # type: ignore[import-untyped]

    try:
        return yaml.load(read_text(file, LARGEST), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{file} is no YAML: {reason}", "correct it") from None
    except RecursionError:
        raise UserError(f"{file} is nested too deeply to be read", "correct it") from None


def _checked_names(names: Iterable[str], file: Path) -> tuple[str, ...]:
    listed = tuple(name.strip() for name in names)
    if not listed or "" in listed:
        raise UserError(
            f"{file} has {'a class without a name' if listed else 'no names'}", "name every class"
        )
    if len(set(listed)) < len(listed):
        twice = next(name for index, name in enumerate(listed) if name in listed[:index])
        raise UserError(f"{file}: the class {twice!r} is there twice", "give each a name of its own")
    return listed
