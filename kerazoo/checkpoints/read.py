"""Files of published weights as named arrays. Nothing is unpickled and nothing executed."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from kerazoo.checkpoints import darknet, frozen_graph, hdf5_weights, tensorflow_checkpoint, torch_weights
from kerazoo.errors import UserError
from kerazoo.files.reading import npz_names, open_file, open_zip, read_bytes, read_npz

Arrays = dict[str, np.ndarray]

LEAST, RATIO = 1 << 26, 16
"""Bytes that any file may unpack to, and so many times its own size: weights hardly compress."""

KERAS_MEMBER = "model.weights.h5"
"""Where a `.keras` archive keeps its weights."""


def read(path: str | Path) -> Arrays:
    """Return the arrays of a checkpoint file; its content decides the format.

    Args:
        path: `.safetensors`; `.pth`, `.pt` or `.ckpt` (needs PyTorch, read as weights only); `.npz`;
            Keras' `.h5` or `.keras`; a frozen TensorFlow graph, `.pb`; the `.index` of a TensorFlow
            checkpoint, whose data lie beside it; or darknet's `.weights`.

    Returns:
        `{key: array}` as stored; floating-point arrays as float32. Keys of PyTorch's files begin with
        the mappings that the tensors are in, as in "state_dict:conv1.weight". Keys of `.h5` and
        `.keras` are "layer/variable", such as "conv1_conv/kernel"; those of a graph or a TensorFlow
        checkpoint the names of constants and variables. Darknet's values have neither names nor shapes and
        are one array, "darknet".

    Raises:
        UserError: no such file, damaged, an unknown format, or more than weights in it; or a file that
            unpacks to more than `RATIO` times its size.
    """
    path = Path(path)
    with open_file(path) as file:
        start, size = file.read(9), file.seek(0, io.SEEK_END)
    try:
        arrays = _reader(path, start)(path, LEAST + RATIO * size)
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"{path} needs more memory than there is", "read it on a larger machine") from None
    except Exception as error:  # the parsers of foreign files raise whatever they stumble over
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path} is truncated or damaged: {reason}", "get the file again") from None
    return {key: _to_float32(array) for key, array in arrays.items()}


def _reader(path: Path, start: bytes) -> Callable[[Path, int], Mapping[str, np.ndarray]]:
    if start[:2] == b"PK":
        return _zip_reader(path)
    if start[8:] == b"{":
        return _read_safetensors
    if start[:1] == b"\x80":  # a pickle, as PyTorch wrote them until 1.6
        return torch_weights.read_tensors
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        return hdf5_weights.read_arrays
    if frozen_graph.START.match(start):
        return _read_frozen_graph
    if tensorflow_checkpoint.is_index(path):
        return _read_tensorflow
    if darknet.is_weights(path):
        return _read_darknet
    remedy = (
        "give .safetensors, .pth, .npz, .h5 or .keras, a frozen graph .pb, the .index of a "
        "TensorFlow checkpoint, or darknet's .weights"
    )
    raise UserError(f"{path} is no checkpoint kerazoo can read", remedy)


def _zip_reader(path: Path) -> Callable[[Path, int], Mapping[str, np.ndarray]]:
    """Return the reader of a zip file: `.npz`, `.keras`, or one of PyTorch's."""
    if npz_names(path):
        return _read_npz
    with open_file(path) as file, open_zip(path, file) as members:
        return _read_keras if KERAS_MEMBER in members.namelist() else torch_weights.read_tensors


def _read_safetensors(path: Path, largest: int) -> Mapping[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)  # never more than is stored


def _read_npz(path: Path, largest: int) -> Mapping[str, np.ndarray]:
    arrays = read_npz(path, dict.fromkeys(npz_names(path), "fiubUS"), largest)
    return {name: array for name, array in arrays.items() if array.dtype.kind in "fiub"}


def _read_keras(path: Path, largest: int) -> Mapping[str, np.ndarray]:
    with open_file(path) as file, open_zip(path, file) as members:
        if members.getinfo(KERAS_MEMBER).file_size > largest:
            raise ValueError(f"{KERAS_MEMBER} unpacks to more than the {largest} bytes that are read")
        content = members.read(KERAS_MEMBER)
    return hdf5_weights.read_arrays(io.BytesIO(content), largest)


def _read_frozen_graph(path: Path, largest: int) -> Mapping[str, np.ndarray]:
    arrays = frozen_graph.constants(read_bytes(path), largest)
    if not arrays:
        raise UserError(f"{path} is a graph without weights", "freeze it: its variables must be constants")
    return arrays


def _read_tensorflow(path: Path, largest: int) -> Mapping[str, np.ndarray]:
    return tensorflow_checkpoint.read_variables(path)  # never more than is stored


def _read_darknet(path: Path, largest: int) -> Mapping[str, np.ndarray]:
    return darknet.read_values(path)  # never more than is stored


def _to_float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is too large is not finite, which `translate` refuses
        # "V" is bfloat16, which NumPy does not know by itself.
        return array.astype("float32", copy=False) if array.dtype.kind in "fV" else array
