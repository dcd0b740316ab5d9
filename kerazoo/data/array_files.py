"""Reading data sets that come as arrays: CIFAR's binary version, MNIST's idx files, Keras' .npz.

Files are told by their first bytes. Nothing is unpickled: CIFAR's "python version" is refused.
"""

import gzip
import math
import zipfile
import zlib
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files import natural

Kind = Literal["cifar", "idx", "npz", "pickle"]

CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_REMEDY = "give CIFAR's binary version, MNIST's idx files, or an .npz of x_train, y_train, x_test, y_test"
_IDX = {b"\0\0\x08\x01": 1, b"\0\0\x08\x03": 3, b"\0\0\x08\x04": 4}
"""First bytes of an idx file of bytes -> number of its axes."""


class Stored(NamedTuple):
    """Images uint8 `(N, H, W)`, `(N, H, W, 1)` or `(N, H, W, 3)` and their labels, int64 `(N,)`."""

    images: np.ndarray
    labels: np.ndarray


def holds_arrays(path: Path) -> bool:
    """Whether a path is a file, or a folder of array files without sub-folders."""
    if not path.is_dir():
        return path.is_file()
    inside = [p for p in path.iterdir() if not p.name.startswith(".")]
    return not any(p.is_dir() for p in inside) and any(_kind(p) for p in inside)


def read_arrays(path: Path) -> tuple[dict[Split, Stored], tuple[str, ...]]:
    """Return the arrays of each split that is there, and the class names where they are known.

    Args:
        path: one file, or a folder of files of one kind.

    Raises:
        UserError: missing, of no known kind or of several, pickled, damaged, or contradictory.
    """
    files = _files(path)
    kinds = {file: kind for file in files if (kind := _kind(file))}
    if len(set(kinds.values())) != 1:
        told = "several kinds of arrays" if kinds else "no arrays of a known kind"
        raise UserError(f"{path} holds {told}", _REMEDY)
    (kind,) = set(kinds.values())
    if kind == "pickle":
        raise UserError(
            f"{next(iter(kinds))} is a pickle, which could execute anything",
            "get CIFAR's binary version, cifar-10-binary.tar.gz or cifar-100-binary.tar.gz, and unpack it",
        )
    read = {"cifar": _cifar, "idx": _idx, "npz": _npz}[kind]
    try:
        found, names = read(list(kinds))
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}", "the file is damaged: download it again") from None
    return {split: _checked(stored, f"{path} ({split})") for split, stored in found.items()}, names


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError(f"{path} does not exist", _REMEDY)
    if path.is_file():
        return [path]
    inside = [p for p in sorted(path.iterdir(), key=natural) if p.is_file() and not p.name.startswith(".")]
    return [p for p in inside if p.suffix != ".gz" or p.with_suffix("") not in inside]


def _kind(path: Path) -> Kind | None:
    """Return what a file holds by its first bytes (CIFAR's have no mark: by name and size)."""
    start = _start(path)
    if start in _IDX:
        return "idx"
    if start.startswith(b"PK\3\4") and _members(path):
        return "npz"
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "pickle"
    size = path.stat().st_size
    return "cifar" if path.suffix == ".bin" and size and not (size % 3073 and size % 3074) else None


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                return packed.read(4)
    except (OSError, EOFError, zlib.error):  # told when it is read
        return b""
    return start


def _members(path: Path) -> list[str]:
    """Return the names of the arrays in a zip file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (OSError, zipfile.BadZipFile):
        return []


def _split(path: Path) -> Split:
    name = path.name.lower()
    return "test" if "test" in name or "t10k" in name else "val" if "val" in name else "train"


def _cifar(files: list[Path]) -> tuple[dict[Split, Stored], tuple[str, ...]]:
    """Read records of one label byte (CIFAR-10) or two (CIFAR-100: coarse, fine) and 3 x 32 x 32 bytes."""
    sizes = [file.stat().st_size for file in files]
    width = next((w for w in (3073, 3074) if not any(size % w for size in sizes)), None)
    if width is None:
        raise ValueError("its files are neither all CIFAR-10's nor all CIFAR-100's")
    parts: dict[Split, list[np.ndarray]] = {}
    for file in files:
        parts.setdefault(_split(file), []).append(np.fromfile(file, "uint8").reshape(-1, width))
    found = {}
    for split, records in parts.items():
        all_records = np.concatenate(records)
        images = all_records[:, -3072:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        found[split] = Stored(images, all_records[:, width - 3073].astype("int64"))
    names = files[0].with_name("fine_label_names.txt")
    if width == 3073:
        return found, CIFAR_10
    return found, tuple(names.read_text(encoding="utf-8").split()) if names.is_file() else ()


def _idx(files: list[Path]) -> tuple[dict[Split, Stored], tuple[str, ...]]:
    """Read pairs of an images file and a labels file."""
    parts: dict[tuple[Split, bool], np.ndarray] = {}
    for file in files:
        array = _idx_array(file)
        key = _split(file), array.ndim > 1
        if key in parts:
            raise ValueError(
                f"{file.name} is a second file of {'images' if key[1] else 'labels'} for {key[0]}"
            )
        parts[key] = array
    splits = {split for split, _ in parts}
    for split in splits:
        for images, what in ((True, "images"), (False, "labels")):
            if (split, images) not in parts:
                raise ValueError(f"there is no file of {what} for {split}")
    return {split: Stored(parts[split, True], parts[split, False].astype("int64")) for split in splits}, ()


def _idx_array(path: Path) -> np.ndarray:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        content = file.read()
    axes = _IDX[content[:4]]
    shape = np.frombuffer(content, ">u4", axes, 4).astype(int).tolist()
    if len(content) != 4 + 4 * axes + math.prod(shape):
        raise ValueError(f"{path.name} has {len(content)} bytes, its header tells another number")
    return np.frombuffer(content, "uint8", offset=4 + 4 * axes).reshape(shape)


def _npz(files: list[Path]) -> tuple[dict[Split, Stored], tuple[str, ...]]:
    if len(files) > 1:
        raise ValueError("there are several .npz files: give one of them")
    with np.load(files[0], allow_pickle=False) as archive:
        splits = [split for split in get_args(Split) if f"x_{split}" in archive.files]
        lacking = [f"y_{split}" for split in splits if f"y_{split}" not in archive.files]
        if not splits or lacking:
            raise ValueError(f"it has no {', '.join(lacking) or 'x_train'}, only {', '.join(archive.files)}")
        found = {split: Stored(archive[f"x_{split}"], archive[f"y_{split}"]) for split in splits}
    return found, ()


def _checked(stored: Stored, what: str) -> Stored:
    """Return arrays of one sample per row, or tell what is wrong with them."""
    images, labels = stored
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if images.dtype != np.uint8 or not np.issubdtype(labels.dtype, np.integer):
        told = f"images {images.dtype} and labels {labels.dtype}"
        raise UserError(f"{what} holds {told}", "save images as uint8, 0..255, and labels as integers")
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] not in (1, 3)):
        raise UserError(
            f"{what} holds images of shape {images.shape}", "save them as (N, H, W) or (N, H, W, 3)"
        )
    if labels.shape != images.shape[:1] or not len(labels):
        told = f"{len(images)} images and labels of shape {labels.shape}"
        raise UserError(f"{what} holds {told}", "save one label for each image")
    if labels.min() < 0:
        raise UserError(f"{what} holds the label {labels.min()}", "number the classes from 0")
    return Stored(images, labels.astype("int64"))
