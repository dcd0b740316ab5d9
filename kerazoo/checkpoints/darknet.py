"""Darknet's `.weights`: a header and float32 values one after the other, without names and shapes.

| bytes | holds |
|---|---|
| 12 | int32 major, minor and revision of the format |
| 8, of version 0.1 4 | how many images the training saw |
| the rest | of each layer of the cfg: offsets, scales, means, variances and kernel, or biases and kernel |

All little-endian (AlexeyAB/darknet, src/parser.c).
"""

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kerazoo.errors import UserError
from kerazoo.files.reading import open_file
from kerazoo.files.writing import atomic_file

KEY = "darknet"
"""What `read_values` calls the values."""

VERSION = (0, 2, 5)
"""Of the files that are written."""

_VERSIONS = ((0, 1), (0, 2))
"""Major and minor of the files that are read; later ones would keep kernels transposed."""


def is_weights(path: Path) -> bool:
    """Whether a file begins like darknet's weights."""
    with open_file(path) as file:
        start = file.read(12)
    return len(start) == 12 and struct.unpack("<3i", start)[:2] in _VERSIONS


def read_values(path: Path) -> dict[str, np.ndarray]:
    """Return `{"darknet": float32 (n,)}`, all values of a file.

    Raises:
        UserError: it ends within a value, or holds none.
    """
    with open_file(path) as file:
        major, minor, _ = struct.unpack("<3i", file.read(12))
        file.read(8 if major * 10 + minor >= 2 else 4)
        content = file.read()
    if not content or len(content) % 4:
        raise UserError(f"{path} is truncated: it ends within a value", "get the file again")
    return {KEY: np.frombuffer(content, "<f4")}


def write_values(path: str | Path, arrays: Iterable[np.ndarray], seen: int = 0) -> None:
    """Write arrays one after the other, as float32.

    Args:
        path: of the file.
        arrays: of any shape, row by row.
        seen: images that the training saw.

    Raises:
        UserError: it cannot be written.
    """
    with atomic_file(Path(path)) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<3iQ", *VERSION, seen))
        for array in arrays:
            file.write(np.ascontiguousarray(array, "<f4").tobytes())
