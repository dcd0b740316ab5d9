"""Reading data sets stored as arrays: CIFAR's binary version, MNIST's idx files, Keras' .npz.

Files are told by their first bytes. Nothing is unpickled: CIFAR's "python version" is refused.
"""

import math
import os
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from kerazoo.data.source import Split, existing_path
from kerazoo.data.splits import split_in_name, split_of
from kerazoo.errors import UserError
from kerazoo.files.reading import (
    is_file,
    list_folder,
    npz_names,
    open_file,
    read_bytes,
    read_gunzipped,
    read_npz,
    read_text,
)

Kind = Literal["cifar", "idx", "npz", "pickle"]

LARGEST = 2**31
"""Bytes that a file may unpack to, or four times its own size where that is more: a small file is no bomb."""

MOST_CLASSES = 2**20
"""Labels are below it: each class has a name, whether there are images of it or not."""

FINE_NAMES = "fine_label_names.txt"
"""Where CIFAR-100 has the names of its labels."""

CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_REMEDY = (
    "give a folder of images per class, CIFAR's binary version, MNIST's idx files, "
    "or an .npz of x_train, y_train, x_test, y_test"
)
_IDX = {b"\0\0\x08\x01": 1, b"\0\0\x08\x03": 3, b"\0\0\x08\x04": 4}
"""First bytes of an idx file of bytes -> number of its axes."""


class LabelledArrays(NamedTuple):
    """Images uint8 `(N, H, W)`, `(N, H, W, 1)` or `(N, H, W, 3)` and their labels, int64 `(N,)`."""

    images: np.ndarray
    labels: np.ndarray


def holds_arrays(path: Path) -> bool:
    """Whether a path is a file, or a folder of array files without sub-folders."""
    if not os.path.isdir(path):
        return is_file(path)
    inside = list_folder(path)
    return not any(p.is_dir() for p in inside) and any(_file_kind(p) for p in inside if p.is_file())


def read_arrays(path: Path) -> tuple[dict[Split, LabelledArrays], tuple[str, ...]]:
    """Return the arrays of every split in the files, and the class names if the files have them.

    Args:
        path: one file, or a folder of files of one kind.

    Raises:
        UserError: missing, of no known kind or of several, pickled, damaged, contradictory, or a file that
            unpacks to more than `LARGEST`.
    """
    kinds = {file: kind for file in array_files(path) if (kind := _file_kind(file))}
    if len(set(kinds.values())) != 1:
        contents = "several kinds of arrays" if kinds else "no arrays of a known kind"
        raise UserError(f"{path} holds {contents}", _REMEDY)
    (kind,) = set(kinds.values())
    if kind == "pickle":
        raise UserError(
            f"{next(iter(kinds))} is a pickle, which could execute anything",
            "get CIFAR's binary version, cifar-10-binary.tar.gz or cifar-100-binary.tar.gz, and unpack it",
        )
    read = {"cifar": _read_cifar, "idx": _read_idx, "npz": _read_npz}[kind]
    by_split, names = read(list(kinds), path)
    return {split: _check_arrays(stored, f"{path} ({split})") for split, stored in by_split.items()}, names


def array_files(path: Path) -> list[Path]:
    """Return the files that `read_arrays` reads; a .gz file is left out if it is there unpacked, too.

    Raises:
        UserError: there is nothing.
    """
    if is_file(existing_path(path)):
        return [path]
    if not os.path.isdir(path):
        raise UserError(f"{path} is no file", _REMEDY)
    inside = [p for p in list_folder(path) if p.is_file() and (_file_kind(p) or p.name == FINE_NAMES)]
    return [p for p in inside if p.suffix != ".gz" or p.with_suffix("") not in inside]


def _file_kind(path: Path) -> Kind | None:
    """Return the kind of a file by its first bytes (CIFAR's have no signature: by name and size)."""
    start = _first_bytes(path)
    if start in _IDX:
        return "idx"
    if start == b"PK\3\4" and npz_names(path):
        return "npz"
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "pickle"
    size = path.stat().st_size
    return "cifar" if path.suffix == ".bin" and size and not (size % 3073 and size % 3074) else None


def _first_bytes(path: Path) -> bytes:
    """Return the first four bytes of a file, unpacked; none if it is damaged (reported later)."""
    with open_file(path) as file:
        start = file.read(1024)
    if start[:2] != b"\x1f\x8b":
        return start[:4]
    try:
        return zlib.decompressobj(wbits=31).decompress(start, 4)
    except zlib.error:
        return b""


def _unpacked_limit(path: Path) -> int:
    """Return the largest number of bytes that a file may unpack to."""
    return max(LARGEST, 4 * path.stat().st_size)


