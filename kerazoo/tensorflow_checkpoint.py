"""The variables of a TensorFlow checkpoint, read without TensorFlow; nothing is executed.

NAME.index is a sorted table in LevelDB's format (table_format.md of that project), uncompressed as
TensorFlow writes it, of `BundleEntryProto` messages (tensor_bundle.proto): where in NAME.data-00000-of-00001
each variable's bytes are.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerazoo.frozen_graph import Fields, fields, integer, last

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
"""The last bytes of a table."""

FOOTER = 48
TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
"""Numbers of the types that variables and counters have."""


def is_index(path: Path) -> bool:
    """Whether a file ends as a table does."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - len(MAGIC), 0))
        return size >= FOOTER and file.read() == MAGIC


def variables(index: Path) -> dict[str, np.ndarray]:
    """Return a checkpoint's variables by name.

    Args:
        index: NAME.index; the data lie beside it.

    Raises:
        ValueError: a damaged table, a compressed one, or a variable of another kind.
        OSError: the data are not there.
    """
    table = memoryview(index.read_bytes())
    _, at = _handle(table, len(table) - FOOTER)  # of what LevelDB knows besides
    (start, size), _ = _handle(table, at)
    entries: dict[str, Fields] = {}
    for _, place in _entries(_block(table, start, size)):
        handle, _ = _handle(place, 0)
        entries |= {bytes(key).decode(): fields(value) for key, value in _entries(_block(table, *handle))}
    shards = last(entries.pop("", fields(memoryview(b"")))[1]) or 1
    return {name: _variable(index, name, entry, shards) for name, entry in entries.items()}


def _handle(table: memoryview, at: int) -> tuple[tuple[int, int], int]:
    """Return a block's offset and size, and the place after them."""
    offset, at = integer(table, at)
    size, at = integer(table, at)
    return (offset, size), at


def _block(table: memoryview, offset: int, size: int) -> memoryview:
    """Return a block without its restart points."""
    if not 0 <= offset <= offset + size < len(table):
        raise ValueError("a block that lies beyond the end")
    if table[offset + size] != 0:
        raise ValueError("a compressed table, which TensorFlow does not write")
    block = table[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    return block[: max(len(block) - 4 * (restarts + 1), 0)]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the keys and values of a block; a key begins with what it shares with the one before."""
    key, at = b"", 0
    while at < len(block):
        shared, at = integer(block, at)
        own, at = integer(block, at)
        length, at = integer(block, at)
        if shared > len(key) or at + own + length > len(block):
            raise ValueError("an entry that does not fit its block")
        key = key[:shared] + bytes(block[at : at + own])
        yield key, block[at + own : at + own + length]
        at += own + length


def _variable(index: Path, name: str, entry: Fields, shards: int) -> np.ndarray:
    kind, offset, size = last(entry[1]), last(entry[4]), last(entry[5])
    if kind not in TYPES or entry[7]:
        raise ValueError(f"{name} is no plain variable of numbers")
    shape = [last(fields(axis)[1]) for whole in entry[2] for axis in fields(whole)[2]]
    if math.prod(shape) * np.dtype(TYPES[kind]).itemsize != size:
        raise ValueError(f"{name} of shape {shape} has {size} bytes")
    data = index.with_name(f"{index.stem}.data-{last(entry[3]):05}-of-{shards:05}")
    with data.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    if len(content) != size:
        raise ValueError(f"{data.name} ends within {name}")
    return np.frombuffer(content, TYPES[kind]).reshape(shape)
