"""The constants of a frozen TensorFlow graph, read without TensorFlow; nothing is executed.

A `GraphDef` in the wire format of protocol buffers (protobuf.dev/programming-guides/encoding). Field
numbers are those of TensorFlow's graph.proto, node_def.proto, attr_value.proto, tensor.proto and
tensor_shape.proto.
"""

import math
import re
from collections import defaultdict

import numpy as np

START = re.compile(rb"\n[\x80-\xff]{0,4}[\x01-\x7f]\n")
"""What a graph's bytes begin with: a node, how long it is, its name."""

TYPES = {1: "<f4", 2: "<f8", 19: "<f2"}
"""Numbers of the floating-point types. The others are axes, shapes and the like, not weights."""

LISTS = {1: 5, 2: 6}
"""The field in which a type's values lie one by one, where they do not lie together as bytes."""

AXES = 32
FIELDS = 1 << 20
"""Of a message; no graph has as many nodes."""

Fields = dict[int, list[int | memoryview]]
"""Of a message, `{number: its values}`: integers, or the bytes of whatever is longer."""


def constants(content: bytes, largest: int) -> dict[str, np.ndarray]:
    """Return the floating-point constants of a graph, by the names of the former variables.

    Args:
        content: of the `.pb`.
        largest: bytes that all of them may have together; of a list the last value stands for all that
            follow.

    Returns:
        `{name: array}` in the graph's order. TensorFlow's optimiser calls a variable "a/weights"
        "a/weights/read/_2__cf__2"; here it has its name again.

    Raises:
        ValueError: no graph, a truncated one, a constant whose values do not fit its shape, or more than
            `largest`.
    """
    arrays: dict[str, np.ndarray] = {}
    for number, nodes in parse_fields(memoryview(content)).items():
        for node in nodes if number == 1 else ():
            name, array = _constant(parse_fields(node), largest)
            if name in arrays:
                raise ValueError(f"two constants are called {name}")
            if array is not None:
                arrays[name] = array
                largest -= array.nbytes
    return arrays


def parse_fields(message: int | memoryview) -> Fields:
    """Return the fields of a message.

    Raises:
        ValueError: it is none, or a field reaches beyond its end.
    """
    if isinstance(message, int):
        raise ValueError("an integer where a message belongs")
    parsed: Fields = defaultdict(list)
    position = count = 0
    while position < len(message):
        count += 1
        if count > FIELDS:
            raise ValueError(f"a message of more than {FIELDS} fields")
        key, position = read_varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = read_varint(message, position)
            parsed[key >> 3].append(value)
            continue
        size, position = (
            read_varint(message, position) if kind == 2 else ({1: 8, 5: 4}.get(kind, -1), position)
        )
        if not 0 <= size <= len(message) - position:
            raise ValueError(f"a field of {size} bytes where {len(message) - position} are left")
        parsed[key >> 3].append(message[position : position + size])
        position += size
    return parsed


def read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return the varint at a position (seven bits per byte) and the position after it."""
    value = 0
    for shift, byte in enumerate(message[position : position + 10]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, position + shift + 1
    raise ValueError("an integer that does not end")


def _constant(node: Fields, largest: int) -> tuple[str, np.ndarray | None]:
    """Return a node's name and its array, None if it is no floating-point constant."""
    if _join_bytes(node[2]) != b"Const":
        return "", None
    name = re.sub(r"(/read)?(/_\d+)?(__cf__\d+)?$", "", _join_bytes(node[1]).decode())
    for attribute in map(parse_fields, node[5]):
        if _join_bytes(attribute[1]) == b"value":
            for tensor in parse_fields(attribute[2][-1])[8]:
                return name, _array(parse_fields(tensor), name, largest)
    return name, None


def _array(tensor: Fields, name: str, largest: int) -> np.ndarray | None:
    """Return a tensor's values, or None if they are not floating-point."""
    kind = last_integer(tensor[1])
    if kind not in TYPES:
        return None
    shape = [last_integer(parse_fields(axis)[1]) for whole in tensor[2] for axis in parse_fields(whole)[2]]
    stored = np.frombuffer(_join_bytes(tensor[4] or tensor[LISTS.get(kind, 4)]), TYPES[kind])
    if len(shape) > AXES:
        raise ValueError(f"{name} has {len(shape)} axes")
    count = math.prod(shape)
    if len(stored) > count or count * stored.itemsize > largest:
        raise ValueError(f"{name} claims {count} values, {len(stored)} are stored")
    values = np.full(count, stored[-1] if len(stored) else 0, stored.dtype)
    values[: len(stored)] = stored
    return values.reshape(shape)


def _join_bytes(values: list[int | memoryview]) -> bytes:
    if any(isinstance(value, int) for value in values):
        raise ValueError("an integer where bytes belong")
    return b"".join(value for value in values if not isinstance(value, int))


def last_integer(values: list[int | memoryview]) -> int:
    """Return the last of some integers; 0 if there is none, since zeros are not stored."""
    return next((value for value in reversed(values) if isinstance(value, int)), 0)
