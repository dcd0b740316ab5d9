"""Files of published weights as named arrays. Nothing is unpickled and nothing executed."""

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo import frozen_graph, tensorflow_checkpoint
from kerazoo.errors import UserError

Arrays = dict[str, np.ndarray]

AVERAGED = ("state_dict_ema", "ema_state_dict", "model_ema", "ema", "params_ema")
CONTAINERS = (*AVERAGED, "state_dict", "model_state_dict", "model", "network", "net", "params", "weights")
"""Where training checkpoints keep their weights; the moving average of them is what was published."""

KERAS_VARIABLES = {
    "conv2d": ("kernel", "bias"),
    "conv2d_transpose": ("kernel", "bias"),
    "depthwise_conv2d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
"""Keras 3 numbers a layer's variables in `.weights.h5`; their names by the layer's class."""

INFLATION = 1032
"""A byte of deflate stands for no more than these."""


def read(path: str | Path) -> Arrays:
    """Return the arrays of a checkpoint file; what it is, its content says.

    Args:
        path: `.safetensors`; `.pth` or `.pt` (needs PyTorch, read as weights only; the mapping
            may lie under "state_dict", "model" and the like); `.npz`; Keras' `.h5`; a frozen
            TensorFlow graph, `.pb`; or the `.index` of a TensorFlow checkpoint, whose data lie beside it.

    Returns:
        `{key: array}` as stored; floating-point arrays as float32. Keys of `.h5` are
        "layer/variable", such as "conv1_conv/kernel"; those of a graph or a
        TensorFlow checkpoint the names of constants and variables.

    Raises:
        UserError: no such file, damaged, an unknown format, or more than weights in it.
    """
    path = Path(path)
    try:
        return {key: _single(array) for key, array in _reader(path)(path).items()}
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}", "check the path") from None
    except (PermissionError, IsADirectoryError) as error:
        raise UserError(f"cannot read {path}: {error.strerror}", "give a readable file") from None
    except MemoryError:
        raise UserError(f"{path} needs more memory than there is", "read it on a larger machine") from None
    except Exception as error:  # the parsers of foreign files raise whatever they stumble over
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path} is truncated or damaged: {reason}", "get the file again") from None


def _reader(path: Path) -> Callable[[Path], Mapping[str, np.ndarray]]:
    with path.open("rb") as file:
        start = file.read(9)
    if start[:2] == b"PK":
        with zipfile.ZipFile(path) as archive:
            arrays = any(name.endswith(".npy") for name in archive.namelist())
        return _read_npz if arrays else _read_torch
    if start[8:] == b"{":
        return _read_safetensors
    if start[:1] == b"\x80":  # a pickle, as PyTorch wrote them until 1.6
        return _read_torch
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        return _read_hdf5
    if frozen_graph.START.match(start):
        return _read_frozen_graph
    if tensorflow_checkpoint.is_index(path):
        return tensorflow_checkpoint.variables
    remedy = (
        "give .safetensors, .pth, .npz or .h5, a frozen graph .pb, or the .index of a TensorFlow checkpoint"
    )
    raise UserError(f"{path} is no checkpoint kerazoo can read", remedy)


def _read_safetensors(path: Path) -> Mapping[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def _read_npz(path: Path) -> Mapping[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _read_frozen_graph(path: Path) -> Mapping[str, np.ndarray]:
    arrays = frozen_graph.constants(path.read_bytes())
    if not arrays:
        raise UserError(f"{path} is a graph without weights", "freeze it: its variables must be constants")
    return arrays


def _read_torch(path: Path) -> Mapping[str, np.ndarray]:
    try:
        import torch
    except ImportError:
        remedy = "pip install 'kerazoo[torch]', or save it as .safetensors where PyTorch is"
        raise UserError(f"{path} is a PyTorch file and PyTorch is not installed", remedy) from None
    import pickle

    try:
        with path.open("rb") as file:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        message = f"{path} is damaged or holds Python objects besides weights; none was loaded or executed"
        raise UserError(message, "save model.state_dict() where you trust the file") from None
    weights = _unwrapped(content)
    tensors = {key: value for key, value in weights.items() if isinstance(value, torch.Tensor)}
    tensors.pop("n_averaged", None)  # a counter of torch.optim.swa_utils.AveragedModel
    if not tensors:
        raise UserError(f"{path} holds no weights by name", "save model.state_dict()")
    _refuse_inflated([key for key, t in tensors.items() if t.untyped_storage().nbytes() < t.nbytes])
    return {key: _numpy(tensor, torch) for key, tensor in tensors.items()}


def _unwrapped(content: Any) -> Mapping[str, Any]:
    """Return the mapping of weights inside training checkpoints."""
    for _ in range(8):  # a mapping may hold itself
        if not isinstance(content, Mapping):
            break
        inner = [content[name] for name in CONTAINERS if isinstance(content.get(name), Mapping)]
        if not inner:
            return content
        content = inner[0]
    return {}


def _numpy(tensor: Any, torch: Any) -> np.ndarray:
    tensor = tensor.detach()
    return (tensor.to(torch.float32) if tensor.is_floating_point() else tensor).numpy()


def _single(array: np.ndarray) -> np.ndarray:
    # "V" is bfloat16, which NumPy does not know by itself.
    return array.astype("float32", copy=False) if array.dtype.kind in "fV" else array


def _refuse_inflated(keys: list[str]) -> None:
    """Shapes of a few bytes that would fill the memory."""
    if keys:
        raise ValueError(f"{keys[0]} claims more values than are stored")


def _read_hdf5(path: Path) -> Mapping[str, np.ndarray]:
    import h5py

    stored: Arrays = {}
    layers: dict[str, str] = {}

    def visit(name: str, item: Any) -> None:  # each object once; links that leave the file are not followed
        if isinstance(item, h5py.Dataset) and item.dtype.kind not in "OSU":
            outside = item.is_virtual or item.external
            _refuse_inflated([name] * bool(outside or item.nbytes > INFLATION * item.id.get_storage_size()))
            stored[name] = item[()]
        elif name.endswith("/vars"):
            group = name.removesuffix("/vars")
            layers[group] = str(item.attrs.get("name", group.rpartition("/")[2]))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    weights = [name for name in stored if not name.startswith("optimizer")]
    keys = {name: _numbered(name, layers, stored) if "/vars/" in name else _legacy(name) for name in weights}
    return {key: stored[name] for name, key in keys.items()}


def _legacy(name: str) -> str:
    """conv1_conv/conv1_conv/kernel:0 -> conv1_conv/kernel."""
    parts = name.removeprefix("model_weights/").removesuffix(":0").split("/")
    return "/".join(part for part, before in zip(parts, ["", *parts], strict=False) if part != before)


def _numbered(name: str, layers: Mapping[str, str], stored: Arrays) -> str:
    """layers/conv2d_7/vars/0 -> conv1_conv/kernel, where conv2d_7 is the layer conv1_conv."""
    group, _, number = name.partition("/vars/")
    around = [layers[above] for above in sorted(layers, key=len) if f"{group}/".startswith(f"{above}/")]
    names = KERAS_VARIABLES.get(re.sub(r"_[0-9]+$", "", group.rpartition("/")[2]), ())
    count = sum(other.startswith(f"{group}/vars/") for other in stored)
    if len(names) == count or (names[:1] == ("kernel",) and count == 1):
        number = names[int(number)]
    return "/".join([*around, number])
