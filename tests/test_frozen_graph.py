"""Frozen graphs written by hand, field by field, after TensorFlow's .proto files."""

import hashlib
import json

import numpy as np
import pytest

from kerazoo.checkpoints import frozen_graph
from kerazoo.checkpoints.read import read
from kerazoo.errors import UserError

FLOAT, DOUBLE, INT32, HALF = 1, 2, 3, 19
KINDS = {"float32": FLOAT, "float64": DOUBLE, "int32": INT32, "float16": HALF}


def integer(value):
    whole = bytearray()
    while value > 0x7F:
        whole.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*whole, value])


def field(number, value):
    """An integer, or bytes with their length."""
    if isinstance(value, int):
        return integer(number << 3) + integer(value)
    return integer(number << 3 | 2) + integer(len(value)) + value


def single(number, value):
    return integer(number << 3 | 5) + np.float32(value).tobytes()


def tensor(kind, shape, values):
    axes = b"".join(field(2, field(1, size) if size else b"") for size in shape)
    return field(1, kind) + field(2, axes) + values


def node(name, values, operation="Const"):
    attribute = field(1, b"value") + field(2, field(8, values))
    kind = field(1, b"dtype") + field(2, field(6, FLOAT))
    return field(
        1, field(1, name.encode()) + field(2, operation.encode()) + field(5, kind) + field(5, attribute)
    )


def stored(name, array):
    """A constant whose values lie together."""
    kind = KINDS[str(array.dtype)]
    return node(name, tensor(kind, array.shape, field(4, array.tobytes())))


def operation(name):
    return field(1, field(1, name.encode()) + field(2, b"Conv2D") + field(3, b"image"))


def constants(content, largest=1 << 20):
    return frozen_graph.constants(content, largest)


KERNEL = np.arange(24, dtype="float32").reshape(2, 3, 4)
NODES = [
    operation("first"),
    stored("a/weights/read/_2__cf__2", KERNEL),
    stored("a/biases", KERNEL[0, 0].astype("float64")),
    operation("a/Conv2D"),
    stored("axis", np.arange(3, dtype="int32")),
]
GRAPH = b"".join(NODES) + field(4, field(1, 27))


def test_constants_have_the_names_of_their_variables():
    found = constants(GRAPH)
    assert list(found) == ["a/weights", "a/biases"]
    np.testing.assert_array_equal(found["a/weights"], KERNEL)
    assert found["a/weights"].flags.writeable
    assert found["a/biases"].dtype == "float64"


@pytest.mark.parametrize(
    ("kind", "shape", "values", "expected"),
    [
        (FLOAT, (2, 2), field(5, np.arange(4, dtype="float32").tobytes()), [[0, 1], [2, 3]]),
        (FLOAT, (3,), b"".join(single(5, value) for value in (4, 5, 6)), [4, 5, 6]),
        (FLOAT, (4,), single(5, 1) + single(5, 7), [1, 7, 7, 7]),
        (FLOAT, (2,), b"", [0, 0]),
        (FLOAT, (), single(5, 2.5), 2.5),
        (FLOAT, (0,), b"", []),
        (FLOAT, (3, 0), b"", np.zeros((3, 0))),
        (DOUBLE, (2,), field(6, np.array([1.5, 2.5]).tobytes()), [1.5, 2.5]),
        (HALF, (2,), field(4, np.array([1.5, 2.5], "float16").tobytes()), [1.5, 2.5]),
    ],
)
def test_every_way_that_values_are_stored_in(kind, shape, values, expected):
    found = constants(node("a", tensor(kind, shape, values)))["a"]
    assert found.shape == shape
    np.testing.assert_array_equal(found, np.array(expected))


def test_a_file_is_recognised_by_its_content(tmp_path):
    (tmp_path / "graph.pth").write_bytes(GRAPH)
    found = read(tmp_path / "graph.pth")
    assert {key: str(array.dtype) for key, array in found.items()} == {
        "a/weights": "float32",
        "a/biases": "float32",
    }


