"""Strict mapping of a checkpoint's arrays to a network's variables.

A checkpoint is a tree of names, in which the network is a sub-tree (`network_in`). Every variable is written
exactly once; every key of the sub-tree is used or named as ignored, and what lies beside it is known to be
harmless. Else one error tells all that is wrong and nothing is written.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerazoo.checkpoints.read import Arrays
from kerazoo.errors import UserError
from kerazoo.settings import nearest

if TYPE_CHECKING:
    import keras

Table = dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]
"""`{variable path: (checkpoint key, what to do with its array)}`."""

PUBLISHED = re.compile(r"(\w+_)?ema(_\w+)?|teacher|encoder_q")
"""What trainings call the network that is meant for others: a moving average of the weights, for one."""

CONTAINERS = ("state_dict", "model_state_dict", "model", "network", "net", "params", "weights")
"""Where checkpoints keep their network, the usual ones first."""

HARMLESS = re.compile(
    r"((module|model|_orig_mod)\.)*"
    r"((criterion|\w*loss\w*|\w*metrics?|(train|val|valid|test)_\w+|queue\w*)(\..*)?"
    r"|n_averaged|([\w.]*\.)?(pixel_)?(mean|std))"
)
"""Names in a state dict that change no answer: losses, scores, queues, counters; and the normalisation of
images, which `recognise` takes over."""

OTHER = "convert it with the recipe it was made for"
WHOLE = "set the family to what it was made for"
PART = "it holds a part of the network, from which a training may start: kerazoo train --weights"

NETWORKS = 100
"""Networks in one file, of which one can be meant."""

NAMED = 4  # keys an error names of each kind, so that it stays one line


def conv(source: str, target: str, *, bias: bool = True) -> Table:
    """Map a PyTorch convolution, plain or transposed, to the Keras layer `target`."""
    table: Table = {f"{target}/kernel": (f"{source}.weight", _kernel)}
    return table | ({f"{target}/bias": (f"{source}.bias", _same)} if bias else {})


def depthwise(source: str, target: str) -> Table:
    """Map a PyTorch depthwise convolution without bias to the Keras layer `target`."""
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


def keras_layer(source: str, target: str, *names: str) -> Table:
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


class OtherNetwork(UserError):
    """The checkpoint does not contain the expected network."""


def network_in(arrays: Arrays, *anchors: str) -> Arrays:
    """Return the arrays of a checkpoint's network, found by a key that only it has.

    What lies beside it in the same state dict is called "KEY beside it", so that a strict `translate` refuses
    it, except for `HARMLESS` keys and for other networks that have the key too.

    Args:
        arrays: `{checkpoint key: array}` as `kerazoo.checkpoints.read.read` returns it.
        anchors: keys that only such a network has, in the order in which they are looked for.

    Raises:
        OtherNetwork: it has none of them.
        UserError: several networks, none of which is `PUBLISHED` or in a container that comes first.
    """
    starts = next(filter(None, (_starts(arrays, anchor) for anchor in anchors)), None)
    if not starts:
        raise OtherNetwork(
            f"the checkpoint has no {anchors[0]}: its keys are {join_names(list(arrays))}", OTHER
        )
    best = min(map(_rank, starts))
    chosen = [start for start in starts if _rank(start) == best]
    if len(chosen) > 1 or len(starts) > NETWORKS:
        names = join_names(sorted(start.rstrip(".:/") or "its own" for start in starts))
        raise UserError(f"the checkpoint holds several networks: {names}", "choose one: convert --part NAME")
    (start,) = chosen
    state = start[: start.rfind(":") + 1]
    own = {key: array for key, array in arrays.items() if key[: key.rfind(":") + 1] == state}
    own = {key: array for key, array in own.items() if not HARMLESS.fullmatch(key.removeprefix(state))}
    beside = [key for key in own if not key.startswith(tuple(starts))]
    network = {key.removeprefix(start): array for key, array in own.items() if key.startswith(start)}
    return {f"{key} beside it": own[key] for key in beside} | network


def _starts(arrays: Arrays, anchor: str) -> list[str]:
    """Return the prefixes of the keys that end in `anchor`."""
    starts = (key.removesuffix(anchor) for key in arrays if key.endswith(anchor))
    return [start for start in starts if start[-1:] in ("", ".", ":", "/")]


def _rank(start: str) -> tuple[bool, int]:
    """Return the rank of a network's prefix; the lowest is chosen."""
    containers = start.split(":")[:-1]
    ranks = (rank for rank, name in enumerate(CONTAINERS) if name in containers)
    published = any(PUBLISHED.fullmatch(part) for part in re.split("[.:/]", start))
    return not published, next(ranks, len(CONTAINERS))


def part_of(arrays: Arrays, name: str) -> Arrays:
    """Return the arrays below a prefix of a checkpoint.

    Args:
        arrays: `{checkpoint key: array}`.
        name: such as "netG_A" or "state_dict:module.encoder_q".

    Raises:
        UserError: nothing is.
    """
    starts = (f"{name}.", f"{name}:", f"{name}/")
    part = {key: array for key, array in arrays.items() if key.startswith(starts)}
    if not part:
        parts = sorted({re.split("[.:/]", key)[0] for key in arrays})
        raise UserError(f"the checkpoint has no part {name!r}", f"it has {join_names(parts)}")
    return part


