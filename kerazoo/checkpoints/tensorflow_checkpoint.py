"""The variables of a TensorFlow checkpoint, read without TensorFlow; nothing is executed.

NAME.index is a sorted table in LevelDB's format (table_format.md of that project), uncompressed as
TensorFlow writes it, of `BundleEntryProto` messages (tensor_bundle.proto): where in NAME.data-00000-of-00001
each variable's bytes are.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerazoo.checkpoints.frozen_graph import Fields, last_integer, parse_fields, read_varint
from kerazoo.files.reading import open_file, read_bytes

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
"""The last bytes of a table."""

FOOTER = 48
TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
"""Numbers of the types that variables and counters have."""

LONGEST, MOST = 1024, 100_000
"""Bytes of a variable's name, and variables. A name begins with what it shares with the one before: without
a bound few bytes tell of long names."""


class StoredVariable(NamedTuple):
    """The location of a variable's values: dtype `kind`, `shape`, `file`, `offset` and `size` in bytes."""

    kind: str
    shape: list[int]
    file: str
    offset: int
    size: int


def is_index(path: Path) -> bool:
    """Whether a file ends with a table's magic number."""
    with open_file(path) as file:
        size = file.seek(0, 2)
        file.seek(max(size - len(MAGIC), 0))
        return size >= FOOTER and file.read() == MAGIC


def read_variables(index: Path) -> dict[str, np.ndarray]:
    """Return a checkpoint's variables by name.

    Args:
        index: NAME.index; the data lie beside it.

    Raises:
        ValueError: a damaged table, a compressed one, one whose blocks or variables overlap, or a variable of
            another kind.
        UserError: the data are not there.
    """
    entries = _read_table(memoryview(read_bytes(index)))
    shards = last_integer(entries.pop("", parse_fields(memoryview(b"")))[1]) or 1
    stored_variables = {name: _parse_entry(index, name, entry, shards) for name, entry in entries.items()}
    pieces: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for stored in stored_variables.values():
        pieces[stored.file].append((stored.offset, stored.size))
    for of_file in pieces.values():
        _refuse_overlaps(of_file)
    return {
        name: _read_values(index.with_name(stored.file), stored, name)
        for name, stored in stored_variables.items()
    }


def _read_table(table: memoryview) -> dict[str, Fields]:
    """Return the entries of all blocks of a table, by name."""
    _, position = _read_handle(table, len(table) - FOOTER)  # of what LevelDB knows besides
    outer, _ = _read_handle(table, position)
    handles = [_read_handle(place, 0)[0] for _, place in _block_entries(_read_block(table, *outer))]
    _refuse_overlaps(handles)
    entries: dict[str, Fields] = {}
    for handle in handles:
        entries |= {
            bytes(key).decode(): parse_fields(value)
            for key, value in _block_entries(_read_block(table, *handle))
        }
        if len(entries) > MOST:
            raise ValueError(f"more than {MOST} variables")
    return entries


def _read_handle(table: memoryview, position: int) -> tuple[tuple[int, int], int]:
    """Return a block's offset and size, and the position after them."""
    offset, position = read_varint(table, position)
    size, position = read_varint(table, position)
    return (offset, size), position


def _read_block(table: memoryview, offset: int, size: int) -> memoryview:
    """Return the bytes of a block without its restart points."""
    if not 0 <= offset <= offset + size < len(table):
        raise ValueError("a block that lies beyond the end")
    if table[offset + size] != 0:
        raise ValueError("a compressed table, which TensorFlow does not write")
    block = table[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    return block[: max(len(block) - 4 * (restarts + 1), 0)]


def _block_entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the keys and values of a block; a key begins with what it shares with the one before."""
    key, position = b"", 0
    while position < len(block):
        shared, position = read_varint(block, position)
        own, position = read_varint(block, position)
        length, position = read_varint(block, position)
        if shared > len(key) or position + own + length > len(block):
            raise ValueError("an entry that does not fit its block")
        if shared + own > LONGEST:
            raise ValueError(f"a name of more than {LONGEST} bytes")
        key = key[:shared] + bytes(block[position : position + own])
        yield key, block[position + own : position + own + length]
        position += own + length


def _refuse_overlaps(pieces: list[tuple[int, int]]) -> None:
    """Refuse overlapping pieces (offset, size): a few stored bytes would unpack to many."""
    ordered = sorted(pieces)
    for (offset, size), (following, _) in itertools.pairwise(ordered):
        if offset + size > following:
            raise ValueError(f"pieces that overlap at {following}")


def _parse_entry(index: Path, name: str, entry: Fields, shards: int) -> StoredVariable:
    kind, offset, size = last_integer(entry[1]), last_integer(entry[4]), last_integer(entry[5])
    if kind not in TYPES or entry[7]:
        raise ValueError(f"{name} is no plain variable of numbers")
    shape = [last_integer(parse_fields(axis)[1]) for whole in entry[2] for axis in parse_fields(whole)[2]]
    if math.prod(shape) * np.dtype(TYPES[kind]).itemsize != size:
        raise ValueError(f"{name} of shape {shape} has {size} bytes")
    file = f"{index.stem}.data-{last_integer(entry[3]):05}-of-{shards:05}"
    return StoredVariable(TYPES[kind], shape, file, offset, size)


def _read_values(data: Path, stored: StoredVariable, name: str) -> np.ndarray:
    with open_file(data) as file:
        if stored.offset + stored.size > file.seek(0, 2):
            raise ValueError(f"{data.name} ends within {name}")
        file.seek(stored.offset)
        content = file.read(stored.size)
    return np.frombuffer(content, stored.kind).reshape(stored.shape)
