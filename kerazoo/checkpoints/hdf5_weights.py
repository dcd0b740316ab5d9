"""Reading the weights in Keras' HDF5 files by the names of layers and variables.

Keras 3 numbers the variables of a layer, `layers/conv2d_7/vars/0`, and keeps the layer's name as an
attribute; the versions before wrote `conv1_conv/conv1_conv/kernel:0`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

VARIABLES = {
    "conv2d": ("kernel", "bias"),
    "conv2d_transpose": ("kernel", "bias"),
    "depthwise_conv2d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
"""What the numbers of a layer's variables stand for, by the layer's class."""

DEEPEST = 32
"""Groups within groups; no network has more."""

MOST = 30_000
"""Groups and arrays of a file; no network has more."""


def read_arrays(source: Path | BinaryIO, largest: int) -> dict[str, np.ndarray]:
    """Return the weights in an HDF5 file as `{"layer/variable": array}`; optimizers' variables are left out.

    Args:
        source: a path, or an open file.
        largest: bytes that all arrays may have together; counted before any is read.

    Raises:
        ValueError: more than `largest`, `DEEPEST` or `MOST`, or values that lie in another file.
        Exception: whatever h5py makes of a damaged file.
    """
    import h5py

    datasets: dict[str, Any] = {}
    layers: dict[str, str] = {}
    with h5py.File(source, "r") as file:
        for name, item in _walk_items(file):
            if isinstance(item, h5py.Group) and name.endswith("/vars"):
                group = name.removesuffix("/vars")
                layers[group] = str(item.attrs.get("name", group.rpartition("/")[2]))
            elif isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub":
                datasets[name] = item
        weights = {name: item for name, item in datasets.items() if not name.startswith("optimizer")}
        _check(weights, largest)
        stored = {name: item[()] for name, item in weights.items()}
    counts = Counter(name.rpartition("/")[0] for name in datasets)
    return {_weight_name(name, layers, counts): array for name, array in stored.items()}


def refuse_larger(source: Path | BinaryIO, largest: int) -> None:
    """Check the limits of `read_arrays` before another library reads a file; nothing is unpacked."""
    import h5py

    with h5py.File(source, "r") as file:
        _check({name: item for name, item in _walk_items(file) if isinstance(item, h5py.Dataset)}, largest)


def _walk_items(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield the groups and datasets of a file, each once; links that leave the file are not followed."""
    import h5py

    waiting, seen = [""], set()
    while waiting:
        name = waiting.pop()
        item = file[name or "/"]
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            continue
        seen.add(address)
        if name.count("/") >= DEEPEST or len(seen) > MOST:
            raise ValueError(f"groups are nested deeper than {DEEPEST}, or are more than {MOST}")
        yield name, item
        if isinstance(item, h5py.Group):
            own = [key for key in item if isinstance(item.get(key, getlink=True), h5py.HardLink)]
            waiting += [f"{name}/{key}".removeprefix("/") for key in reversed(own)]


def _check(datasets: Mapping[str, Any], largest: int) -> None:
    for name, item in datasets.items():
        if item.is_virtual or item.external:
            raise ValueError(f"the values of {name} lie in another file")
    claimed = sum(item.nbytes for item in datasets.values())
    if claimed > largest:
        raise ValueError(f"its arrays claim {claimed} bytes, more than the {largest} that are read")


def _weight_name(name: str, layers: Mapping[str, str], counts: Mapping[str, int]) -> str:
    group, _, number = name.partition("/vars/")
    return _keras3_name(group, number, layers, counts) if number else _keras2_name(name)


def _keras2_name(name: str) -> str:
    """conv1_conv/conv1_conv/kernel:0 -> conv1_conv/kernel."""
    parts = name.removeprefix("model_weights/").removesuffix(":0").split("/")
    return "/".join(part for part, before in zip(parts, ["", *parts], strict=False) if part != before)


def _keras3_name(group: str, number: str, layers: Mapping[str, str], counts: Mapping[str, int]) -> str:
    """layers/conv2d_7/vars/0 -> conv1_conv/kernel, where conv2d_7 is the layer conv1_conv."""
    parts = group.split("/")
    above = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    names = VARIABLES.get(re.sub(r"_[0-9]+$", "", parts[-1]), ())
    count = counts[f"{group}/vars"]
    if len(names) == count or (names[:1] == ("kernel",) and count == 1):
        number = dict(zip("0123", names, strict=False)).get(number, number)
    return "/".join([*(layers[path] for path in above if path in layers), number])
