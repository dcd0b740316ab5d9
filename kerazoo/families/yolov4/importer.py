"""Published weights of YOLOv4: darknet's own files, read and written, and a port of them to PyTorch.

A `.weights` file tells neither names nor shapes, so the number of its values has to tell the network.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerazoo.checkpoints.darknet import KEY, write_values
from kerazoo.checkpoints.mapping import Arrays, Table, batch_norm, conv, network_in, shape_of, translate
from kerazoo.errors import UserError
from kerazoo.families.yolov4.configuration import PER_HEAD, Network
from kerazoo.families.yolov4.order import Convolution, convolutions

if TYPE_CHECKING:
    import keras

NORMALISATION = {"mean": (0.0,), "std": (255.0,), "order": "RGB"}
"""Of the published networks: RGB, 0..1."""

MOST_CLASSES = 9999
"""A file with more values has another network."""

ANCHOR = "models.0.conv1.weight"
"""A key that only the port has."""


# --- recognition -------------------------------------------------------------------------


def darknet(arrays: Arrays) -> dict[str, Any] | None:
    """Return the settings of a whole published network in darknet's file, None where it is another one.

    Raises:
        LookupError: no file of darknet's.
    """
    fitting = (sized(arrays[KEY], **shape) for shape in _published())
    return next(filter(None, fitting), None)


def port(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for keys as "models.0.conv1.weight" (Tianxiaomo/pytorch-YOLOv4, darknet2pytorch).

    Raises:
        LookupError: other keys.
    """
    arrays = network_in(arrays, ANCHOR)
    network = _NETWORKS[len(_sources(arrays))]
    width, channels, _, _ = shape_of(arrays, ANCHOR, 4)
    last = _sources(arrays)[-1]
    classes = shape_of(arrays, f"{last}.weight", 4)[0] // PER_HEAD - 5
    return NORMALISATION | {
        "network": network,
        "width": width,
        "channels": channels,
        "classes": classes,
        "depth": 1.0,
    }


LAYOUTS = {"darknet": darknet, "port": port}
"""What the importer reads."""

_NETWORKS: dict[int, Network] = {110: "yolov4", 21: "yolov4-tiny"}
"""By the number of convolutions."""


def _published() -> Iterator[dict[str, Any]]:
    for network in _NETWORKS.values():
        yield {"network": network, "width": 32, "depth": 1.0, "channels": 3}


def sized(
    values: np.ndarray, *, network: Network, width: int, depth: float, channels: int
) -> dict[str, Any] | None:
    """Return the settings of a network of this shape that has as many values, None where none has.

    Only the number of classes is open.
    """
    shape: dict[str, Any] = {"network": network, "width": width, "depth": depth, "channels": channels}
    one, two = (sum(c.values() for c in convolutions(classes=n, **shape)) for n in (1, 2))
    more, rest = divmod(len(values) - one, two - one)
    classes = 1 + more
    return None if rest or not 1 <= classes <= MOST_CLASSES else NORMALISATION | shape | {"classes": classes}


def begun(values: np.ndarray, classes: int, own: dict[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """Return a network's shape and first variables for a file that ends early, such as `yolov4.conv.137`.

    Args:
        values: of the file.
        classes: of the network, should the file reach beyond its first head.
        own: the shape to try after the published ones, arguments of `sized`.

    Raises:
        UserError: it ends within a layer of each.
    """
    for shape in (*_published(), own):
        known = convolutions(classes=classes, **shape)
        ends = list(itertools.accumulate(convolution.values() for convolution in known))
        if len(values) in ends:
            first = known[: ends.index(len(values)) + 1]
            return NORMALISATION | shape, _split(values, first)
    raise UserError(
        f"{len(values)} values fit neither YOLOv4 nor YOLOv4-tiny, nor do their first layers have as many",
        "set the family to what the file was made for: network, width, depth",
    )


# --- darknet's order, both ways ------------------------------------------------------------


def convert(arrays: Arrays, known: Sequence[Convolution]) -> Arrays:
    """Return `{variable path: array}` for a checkpoint in one of `LAYOUTS`.

    Args:
        arrays: of the checkpoint.
        known: the convolutions of the network that it holds.

    Raises:
        UserError: another number of values; keys that are missing or unexpected; values that are not finite.
    """
    if KEY in arrays:
        wanted = sum(convolution.values() for convolution in known)
        if len(arrays[KEY]) != wanted:
            raise UserError(
                f"the file holds {len(arrays[KEY])} values, the network {wanted}",
                "set the family to what it was made for: network, width, depth, classes",
            )
        return _split(arrays[KEY], known)
    arrays = network_in(arrays, ANCHOR)
    sources = _sources(arrays)
    if len(sources) != len(known):
        raise UserError(
            f"the checkpoint has {len(sources)} convolutions, the network {len(known)}",
            "set the family to what it was made for",
        )
    table: Table = {}
    for source, convolution in zip(sources, known, strict=True):
        table |= conv(source, convolution.name, bias=not convolution.norm)
        if convolution.norm:
            table |= batch_norm(source.replace("conv", "bn"), f"{convolution.name}_bn")
    return translate(arrays, table)


def _sources(arrays: Arrays) -> list[str]:
    """Return the port's convolutions, "models.0.conv1" and so on, in their order."""
    found = (re.fullmatch(r"(models\.\d+\.conv(\d+))\.weight", key) for key in arrays)
    numbered = {int(match[2]): match[1] for match in found if match}
    return [numbered[number] for number in sorted(numbered)]


def _split(values: np.ndarray, known: Sequence[Convolution]) -> Arrays:
    if not np.isfinite(values).all():
        raise UserError("the file holds values that are not finite", "get it again")
    arrays: Arrays = {}
    place = 0

    def take(count: int) -> np.ndarray:
        nonlocal place
        place += count
        return values[place - count : place]

    for name, channels, filters, kernel, norm in known:
        if norm:
            for variable in ("beta", "gamma", "moving_mean", "moving_variance"):
                arrays[f"{name}_bn/{variable}"] = take(filters)
        else:
            arrays[f"{name}/bias"] = take(filters)
        stored = take(filters * channels * kernel**2).reshape(filters, channels, kernel, kernel)
        arrays[f"{name}/kernel"] = stored.transpose(2, 3, 1, 0)
    return arrays


def write_darknet(
    network: "keras.Model", path: str | Path, known: Sequence[Convolution], seen: int = 0
) -> None:
    """Write a network as darknet's `.weights`.

    Args:
        network: `yolov4` or `yolov4_tiny`, not folded.
        path: of the file.
        known: its convolutions.
        seen: images that its training saw.
    """
    from keras import ops

    variables = {variable.path: variable for variable in network.weights}

    def arrays() -> Iterator[np.ndarray]:
        for name, *_, norm in known:
            names = ("beta", "gamma", "moving_mean", "moving_variance")
            paths = [f"{name}_bn/{variable}" for variable in names] if norm else [f"{name}/bias"]
            yield from (ops.convert_to_numpy(variables[each]) for each in paths)
            yield ops.convert_to_numpy(variables[f"{name}/kernel"]).transpose(3, 2, 0, 1)

    write_values(path, arrays(), seen)
