"""Which format of boxes a folder has, and which images and files of boxes belong together."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Literal, get_args

from kerazoo.data.annotations import Remarks, annotation_files
from kerazoo.data.source import Split, existing_path
from kerazoo.data.splits import splits_by_name
from kerazoo.errors import UserError
from kerazoo.files.listing import list_files
from kerazoo.files.writing import natural_key

Format = Literal["coco", "voc", "yolo"]

_CLASS_LISTS = ("classes.txt", "obj.names", "classes.names")
"""What a list of YOLO's classes may be called, a name in each line."""

DARKNET = "obj.data"
"""Darknet's file of settings, which names the list of classes and those of the splits."""

_NOTES = ("readme", "license", "licence")
"""What text beside boxes is called that is about them."""

_CONTENT = frozenset({
    "annotation", "annotations", "annots", "image", "images", "imgs", "jpegimages", "label", "labels", "xml",
    "xmls",
})  # fmt: skip
"""Folders that are called after what they hold: `images/b/a.jpg` and `labels/b/a.txt` have one key."""

Key = tuple[str, ...]
"""A path without its suffix and without folders of `_CONTENT`."""

_EXPECTED = (
    "give COCO's JSON (train.json, annotations/instances_train2017.json), Pascal VOC's XML (Annotations/ "
    "beside JPEGImages/) or YOLO's text (labels/ beside images/, with data.yaml or classes.txt)"
)


def recognise(root: Path, chosen: Format | None) -> Format:
    """Return the format of the boxes at `root`.

    Args:
        root: a folder, or a `.json` or `.yaml` file.
        chosen: what the user says, or None.

    Raises:
        UserError: there are none, or of several formats.
    """
    if not existing_path(root).is_dir():
        by_suffix: dict[str, Format] = {".json": "coco", ".yaml": "yolo", ".yml": "yolo"}
        if root.suffix.lower() not in by_suffix:
            raise UserError(f"{root} holds no boxes", _EXPECTED)
        return chosen or by_suffix[root.suffix.lower()]
    if chosen:
        return chosen
    files = list_files(root)
    found: dict[Format, bool] = {
        "coco": _has_coco(root),
        "voc": any(file.suffix.lower() == ".xml" for file in files),
        "yolo": any(_is_of_yolo(file, root) for file in files),
    }
    formats = [name for name in get_args(Format) if found[name]]
    if not formats and any(file.suffix.lower() == ".json" for file in files):
        annotation_files(root, Remarks(), "instances")  # says what its files should be called
    if not formats:
        raise UserError(f"{root} holds no boxes", _EXPECTED)
    if len(formats) > 1:
        message = f"{root} has files of boxes as {' and as '.join(formats)} write them"
        raise UserError(message, f"choose one with --set data.format={formats[0]}")
    return formats[0]


def _has_coco(root: Path) -> bool:
    try:
        return bool(annotation_files(root, Remarks(), "instances"))
    except UserError:
        return False


def _is_of_yolo(file: Path, root: Path) -> bool:
    settings = file.name in (DARKNET, "data.yaml")
    return settings or is_class_list(file) or is_label_file(file, root)


def is_class_list(file: Path) -> bool:
    """Whether a file is called as a list of YOLO's classes."""
    return file.name.casefold() in _CLASS_LISTS


def is_label_file(file: Path, root: Path) -> bool:
    """Whether a file is a text of boxes by its name and its folder `labels/`."""
    if file.suffix.lower() != ".txt" or is_class_list(file) or file.name.casefold().startswith(_NOTES):
        return False
    return "labels" in map(str.casefold, file.relative_to(root).parts[:-1])


def path_key(path: Path, root: Path) -> Key:
    """Return what an image and its file of boxes have in common.

    >>> path_key(Path("d/images/train/a.jpg"), Path("d")), path_key(Path("d/Annotations/a.xml"), Path("d"))
    (('train', 'a'), ('a',))
    """
    return whole_key(path.relative_to(root).with_suffix(""))


