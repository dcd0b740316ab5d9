"""TensorFlow checkpoints, written here by hand, whole and broken."""

import importlib.util
import struct

import numpy as np
import pytest

from kerazoo.checkpoints.read import read
from kerazoo.checkpoints.tensorflow_checkpoint import MAGIC, read_variables
from kerazoo.errors import UserError

ARRAYS = {
    "a/b": np.arange(6, dtype="<f4").reshape(2, 3),
    "a/bias": np.array([1.5, -2.0], "<f4"),
    "step": np.array(7, "<i8"),
}


def varint(value):
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries):
    """Return a block; keys after the first share what they can with the one before."""
    content, before = b"", b""
    for key, value in entries:
        pairs = enumerate(zip(key, before, strict=False))
        shared = next((at for at, (a, b) in pairs if a != b), min(len(key), len(before)))
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return content + struct.pack("<II", 0, 1)


def write(folder, arrays=ARRAYS, kind=0, blocks=1, place=None):
    """Write x.index and x.data-00000-of-00001.

    `kind` 0 says that blocks are not compressed; the one block is named `blocks` times; all variables are at
    `place`, or each at its own.
    """
    data, entries = b"", [(b"", field(1, 1) + field(3, field(1, 1)))]
    for name, array in sorted(arrays.items()):
        number = {"f4": 1, "f8": 2, "i8": 9}[array.dtype.str[1:]]
        shape = b"".join(field(2, field(1, side)) for side in array.shape)
        offset = len(data) if place is None else place
        where = (field(4, offset) if offset else b"") + field(5, array.nbytes)
        entries.append((name.encode(), field(1, number) + field(2, shape) + where))
        data += array.tobytes()
    inner, nothing = block(entries), block([])
    table = inner + bytes([kind]) + b"crc!" + nothing + b"\0crc!"
    outer = block([(b"z%d" % each, varint(0) + varint(len(inner))) for each in range(blocks)])
    handles = varint(len(inner) + 5) + varint(len(nothing)) + varint(len(table)) + varint(len(outer))
    table += outer + b"\0crc!" + handles.ljust(40, b"\0") + MAGIC
    (folder / "x.data-00000-of-00001").write_bytes(data)
    (folder / "x.index").write_bytes(table)
    return folder / "x.index"


def test_variables_are_read(tmp_path):
    found = read(write(tmp_path))
    assert list(found) == ["a/b", "a/bias", "step"]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="compares with TensorFlow")
def test_tensorflow_writes_what_is_read(tmp_path, backend):
    if backend != "tensorflow":
        pytest.skip("compares with TensorFlow")
    import tensorflow as tf

    rng = np.random.default_rng(0)
    arrays = {f"v{n:02}": rng.normal(size=(n + 1, 3)).astype("float32") for n in range(60)}
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "x"),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=list(arrays.values()),
    )
    found = read(tmp_path / "x.index")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda p: p.with_name("x.data-00000-of-00001").unlink(), "data-00000-of-00001: no such file"),
        (lambda p: p.with_name("x.data-00000-of-00001").write_bytes(b"\0" * 20), "ends within"),
        (lambda p: p.write_bytes(p.read_bytes()[40:]), "damaged"),
        (lambda p: write(p.parent, kind=1), "compressed"),
        (lambda p: write(p.parent, blocks=2), "pieces that overlap at 0"),
        (lambda p: write(p.parent, place=0), "pieces that overlap at 0"),
        (lambda p: write(p.parent, {"a" * 2000: ARRAYS["a/b"]}), "a name of more than 1024 bytes"),
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "no checkpoint kerazoo can read"),
    ],
)
def test_broken_ones_are_told(tmp_path, broken, told):
    path = write(tmp_path)
    broken(path)
    with pytest.raises(UserError, match=told):
        read(path)


def test_names_that_grow_by_what_they_share_end_soon(tmp_path):
    """100,000 entries of six bytes, each a byte longer than the one before: 5 GB of names."""
    entries = [varint(n) + varint(1) + varint(0) + b"a" for n in range(100_000)]
    inner = b"".join(entries) + struct.pack("<II", 0, 1)
    outer = block([(b"z", varint(0) + varint(len(inner)))])
    table = inner + b"\0crc!" + outer + b"\0crc!"
    handles = varint(0) + varint(0) + varint(len(inner) + 5) + varint(len(outer))
    (tmp_path / "x.index").write_bytes(table + handles.ljust(40, b"\0") + MAGIC)
    with pytest.raises(ValueError, match="a name of more than 1024 bytes"):
        read_variables(tmp_path / "x.index")