def unused_arrays(arrays: Arrays, used_arrays: Arrays) -> str:
    """Return a line that names the arrays of a checkpoint that were not used, or "".

    Args:
        arrays: `{checkpoint key: array}`.
        used_arrays: `{variable path: array}`, of `translate`: views of the checkpoint's.
    """
    used = {_address(array) for array in used_arrays.values()}
    left = [key for key, array in arrays.items() if _address(array) not in used]
    names = [key for key in left if not key.endswith(".num_batches_tracked")]
    return f"left out: {join_names(names)}" if names else ""


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def shape_of(arrays: Arrays, key: str, axes: int) -> tuple[int, ...]:
    """Return the shape of an array.

    Raises:
        LookupError: it is not there, has not so many axes, or nothing in it.
    """
    array = arrays[key]
    if array.ndim != axes or not array.size:
        raise LookupError(key)
    return array.shape


def recognise(
    candidates: Mapping[str, Callable[[Arrays], dict[str, Any] | None]],
    arrays: Arrays,
    layout: str | None = None,
) -> tuple[str, dict[str, Any]]:
    """Return the layout of a checkpoint's keys, and the settings of its network.

    Where the checkpoint keeps the mean and std of its images, these take the place of the layout's.

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
    fitting = {
        name: settings for name in tried if (settings := _try_settings(candidates[name], arrays)) is not None
    }
    if len(fitting) == 1:
        ((name, settings),) = fitting.items()
        return name, settings | _normalisation(arrays)
    if fitting:
        raise UserError(
            f"the checkpoint may be in any of the layouts {', '.join(fitting)}",
            "choose one: kerazoo convert --layout NAME",
        )
    raise UserError(
        f"the checkpoint is not in the layout {' or '.join(tried)}: its keys are {join_names(list(arrays))}",
        OTHER,
    )


def fits(candidates: Mapping[str, Callable[[Arrays], dict[str, Any] | None]], arrays: Arrays) -> bool:
    """Whether a checkpoint has one of the candidate layouts."""
    return any(_try_settings(candidate, arrays) is not None for candidate in candidates.values())


def _try_settings(
    settings_for: Callable[[Arrays], dict[str, Any] | None], arrays: Arrays
) -> dict[str, Any] | None:
    try:
        return settings_for(arrays)
    except (LookupError, OtherNetwork):
        return None


def _normalisation(arrays: Arrays) -> dict[str, tuple[float, ...]]:
    """Return the mean and std of images, if the checkpoint contains them, scaled to 0..255."""
    means = [key for key in arrays if re.fullmatch(r"([\w.:]*[.:])?(pixel_)?mean", key)]
    pairs = [(arrays[key], arrays.get(f"{key[: -len('mean')]}std")) for key in means]
    statistics = {
        (tuple(mean.ravel().tolist()), tuple(std.ravel().tolist()))
        for mean, std in pairs
        if std is not None and mean.size == std.size in (1, 3)
    }
    if len(statistics) != 1:
        return {}
    ((mean, std),) = statistics
    scale = 255.0 if max(map(abs, (*mean, *std))) <= 1 else 1.0
    return {
        "mean": tuple(round(scale * value, 3) for value in mean),
        "std": tuple(round(scale * value, 3) for value in std),
    }


def translate(
    arrays: Arrays,
    table: Table,
    ignored: Iterable[str] = (".num_batches_tracked",),
    *,
    body: bool = False,
) -> Arrays:
    """Return `{variable path: array}` for a checkpoint's arrays.

    Args:
        arrays: `{checkpoint key: array}`.
        table: what every variable is made of.
        ignored: endings of the keys that stand for nothing in the network.
        body: the table is that of a body, and keys that begin otherwise than all of its own may be those
            of a head.

    Raises:
        UserError: keys of the table that are missing, keys that nothing uses, and values that are no numbers.
    """
    wanted = {key for key, _ in table.values()}
    ignorable = {key for key in arrays if key.endswith(tuple(ignored))}
    unexpected = arrays.keys() - wanted - ignorable
    if body:
        roots = {_root(key) for key in wanted}
        unexpected = {key for key in unexpected if _root(key) in roots}
    broken = {key for key in wanted & arrays.keys() if not np.isfinite(arrays[key]).all()}
    _refuse(missing=wanted - arrays.keys(), unexpected=unexpected, infinite=broken)
    return {path: change(arrays[key]) for path, (key, change) in table.items()}


def _root(key: str) -> str:
    return re.split("[./_]", key)[0]


def fit(array: np.ndarray | None, shape: Sequence[int]) -> np.ndarray | None:
    """Return an array adapted to a variable's shape, or None if it does not fit.

    The kernel of a first convolution on RGB is summed for grey, which gives the same for a grey image.

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
    """Write every variable of a network, or none if anything does not fit.

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
    missing = variables.keys() - arrays.keys()
    remedy = PART if missing and arrays.keys() < variables.keys() and not misshapen else WHOLE
    _refuse(missing, arrays.keys() - variables.keys(), misshapen, remedy=remedy)
    for path, variable in variables.items():
        variable.assign(arrays[path])


def _refuse(
    missing: Iterable[str],
    unexpected: Iterable[str],
    misshapen: Iterable[str] = (),
    infinite: Iterable[str] = (),
    remedy: str = WHOLE,
) -> None:
    wrong = {
        "missing": sorted(missing),
        "unexpected": sorted(unexpected),
        "of another shape": sorted(misshapen),
        "not finite": sorted(infinite),
    }
    reasons = [f"{len(names)} {kind} ({join_names(names)})" for kind, names in wrong.items() if names]
    if reasons:
        raise UserError(f"the checkpoint does not fit: {'; '.join(reasons)}", remedy)


def join_names(names: list[str]) -> str:
    """Return the first few names and how many more there are."""
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
