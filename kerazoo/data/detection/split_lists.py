"""The images of YOLO's splits: folders and lists that `data.yaml` or `obj.data` names, or lists beside it."""

import os
from collections.abc import Sequence
from pathlib import Path

from kerazoo.data.annotations import Remarks, entry_errors
from kerazoo.data.detection.class_names import ClassFile, locate
from kerazoo.data.source import Split
from kerazoo.data.splits import split_of
from kerazoo.errors import UserError
from kerazoo.files.listing import is_image, list_images
from kerazoo.files.reading import list_folder, read_text

_Listed = tuple[dict[Split, list[Path]], list[Path]]
"""The images of each split, and the lists that name them."""


def listed_images(classes: ClassFile, remarks: Remarks) -> _Listed:
    """Return the images of the splits that a file of classes tells, and the lists that it names.

    Both are empty if it tells nothing that is there.
    """
    found: dict[Split, list[Path]] = {}
    missing: dict[Split, str] = {}
    lists: list[Path] = []
    for split, places in classes.folders.items():
        for place, path in zip(places, _located(places, classes.path, classes, remarks), strict=True):
            if path is None:
                missing[split] = place
                continue
            is_list = not path.is_dir() and not is_image(path)
            lists += [path] * is_list
            inside = _named_images(path, classes, remarks) if is_list else _images_at(path)
            found.setdefault(split, []).extend(inside)
    if missing and not found:
        names = ", ".join(missing.values())[:200]
        remarks.warnings.append(f"{classes.path}: {names} are not there; the folders tell the splits")
        return {}, []
    for split, place in missing.items():
        error = UserError(f"{classes.path}: {split} is {place}, which is not there", "correct the path")
        if split == "test":
            remarks.warnings.append(f"{error.message}; it is left out")
        else:
            remarks.problems.append(error)
    return {split: list(dict.fromkeys(images)) for split, images in found.items()}, lists


def lists_beside(classes: ClassFile, remarks: Remarks) -> _Listed:
    """Return the images that `train.txt`, `val.txt` and so on name, and these lists; often nothing.

    They lie in the folder of the data set, and have the path of an image in each line.
    """
    lists: dict[Split, Path] = {}
    inside = list_folder(classes.base)
    images = {path.stem for path in inside if is_image(path)}
    for file in inside:
        split = split_of(file.stem.rstrip("0123456789"))
        if not split or file.suffix.lower() != ".txt" or file.stem in images or file.is_dir():
            continue
        if not all(is_image(line) for _, line in _lines(file)):
            remarks.warnings.append(f"{file} is no list of image files and is not read")
        elif split in lists:
            raise UserError(f"{lists[split]} and {file} are both lists of {split}", "keep one of them")
        else:
            lists[split] = file
    found = Remarks()
    splits = {split: _named_images(file, classes, found) for split, file in lists.items()}
    if not any(splits.values()):
        remarks.warnings += [
            f"{file} names no image that is there and is not read" for file in lists.values()
        ]
        return {}, []
    remarks.problems += found.problems
    remarks.warnings += found.warnings
    return splits, list(lists.values())


def _images_at(path: Path) -> list[Path]:
    return list_images(path) if path.is_dir() else [path]


def _lines(file: Path) -> list[tuple[int, str]]:
    """Return number and text of each line that is not blank."""
    rows = ((number, line.strip()) for number, line in enumerate(read_text(file).splitlines(), 1))
    return [(number, line) for number, line in rows if line]


def _named_images(file: Path, classes: ClassFile, remarks: Remarks) -> list[Path]:
    """Return the images that a list names, one in each line."""
    lines = _lines(file)
    images = _located([line for _, line in lines], file, classes, remarks)
    wrong = [
        (number, f"names {line!r:.80}, and there is no such image")
        for (number, line), image in zip(lines, images, strict=True)
        if image is None
    ]
    remarks.problems += entry_errors(file, "line", wrong)
    return list(dict.fromkeys(image for image in images if image))


def _located(places: Sequence[str], file: Path, classes: ClassFile, remarks: Remarks) -> list[Path | None]:
    """Return what each place in a file is, None where it is not there.

    What is read from elsewhere though the data set seems to have it as well is warned about.
    """
    bases = list(dict.fromkeys((classes.base, classes.path.parent, file.parent)))
    located, twice = list[Path | None](), list[tuple[Path, Path]]()
    for place in places:
        found = locate(place, bases)
        path = next(found, None)
        located.append(path)
        if path and Path(place).is_absolute() and not any(path.is_relative_to(base) for base in bases):
            other = next(found, None)
            twice += [(path, other)] if other and not os.path.samefile(path, other) else []
    if twice:
        message = f"{len(twice)} path(s) are read as written, such as {twice[0][0]}"
        line = f"{file}: {message}, and not {twice[0][1]}"
        remarks.warnings += [line] if line not in remarks.warnings else []  # val is often train again
    return located