def _read_cifar(files: list[Path], path: Path) -> tuple[dict[Split, LabelledArrays], tuple[str, ...]]:
    """Read records of one label byte (CIFAR-10) or two (CIFAR-100: coarse, fine) and 3 x 32 x 32 bytes."""
    contents = [np.frombuffer(read_bytes(file, _unpacked_limit(file)), "uint8") for file in files]
    width = next((w for w in (3073, 3074) if not any(len(data) % w for data in contents)), None)
    if width is None:
        raise UserError(f"{path} holds files that are neither all CIFAR-10's nor all CIFAR-100's", _REMEDY)
    parts: dict[Split, list[np.ndarray]] = {}
    for file, content in zip(files, contents, strict=True):
        parts.setdefault(split_in_name(file.name) or "train", []).append(content.reshape(-1, width))
    by_split = {}
    for split, records in parts.items():
        all_records = np.concatenate(records)
        images = all_records[:, -3072:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        by_split[split] = LabelledArrays(images, all_records[:, width - 3073].astype("int64"))
    names = files[0].with_name(FINE_NAMES)
    if width == 3073:
        return by_split, CIFAR_10
    return by_split, tuple(read_text(names).split()) if is_file(names) else ()


def _read_idx(files: list[Path], path: Path) -> tuple[dict[Split, LabelledArrays], tuple[str, ...]]:
    """Read pairs of a file of images and a file of labels."""
    parts: dict[tuple[Split, bool], np.ndarray] = {}
    for file in files:
        array = _read_idx_array(file)
        key = split_in_name(file.name) or "train", array.ndim > 1
        if key in parts:
            what = "images" if key[1] else "labels"
            raise UserError(f"{file} is a second file of {what} for {key[0]}", "keep one of them")
        parts[key] = array
    splits = {split for split, _ in parts}
    for split in splits:
        for images, what in ((True, "images"), (False, "labels")):
            if (split, images) not in parts:
                raise UserError(f"{path} has no file of {what} for {split}", _REMEDY)
    return {
        split: LabelledArrays(parts[split, True], parts[split, False].astype("int64")) for split in splits
    }, ()


def _read_idx_array(path: Path) -> np.ndarray:
    content = read_gunzipped(path, _unpacked_limit(path))
    axes = _IDX.get(content[:4], 0)
    begin = 4 + 4 * axes
    shape = [int.from_bytes(content[offset : offset + 4], "big") for offset in range(4, begin, 4)]
    if not axes or len(content) != begin + math.prod(shape):
        message = f"{path} has {len(content)} bytes, its header tells another number"
        raise UserError(message, "the file is damaged: download it again")
    return np.frombuffer(content, "uint8", offset=begin).reshape(shape)


def _read_npz(files: list[Path], path: Path) -> tuple[dict[Split, LabelledArrays], tuple[str, ...]]:
    if len(files) > 1:
        raise UserError(f"{path} holds several .npz files", "give one of them")
    (file,) = files
    names_by_split = _array_names_by_split(file)
    missing = [f"y_{split}" for split, kinds in names_by_split.items() if "y" not in kinds]
    if not names_by_split or missing:
        message = f"{file} has no {', '.join(missing) or 'x_train'}, only {', '.join(npz_names(file)[:8])}"
        raise UserError(message, _REMEDY)
    wanted = {name: "biuf" for kinds in names_by_split.values() for name in kinds.values()}
    arrays = read_npz(file, wanted, _unpacked_limit(file))
    return {
        split: LabelledArrays(arrays[kinds["x"]], arrays[kinds["y"]])
        for split, kinds in names_by_split.items()
    }, ()


def _array_names_by_split(file: Path) -> dict[Split, dict[str, str]]:
    """Return the names of the arrays `x` and `y` of every split with images, such as `x_train`."""
    names: dict[Split, dict[str, str]] = {}
    for name in npz_names(file):
        kind, _, rest = name.casefold().partition("_")
        split = split_of(rest)
        if split is None or kind not in ("x", "y"):
            continue
        other = names.setdefault(split, {}).setdefault(kind, name)
        if other != name:
            raise UserError(f"{file} has {other} and {name}, both of {split}", "keep one of them")
    return {split: kinds for split, kinds in names.items() if "x" in kinds}


def _check_arrays(stored: LabelledArrays, what: str) -> LabelledArrays:
    """Return the arrays with labels as int64 `(N,)`; raise if they are invalid."""
    images, labels = stored
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if images.dtype != np.uint8 or not np.issubdtype(labels.dtype, np.integer):
        contents = f"images {images.dtype} and labels {labels.dtype}"
        raise UserError(f"{what} holds {contents}", "save images as uint8, 0..255, and labels as integers")
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] not in (1, 3)):
        raise UserError(
            f"{what} holds images of shape {images.shape}", "save them as (N, H, W) or (N, H, W, 3)"
        )
    if labels.shape != images.shape[:1] or not len(labels):
        contents = f"{len(images)} images and labels of shape {labels.shape}"
        raise UserError(f"{what} holds {contents}", "save one label for each image")
    if labels.min() < 0:
        raise UserError(f"{what} holds the label {labels.min()}", "number the classes from 0")
    if labels.max() >= MOST_CLASSES:
        message = f"{what} holds the label {labels.max()}, and fewer than {MOST_CLASSES} classes are read"
        raise UserError(message, "number the classes from 0, one after the other")
    return LabelledArrays(images, labels.astype("int64"))
