"""Reading the tensors of PyTorch files: nothing is executed, no class is imported."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo.errors import UserError
from kerazoo.files.reading import open_file, open_zip

PASSED_OVER = (
    "argparse.Namespace",
    "builtins.getattr",
    "datetime.datetime",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "types.SimpleNamespace",
    *(f"numpy.dtypes.{kind}DType" for kind in ("Bool", "Float16", "Float32", "Float64", "Int32", "Int64")),
)
"""Objects that trainings keep beside their weights: scores, options, paths. An `Inert` stands for each."""

DEEPEST = 8
"""Mappings within mappings."""


class Inert:
    """Stands for an object beside the weights, whose class is neither imported nor called."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def read_tensors(path: Path, largest: int) -> dict[str, np.ndarray]:
    """Return every tensor of a file by its name; nested mappings are joined by colons.

    `{"state_dict": {"conv.weight": ...}}` gives "state_dict:conv.weight".

    Args:
        path: of a `.pth`, `.pt`, `.ckpt` or the like, zipped or as before PyTorch 1.6.
        largest: bytes that its content may have once unpacked.

    Raises:
        UserError: PyTorch is not installed; damaged; TorchScript; Python objects other than those of
            `PASSED_OVER`; no tensor by name.
        ValueError: more than `largest`, or a shape of more values than are stored.
    """
    _check_archive(path, largest)
    try:
        import torch
    except ImportError:
        remedy = "pip install 'kerazoo[torch]', or save it as .safetensors where PyTorch is"
        raise UserError(f"{path} is a PyTorch file and PyTorch is not installed", remedy) from None
    content = _flatten(_load_content(path, torch))
    tensors = {name: value for name, value in content if isinstance(value, torch.Tensor)}
    if not tensors:
        raise UserError(f"{path} holds no weights by name", "save model.state_dict()")
    _check_shapes(tensors, largest)
    return {name: _to_numpy(tensor, torch) for name, tensor in tensors.items()}


def _check_shapes(tensors: Mapping[str, Any], largest: int) -> None:
    for name, tensor in tensors.items():
        if tensor.untyped_storage().nbytes() < tensor.nbytes:
            raise ValueError(f"{name} claims more values than are stored")
    claimed = sum(tensor.nbytes for tensor in tensors.values())
    if claimed > largest:
        raise ValueError(f"its tensors claim {claimed} bytes, more than the {largest} that are read")


def _check_archive(path: Path, largest: int) -> None:
    if not zipfile.is_zipfile(path):
        return
    with open_file(path) as file, open_zip(path, file) as members:
        names = members.namelist()
        size = sum(member.file_size for member in members.infolist())
    if any(name.endswith("/constants.pkl") for name in names):
        remedy = f"where you trust it: torch.save(torch.jit.load({path.name!r}).state_dict(), 'weights.pth')"
        raise UserError(f"{path} is a TorchScript program, of which kerazoo runs nothing", remedy)
    if size > largest:
        raise ValueError(f"it unpacks to {size} bytes, more than the {largest} that are read")


def _load_content(path: Path, torch: Any) -> Any:
    """Return the content of a file, read by PyTorch with `weights_only=True`."""
    inert_globals = torch.serialization.safe_globals([(Inert, name) for name in PASSED_OVER])
    try:
        with open_file(path) as file, inert_globals, warnings.catch_warnings(action="ignore"):
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        match = re.search(r"GLOBAL (\S+)", str(error))
        if not match:
            raise
        message = f"{path} holds Python objects besides weights ({match[1]}); none was loaded or executed"
        raise UserError(message, "save model.state_dict() where you trust the file") from None


def _flatten(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of nested mappings, each mapping once: one may contain itself."""
    waiting, seen = [("", content)], set()
    while waiting:
        path, mapping = waiting.pop(0)
        if not isinstance(mapping, Mapping) or id(mapping) in seen or path.count(":") > DEEPEST:
            continue
        seen.add(id(mapping))
        for name, value in mapping.items():
            if not isinstance(name, str):
                continue
            if isinstance(value, Mapping):
                waiting.append((f"{path}{name}:", value))
            else:
                yield f"{path}{name}", value


def _to_numpy(tensor: Any, torch: Any) -> np.ndarray:
    tensor = tensor.detach()
    return (tensor.to(torch.float32) if tensor.is_floating_point() else tensor).numpy()