def one_line(tmp_path, content, *parts):
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_a_graph_that_was_not_frozen_has_no_weights(tmp_path):
    one_line(tmp_path, operation("a") + operation("b"), "without weights", "freeze it")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (tensor(FLOAT, (10**6, 10**6), single(5, 1)), "a claims 1000000000000 values, 1 are stored"),
        (tensor(FLOAT, (2**64 - 1,), single(5, 1)), "values, 1 are stored"),
        (tensor(FLOAT, (10**9,), b""), "a claims 1000000000 values, 0 are stored"),
        (tensor(FLOAT, (2,), field(4, bytes(12))), "a claims 2 values, 3 are stored"),
        (tensor(FLOAT, (2,), field(4, bytes(7))), "damaged"),
        (tensor(FLOAT, (1,) * 33, single(5, 1)), "a has 33 axes"),
        (tensor(FLOAT, (2,), field(5, 7)), "an integer where bytes belong"),
        (field(1, FLOAT) + field(2, 5), "an integer where a message belongs"),
        (field(1, FLOAT) + integer(2 << 3 | 2) + b"\xff" * 9, "an integer that does not end"),
        (field(1, FLOAT) + integer(2 << 3 | 2) + integer(99), "a field of 99 bytes where 0 are left"),
        (field(1, FLOAT) + integer(2 << 3 | 3), "damaged"),
    ],
)
def test_hostile_constants_are_refused(tmp_path, values, reason):
    one_line(tmp_path, operation("first") + node("a", values), reason)


def test_constants_share_one_bound():
    """Of each a single value is stored."""
    content = b"".join(node(name, tensor(FLOAT, (1000,), single(5, 1))) for name in "abc")
    assert sum(array.nbytes for array in constants(content, 12_000).values()) == 12_000
    with pytest.raises(ValueError, match="c claims 1000 values, 1 are stored"):
        constants(content, 11_999)


def test_two_constants_of_one_name_are_refused(tmp_path):
    one_line(tmp_path, stored("a", KERNEL) + stored("a/read", KERNEL), "two constants are called a")


def test_a_name_that_is_no_text_is_refused(tmp_path):
    broken = field(1, field(1, b"\xff\xfe") + field(2, b"Const"))
    one_line(tmp_path, operation("first") + broken, "damaged")


def told(content, path):
    """Return a graph's arrays, or else what a user is told."""
    path.write_bytes(content)
    try:
        return read(path), ""
    except UserError as error:
        return {}, str(error)


def test_what_is_cut_off_is_damaged_or_has_fewer_constants(tmp_path):
    """Nothing in a graph says how many nodes there are: between two of them a cut does not show."""
    whole, between = constants(GRAPH), np.cumsum([len(part) for part in NODES])
    for end in range(len(GRAPH)):
        found, message = told(GRAPH[:end], tmp_path / "graph.pb")
        assert bool(message) == (end not in between[1:])
        assert "\n" not in message
        assert all(np.array_equal(array, whole[key]) for key, array in found.items())


def test_flipped_bits_are_read_or_refused_in_one_line(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(500):
        content = np.frombuffer(GRAPH, "uint8").copy()
        content[rng.integers(len(GRAPH), size=3)] ^= rng.integers(1, 256, 3, "uint8")
        found, message = told(content.tobytes(), tmp_path / "graph.pb")
        assert "\n" not in message
        assert all(array.size < 10**6 for array in found.values())


def test_a_published_graph(shared):
    """417 arrays whose checksums somebody else took, and constants that say nothing."""
    listed = json.loads((shared / "parity" / "golden" / "tf_pose_v2small.json").read_text())["arrays"]
    found = read(shared / "data" / "tf_pose" / "mobilenet_v2_small_graph_opt.pb")
    for name, entry in listed.items():
        assert list(found[name].shape) == entry["shape"]
        assert hashlib.sha256(found[name].tobytes()).hexdigest() == entry["sha256"]
    assert all(name.rpartition("/")[2] in ("Const", "Const_1") for name in found.keys() - listed.keys())


def test_what_tensorflow_writes(backend):
    if backend != "tensorflow":
        pytest.skip("only TensorFlow writes graphs")
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        arrays = {"kernel": KERNEL, "ones": np.ones(300, "float32"), "half": np.ones((2, 2), "float16")}
        for name, array in arrays.items():
            tf.constant(array, name=name)
        tf.constant([1, 2], name="shape")
        splat = tf.constant(2.5, shape=(40,), name="splat")
    arrays["splat"] = np.full(splat.shape, 2.5, "float32")
    found = constants(graph.as_graph_def().SerializeToString())
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
