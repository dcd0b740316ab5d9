"""YOLO's names of classes and folders of splits: `data.yaml`, or a name in each line of a text file."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kerazoo.data.annotations import Remarks, entry_errors
from kerazoo.data.detection.layout import CLASS_FILES
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files.listing import is_image, list_images
from kerazoo.files.reading import is_file, list_folder, read_text

LARGEST = 1 << 20
"""Bytes of the largest file that is read."""

YAML = (".yaml", ".yml")

_SPLITS: tuple[Split, ...] = ("train", "val", "test")


class ClassFile(NamedTuple):
    """The classes of a data set.

    Attributes:
        path: of the file.
        names: in label order.
        folders: what it says of each split: folders of images, or lists of them; often nothing.
        base: the folder that these are in: the given one, or that which a given file calls its `path`.
    """

    path: Path
    names: tuple[str, ...]
    folders: dict[Split, list[str]]
    base: Path


def find_class_file(root: Path, files: Sequence[Path]) -> ClassFile | None:
    """Return the classes that a folder or a `.yaml` file tells; None if there is no such file.

    Args:
        root: the folder, or the file itself.
        files: all that are in the folder.

    Raises:
        UserError: the file cannot be read, or several name different classes.
    """
    if is_file(root):
        classes, place = _read_yaml(root)
        return classes._replace(base=place if _exists(place) else classes.base)
    settings = [file for file in list_folder(root) if file.suffix.lower() in YAML and names_classes(file)]
    settings = [file for file in settings if file.stem == "data"] or settings
    lists = [file for file in files if file.name in CLASS_FILES]
    read = [_read_yaml(file)[0] for file in settings] or [_read_list(file) for file in lists]
    for other in read[1:]:
        if other.names != read[0].names:
            message = f"{read[0].path} and {other.path} name different classes"
            raise UserError(message, "keep one of them, or give the .yaml file itself")
    return read[0] if read else None


def names_classes(file: Path) -> bool:
    """Whether a `.yaml` file has names of classes."""
    return re.search(r"^names\s*:", read_text(file, LARGEST), re.MULTILINE) is not None


def listed_images(classes: ClassFile, remarks: Remarks) -> dict[Split, list[Path]]:
    """Return the images of the splits that a `.yaml` file tells; nothing if it tells none that is there."""
    found: dict[Split, list[Path]] = {}
    missing: dict[Split, str] = {}
    for split, places in classes.folders.items():
        for place in places:
            path = _locate(place, classes)
            if path is None:
                missing[split] = place
            else:
                found.setdefault(split, []).extend(_images_at(path, classes, remarks))
    if missing and not found:
        names = ", ".join(missing.values())[:200]
        remarks.warnings.append(f"{classes.path}: {names} are not there; the folders tell the splits")
        return {}
    for split, place in missing.items():
        error = UserError(f"{classes.path}: {split} is {place}, which is not there", "correct the path")
        if split == "test":
            remarks.warnings.append(f"{error.message}; it is left out")
        else:
            remarks.problems.append(error)
    return {split: list(dict.fromkeys(images)) for split, images in found.items()}


def _images_at(path: Path, classes: ClassFile, remarks: Remarks) -> list[Path]:
    """Return the images in a folder, or those that a list names, one in each line."""
    if path.is_dir():
        return list_images(path)
    if is_image(path):
        return [path]
    images, wrong = [], []
    for number, text in enumerate(read_text(path).splitlines(), 1):
        if not text.strip():
            continue
        image = _locate(text.strip(), classes, path.parent)
        if image is None:
            wrong.append((number, f"names {text.strip()!r:.80}, and there is no such image"))
        else:
            images.append(image)
    remarks.problems += entry_errors(path, "line", wrong)
    return images


def _locate(place: str, classes: ClassFile, beside: Path | None = None) -> Path | None:
    """Return the file or folder that a data set calls `place`, None if there is none.

    What is inside of the data set goes before what is elsewhere; a path of another machine is known by its
    end, of two parts at least.
    """
    written = Path(place.replace("\\", "/"))
    parts = [part for part in written.parts if part not in (written.anchor, ".", "..")]
    ends = [Path(*parts[first:]) for first in range(len(parts)) if first == 0 or len(parts) - first > 1]
    bases = dict.fromkeys((classes.base, classes.path.parent, *([beside] if beside else [])))
    candidates = [base / end for base in bases for end in ends] + [base / written for base in bases]
    return next((path for path in candidates if _exists(path)), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # names that no file can have
        return False


def _read_list(file: Path) -> ClassFile:
    rows = [(number, line.strip()) for number, line in enumerate(read_text(file, LARGEST).splitlines(), 1)]
    names = _checked_names((name for _, name in rows if name), file)
    return ClassFile(file, names, {}, file.parent)


def _read_yaml(file: Path) -> tuple[ClassFile, Path]:
    """Return what a file tells, and the folder that it calls its `path`."""
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
    if content.get("nc", str(len(names))) != str(len(names)):
        raise UserError(
            f"{file}: nc is {content['nc']!r:.20}, and there are {len(names)} names", "correct it"
        )
    folders: dict[Split, list[str]] = {}
    for split in _SPLITS:
        places = content.get(split) or []
        if not isinstance(places, str | list) or not all(isinstance(place, str) for place in places):
            raise UserError(f"{file}: {split} is no path and no list of paths", "correct it")
        folders |= {split: [places] if isinstance(places, str) else places} if places else {}
    base = content.get("path") or "."
    if not isinstance(base, str):
        raise UserError(f"{file}: path is no text", "correct it")
    return ClassFile(file, _checked_names(names, file), folders, file.parent), file.parent / base


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
