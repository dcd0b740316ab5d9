"""Pascal VOC's lists of the images of each split, such as `ImageSets/Main/train.txt`."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from kerazoo.data.annotations import Remarks, entry_errors
from kerazoo.data.detection.layout import Key, left_out_warnings, path_key, whole_key
from kerazoo.data.source import Split
from kerazoo.data.splits import split_of
from kerazoo.errors import UserError
from kerazoo.files.reading import read_text

_FLAGS = ("-1", "0", "1")
"""What may follow a name: whether the image shows a class."""


def read_image_sets(
    root: Path, files: Sequence[Path], images: Sequence[Path], remarks: Remarks
) -> tuple[dict[Split, list[Path]], list[Path]]:
    """Return the images that lists name, by split, and the lists; nothing if there are none.

    The lists are in `ImageSets/Main/` or else in `ImageSets/`, in the folder or deeper: `VOCdevkit/` has a
    data set of each year. Their names are of images beside that `ImageSets/`.

    Args:
        root: the folder.
        files: all in it.
        images: those of them that are images.
        remarks: gets what is wrong.
    """
    texts = [file for file in files if file.suffix.lower() == ".txt"]
    folders = {
        folder: None
        for file in texts
        for folder in file.parents
        if folder.name.casefold() == "imagesets" and folder.is_relative_to(root)
    }
    listed: dict[Split, list[Path]] = {}
    used: list[Path] = []
    for folder in folders:
        lists = _split_lists([file for file in texts if file.is_relative_to(folder)], folder)
        if not lists:
            remarks.warnings.append(
                f"{folder}: no list is called train.txt, val.txt or test.txt: none is read"
            )
        inside = _by_key([image for image in images if image.is_relative_to(folder.parent)], folder.parent)
        for split, file in lists.items():
            listed.setdefault(split, []).extend(_listed_images(file, *inside, remarks))
            used.append(file)
    if used:
        named = [image for part in listed.values() for image in part]
        remarks.warnings += left_out_warnings(used, images, named)
    return {split: list(dict.fromkeys(part)) for split, part in listed.items()}, used


def _split_lists(texts: Sequence[Path], folder: Path) -> dict[Split, Path]:
    """Return the lists of the splits; `trainval.txt` is train's where there is neither train nor val."""
    in_main = [text for text in texts if text.parent.parent == folder and text.parent.name.lower() == "main"]
    for group in (in_main, [text for text in texts if text.parent == folder]):
        lists: dict[Split, Path] = {}
        for file in group:
            if (split := split_of(file.stem)) in lists:
                raise UserError(f"{lists[split]} and {file} are both lists of {split}", "keep one of them")
            lists |= {split: file} if split else {}
        both = [file for file in group if file.stem.casefold() == "trainval"]
        if both and not lists.keys() & {"train", "val"}:
            lists = {"train": both[0], **lists}
        if lists:
            return lists
    return {}


def _by_key(images: Sequence[Path], base: Path) -> tuple[dict[Key, list[Path]], dict[Key, list[Path]]]:
    """Return images by their keys, with and without suffix, and by every end of these."""
    whole, ends = defaultdict[Key, list[Path]](list), defaultdict[Key, list[Path]](list)
    for image in images:
        for key in (path_key(image, base), whole_key(image.relative_to(base))):
            whole[key].append(image)
            for first in range(len(key)):
                ends[key[first:]].append(image)
    return whole, ends


def _listed_images(
    file: Path, whole: dict[Key, list[Path]], ends: dict[Key, list[Path]], remarks: Remarks
) -> list[Path]:
    """Return the images that a list names, one in each line; a flag may follow it."""
    images, wrong = [], list[tuple[object, str]]()
    for number, line in enumerate(read_text(file).splitlines(), 1):
        name, _, flag = line.strip().replace("\t", " ").rpartition(" ")
        # "photo 1" is an image of that name if there is one, or else the image "photo" with a flag.
        names = [line.strip(), *([name.strip()] if name and flag in _FLAGS else [])]
        if not names[0]:
            continue
        keys = [whole_key(path) for text in names if (path := _inner_path(text)).parts]
        found = next(filter(None, (whole.get(key) or ends.get(key) for key in keys)), [])
        if len(found) == 1:
            images.append(found[0])
        elif found:
            wrong.append((number, f"names {names[0]!r:.80}, which may be {found[0]} or {found[1]}"))
        else:
            wrong.append((number, f"names {names[0]!r:.80}, and there is no such image"))
    remarks.problems += entry_errors(file, "line", wrong)
    return images


def _inner_path(text: str) -> PurePosixPath:
    parts = text.replace("\\", "/").split("/")
    return PurePosixPath(*(part for part in parts if part not in ("", ".", "..")))
