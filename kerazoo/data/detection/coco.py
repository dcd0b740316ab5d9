"""Reading COCO's instances."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerazoo.data.annotations import (
    MANY,
    Ids,
    Key,
    ListedImage,
    Remarks,
    annotation_files,
    category_names,
    entry_errors,
    images_by_key,
    number_array,
    parse_flags,
    parse_key,
)
from kerazoo.data.detection.annotated import AnnotatedImage, BoxRows, Reading
from kerazoo.data.image_paths import locate_images
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files.reading import read_json
from kerazoo.image import image_size
from kerazoo.media.pixels import ImageReading
from kerazoo.structures.boxes import from_xywh

_PARTS = ("images", "annotations", "categories")


class _File(NamedTuple):
    """A decoded file; `names` are those of its categories by id."""

    path: Path
    content: dict[str, Any]
    names: dict[Key, str]


class _Annotation(NamedTuple):
    """An annotation of a known image and class; `name` is its id or its number."""

    entry: dict[str, Any]
    name: object
    image: Key
    label: int


def read_coco(root: Path, images: str | None, how: ImageReading, remarks: Remarks) -> Reading:
    """Return the boxes of a JSON file, or of those of the splits in a folder.

    Classes are the categories of the training file in the order of their ids; other files may have other
    ids for the same names.

    Args:
        root: the file or the folder (`kerazoo.data.annotations.annotation_files`).
        images: the folder of the images, or None where it is to be found.
        how: the images are read, for those whose size is not told.
        remarks: gets what is wrong.
    """
    files: dict[Split, _File] = {}
    paths = annotation_files(root, remarks, "instances")
    for split, path in paths.items():
        try:
            files[split] = _decode(path, remarks)
        except UserError as error:
            remarks.problems.append(error)
    first = files.get("train") or next(iter(files.values()), None)
    if first is None:
        raise remarks.problems[0]
    keys = sorted(first.names, key=lambda key: (isinstance(key, str), key))
    names = tuple(dict.fromkeys(first.names[key] for key in keys))
    splits = {split: _read_images(file, names, images, how, remarks) for split, file in files.items()}
    categories = {split: _category_ids(file, names) for split, file in files.items()}
    return Reading(splits, names, list(paths.values()), categories)


def _decode(path: Path, remarks: Remarks) -> _File:
    content = read_json(path)
    parts = content if isinstance(content, dict) else {}
    missing = [part for part in _PARTS if not isinstance(parts.get(part), list)]
    if missing:
        raise UserError(f"{path} has no list {' and no list '.join(missing)}", "export it in COCO's form")
    named = category_names(content["categories"], path)
    nameless = [str(key) for key, name in named.items() if not name]
    if nameless:
        message = f"{path}: the category of id {', '.join(nameless[:MANY])} has no text as its name"
        raise UserError(message, "name every category: names are the classes")
    names = _without_groups(named, content, path, remarks)
    if not names:
        raise UserError(f"{path} has no categories", "export it in COCO's form")
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    remarks.warnings += [
        f"{path}: several categories are called {name!r} and taken for one" for name in twice
    ]
    return _File(path, content, names)


def _without_groups(
    names: dict[Key, str], content: dict[str, Any], path: Path, remarks: Remarks
) -> dict[Key, str]:
    """Return the categories without those that are groups of others and have no annotation themselves."""
    groups = {
        str(category.get("supercategory")) for category in content["categories"] if isinstance(category, dict)
        if category.get("supercategory") != category.get("name")
    }  # fmt: skip
    used = {
        parse_key(entry.get("category_id")) for entry in content["annotations"] if isinstance(entry, dict)
    }
    left_out = {key: name for key, name in names.items() if name in groups and key not in used}
    if left_out:
        listed = ", ".join(left_out.values())[:200]
        remarks.warnings.append(
            f"{path}: the category {listed} is the supercategory of others and is no class"
        )
    return {key: name for key, name in names.items() if key not in left_out}


def _category_ids(file: _File, names: Sequence[str]) -> tuple[Key, ...]:
    """Return the id of each class; a negative number for those that the file does not have."""
    ids: dict[str, Key] = {}
    for key, name in file.names.items():
        ids.setdefault(name, key)
    return tuple(ids.get(name, -1 - label) for label, name in enumerate(names))


def _read_images(
    file: _File, names: Sequence[str], chosen: str | None, how: ImageReading, remarks: Remarks
) -> list[AnnotatedImage]:
    """Return the images of a file that exist, with their boxes."""
    listed = images_by_key(file.content["images"], file.path, remarks)
    folder, paths = locate_images(file.path, [image.name for image in listed.values()], chosen, remarks)
    by_image = _rows_by_image(file, listed, names, remarks)
    images = []
    for (key, image), name in zip(listed.items(), paths, strict=True):
        if name is None:
            continue
        try:
            size = image.size or image_size(folder / name, how)
        except UserError as error:
            remarks.problems.append(error)
            continue
        images.append(AnnotatedImage(folder / name, name, file.path, size, by_image[key], key))
    return images


def _rows_by_image(
    file: _File, images: dict[Key, ListedImage], names: Sequence[str], remarks: Remarks
) -> dict[Key, BoxRows]:
    """Return the sound annotations of each image; the others become problems."""
    chosen = _select(file, images, names, remarks)
    entries = [annotation.entry for annotation in chosen]
    boxes, of_four = number_array([entry.get("bbox") for entry in entries], 4)
    crowd, odd = parse_flags([entry.get("iscrowd", 0) for entry in entries])
    difficult, _ = parse_flags([entry.get("difficult", 0) for entry in entries])
    areas = number_array([[entry.get("area")] for entry in entries], 1)[0][:, 0]
    areas[~(areas > 0)] = np.nan
    unsound = ~of_four | np.isnan(boxes).any(axis=1)
    wrong: list[tuple[object, str]] = [
        (
            annotation.name,
            "has an iscrowd other than 0 and 1" if is_odd else "has no bbox of four finite numbers",
        )
        for annotation, is_odd, is_unsound in zip(chosen, odd, unsound, strict=True)
        if is_odd or is_unsound
    ]
    remarks.problems += entry_errors(file.path, "annotation", wrong)
    by_image = defaultdict[Key, list[int]](list)
    for index in np.flatnonzero(~(odd | unsound)).tolist():
        by_image[chosen[index].image].append(index)
    labels = np.array([annotation.label for annotation in chosen], "int32")
    places = tuple(f"annotation {annotation.name}" for annotation in chosen)
    every = BoxRows(from_xywh(boxes), labels, crowd, difficult, areas, places)
    return {key: every.take(by_image[key]) for key in images}


def _select(
    file: _File, images: dict[Key, ListedImage], names: Sequence[str], remarks: Remarks
) -> list[_Annotation]:
    """Return the annotations of known images and classes; the others become problems."""
    categories, keys = Ids(file.names), Ids(images)
    labels = {name: label for label, name in enumerate(names)}
    chosen, seen = [], set[Key]()
    wrong: list[tuple[object, str]] = []
    for number, entry in enumerate(file.content["annotations"], 1):
        own = parse_key(entry.get("id")) if isinstance(entry, dict) else None
        name = f"number {number}" if own is None else own
        if not isinstance(entry, dict):
            wrong.append((name, "is no object"))
        elif own is not None and own in seen:
            wrong.append((name, "is there twice"))
        elif (kind := categories.find(entry.get("category_id"))) is None:
            wrong.append((name, f"is of the unknown category {entry.get('category_id')!r:.80}"))
        elif file.names[kind] not in labels:
            reason = f"is of the category {file.names[kind]!r:.80}, which is not among those of train"
            wrong.append((name, reason))
        elif (image := keys.find(entry.get("image_id"))) is None:
            wrong.append((name, f"is of the unknown image {entry.get('image_id')!r:.80}"))
        else:
            chosen.append(_Annotation(entry, name, image, labels[file.names[kind]]))
        seen |= set() if own is None else {own}
    remarks.problems += entry_errors(file.path, "annotation", wrong)
    return chosen
