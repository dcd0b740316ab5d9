"""Published weights, from a checkpoint's names and shapes strictly into a network's.

Every variable is written exactly once and every key of the checkpoint is used or named as
ignored; else one error tells all that is wrong and nothing is written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerazoo.errors import UserError
from kerazoo.settings import nearest
from kerazoo.weights import Arrays

if TYPE_CHECKING:
    import keras

Table = dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]
"""`{variable path: (checkpoint key, what to do with its array)}`."""

PREFIXES = ("module.", "model.", "_orig_mod.")
NAMED = 4  # keys an error names of each kind, so that it stays one line


def conv(source: str, target: str, *, bias: bool = True) -> Table:
    """Map a PyTorch convolution, plain or transposed, to the Keras layer `target`."""
    table: Table = {f"{target}/kernel": (f"{source}.weight", _kernel)}
    return table | ({f"{target}/bias": (f"{source}.bias", _same)} if bias else {})


def depthwise(source: str, target: str) -> Table:
    """Map a PyTorch convolution of every channel by itself, without bias, to the Keras layer `target`."""
    return {f"{target}/kernel": (f"{source}.weight", _depthwise_kernel)}


def batch_norm(source: str, target: str) -> Table:
    """Map a PyTorch batch normalisation to the Keras layer `target`."""
    pairs = {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    return {f"{target}/{ours}": (f"{source}.{theirs}", _same) for ours, theirs in pairs.items()}


def dense(source: str, target: str) -> Table:
    """Map a PyTorch linear layer, or a 1x1 convolution in its place, to the Keras Dense `target`."""
    return {
        f"{target}/kernel": (f"{source}.weight", _matrix),
        f"{target}/bias": (f"{source}.bias", _same),
    }


def kept(source: str, target: str, *names: str) -> Table:
    """Map variables of a Keras layer, such as "kernel", to those of the Keras layer `target`."""
    return {f"{target}/{name}": (f"{source}/{name}", _same) for name in names}


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _kernel(array: np.ndarray) -> np.ndarray:
    """(out, in, h, w) -> (h, w, in, out); transposed: (in, out, h, w) -> (h, w, out, in)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array  # `assign` refuses other shapes


def _depthwise_kernel(array: np.ndarray) -> np.ndarray:
    """(channels, 1, h, w) -> (h, w, channels, 1)."""
    return array.transpose(2, 3, 0, 1) if array.ndim == 4 else array


def _matrix(array: np.ndarray) -> np.ndarray:
    """(out, in) or (out, in, 1, 1) -> (in, out)."""
    return array.reshape(array.shape[:2]).T if array.shape[2:] in ((), (1, 1)) else array


def without_prefix(arrays: Arrays) -> Arrays:
    """Return `arrays` without the names of wrappers (`PREFIXES`) that every key begins with."""
    for prefix in PREFIXES:
        if arrays and all(key.startswith(prefix) for key in arrays):
            return without_prefix({key.removeprefix(prefix): array for key, array in arrays.items()})
    return arrays


def recognise(
    candidates: Mapping[str, Callable[[Arrays], dict[str, Any] | None]],
    arrays: Arrays,
    layout: str | None = None,
) -> tuple[str, dict[str, Any]]:
    """Return the layout that a checkpoint's keys are in, with the settings of its network.

    Args:
        candidates: `{layout: what returns the family's settings, or None where the keys are not
            of that layout}`; one that stumbles over a key or an axis that is not there does not fit.
        arrays: `{checkpoint key: array}`.
        layout: the only one to try; None tries all.

    Raises:
        UserError: an unknown `layout`, none that fits, or several.
    """
    if layout is not None and layout not in candidates:
        raise UserError(f"unknown layout {layout!r}", nearest(layout, list(candidates)))
    tried = [layout] if layout is not None else list(candidates)
    fitting = {name: found for name in tried if (found := _fitted(candidates[name], arrays)) is not None}
    if len(fitting) == 1:
        return next(iter(fitting.items()))
    if fitting:
        raise UserError(
            f"the checkpoint may be in any of the layouts {', '.join(fitting)}",
            "choose one: kerazoo convert --layout NAME",
        )
    raise UserError(
        f"the checkpoint is not in the layout {' or '.join(tried)}: its keys are {listed(list(arrays))}",
        "convert it with the recipe it was made for",
    )


def _fitted(settings_for: Callable[[Arrays], dict[str, Any] | None], arrays: Arrays) -> dict[str, Any] | None:
    try:
        return settings_for(arrays)
    except LookupError:
        return None


def translate(arrays: Arrays, table: Table, ignored: Iterable[str] = (".num_batches_tracked",)) -> Arrays:
    """Return `{variable path: array}` for a checkpoint's arrays.

    Args:
        arrays: `{checkpoint key: array}`.
        table: what every variable is made of.
        ignored: endings of the keys that stand for nothing in the network.

    Raises:
        UserError: keys of the table that are missing, and keys that nothing uses.
    """
    wanted = {key for key, _ in table.values()}
    ignorable = {key for key in arrays if key.endswith(tuple(ignored))}
    _refuse(missing=wanted - arrays.keys(), unexpected=arrays.keys() - wanted - ignorable)
    return {path: change(arrays[key]) for path, (key, change) in table.items()}


def fit(array: np.ndarray | None, shape: Sequence[int]) -> np.ndarray | None:
    """Return what of a given array a variable starts from, or None.

    The kernel of a first convolution on RGB is summed for grey, which gives the same for a grey photograph.

    Args:
        array: of the same name, or None.
        shape: of the variable.
    """
    if array is None or array.shape == tuple(shape):
        return array
    grey = array.ndim == 4 and array.shape[2] == 3
    return (
        array.sum(axis=2, keepdims=True)
        if grey and (*array.shape[:2], 1, array.shape[3]) == tuple(shape)
        else None
    )


def assign(model: "keras.Model", arrays: Arrays) -> None:
    """Write every variable of a network, or, if anything does not fit, none.

    Args:
        model: its variables are written, running statistics included.
        arrays: `{variable path: array}`, exactly the paths and shapes of `model.weights`.

    Raises:
        UserError: missing, unexpected and misshapen variables, all in one line.
    """
    variables = {variable.path: variable for variable in model.weights}
    if len(variables) != len(model.weights):
        raise ValueError(f"two variables of {model.name} share a path")
    shapes = {
        path: (tuple(variables[path].shape), arrays[path].shape) for path in variables if path in arrays
    }
    misshapen = {f"{path} {old} not {new}" for path, (old, new) in shapes.items() if old != new}
    _refuse(variables.keys() - arrays.keys(), arrays.keys() - variables.keys(), misshapen)
    for path, variable in variables.items():
        variable.assign(arrays[path])


def _refuse(missing: Iterable[str], unexpected: Iterable[str], misshapen: Iterable[str] = ()) -> None:
    wrong = {
        "missing": sorted(missing),
        "unexpected": sorted(unexpected),
        "of another shape": sorted(misshapen),
    }
    told = [f"{len(names)} {kind} ({listed(names)})" for kind, names in wrong.items() if names]
    if told:
        raise UserError(
            f"the checkpoint does not fit: {'; '.join(told)}", "set the family to what it was made for"
        )


def listed(names: list[str]) -> str:
    """Return the first few names and how many more there are."""
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