def whole_key(path: PurePath) -> Key:
    """Return the key of a path inside of a data set with the suffix, if it has one."""
    *folders, name = path.parts
    parts = [folder for folder in folders if folder.casefold() not in _CONTENT]
    return tuple(unicodedata.normalize("NFC", part) for part in (*parts, name))


def pair_files(
    images: Sequence[Path], files: Sequence[Path], root: Path, remarks: Remarks
) -> tuple[dict[Path, Path], list[Path]]:
    """Return the file of boxes of each image that has one, and the files that belong to no image.

    They have the same key (`path_key`), or else a name that no other image has; what lies in the folders of
    two splits is never of each other. The file of `a.jpg` may also be `a.jpg.xml`.
    """
    by_key, by_name = defaultdict[Key, list[Path]](list), defaultdict[str, list[Path]](list)
    keys = {path: path_key(path, root) for path in (*images, *files)}
    splits = splits_by_name({folder for key in keys.values() for folder in key[:-1]})
    split_of = {path: next(filter(None, map(splits.get, key[:-1])), None) for path, key in keys.items()}
    for image in images:
        for key in (keys[image], whole_key(image.relative_to(root))):
            by_key[key].append(image)
            by_name[key[-1]].append(image)
    pairs: dict[Path, Path] = {}
    lonely = []
    for file in files:
        candidates = by_key.get(keys[file]) or [
            image for image in by_name.get(keys[file][-1], [])
            if split_of[image] == split_of[file] or None in (split_of[image], split_of[file])
        ]  # fmt: skip
        if not candidates:
            lonely.append(file)
        elif len(candidates) > 1:
            remarks.problems.append(shared_file_error(file, candidates))
        elif candidates[0] in pairs:
            names = f"{pairs[candidates[0]]} and {file}"
            remarks.problems.append(UserError(f"{names} are both of {candidates[0]}", "keep one of them"))
        else:
            pairs[candidates[0]] = file
    return pairs, lonely


def shared_file_error(file: Path, images: Sequence[Path]) -> UserError:
    """Return the error for a file of boxes that several images may have."""
    return UserError(
        f"{file} may be of {' and '.join(map(str, images[:2]))}", "give each image a name of its own"
    )


def left_out_warnings(lists: Sequence[Path], images: Iterable[Path], listed: Iterable[Path]) -> list[str]:
    """Return a warning about images that no list of a split names; an empty list if there are none."""
    count = len({*images} - {*listed})
    return [f"{lists[0].parent}: {count} image(s) are in none of its lists and are left out"] if count else []


def by_split_folder(images: Iterable[Path], root: Path, remarks: Remarks) -> dict[Split, list[Path]]:
    """Return images by the folder of a split that they lie in; all are train where there is none.

    The folders may be at any depth, all at the same; what lies beside them is left out with a warning.
    """
    keys = {image: path_key(image, root) for image in sorted(images, key=natural_key)}
    deepest = max(map(len, keys.values()), default=1)
    for depth in range(deepest - 1):
        splits = splits_by_name({key[depth] for key in keys.values() if len(key) > depth + 1})
        if not splits:
            continue
        by_split: dict[Split, list[Path]] = {}
        outside = list[Path]()
        for image, key in keys.items():
            split = splits.get(key[depth]) if len(key) > depth + 1 else None
            (by_split.setdefault(split, []) if split else outside).append(image)
        if outside:
            names = " and ".join(sorted(splits))
            message = f"{len(outside)} image(s), such as {outside[0]}, are left out"
            remarks.warnings.append(f"{root}: only what lies in {names} is read: {message}")
        return by_split
    return {"train": list(keys)}


def unlabelled_errors(images: Sequence[Path], remedy: str) -> list[UserError]:
    """Return an error for images without a file of boxes, if there are any."""
    if not images:
        return []
    more = f" ({len(images) - 1} more images have none)" if len(images) > 1 else ""
    return [UserError(f"{images[0]} has no file of boxes{more}", remedy)]


def lonely_errors(files: Sequence[Path]) -> list[UserError]:
    """Return an error for each file of boxes without an image."""
    return [UserError(f"{file} has no image", "add the image or remove the file") for file in files]
