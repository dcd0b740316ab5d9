"""Published weights of UNet++."""

from typing import Any

from kerazoo.checkpoints.mapping import (
    Arrays,
    Table,
    batch_norm,
    conv,
    network_in,
    recognise,
    shape_of,
    translate,
)
from kerazoo.families.encoders import LEVELS, smp_network, smp_settings, smp_table


def convert(arrays: Arrays) -> Arrays:
    """Return `{variable path: array}` of `unetpp` for a checkpoint in one of `LAYOUTS`.

    Raises:
        UserError: keys that are missing or unexpected.
    """
    layout, _ = recognise(LAYOUTS, arrays)
    if layout == "smp":
        arrays = smp_network(arrays)
        return translate(arrays, smp_table(arrays, dict(_blocks()), f"head{LEVELS - 1}"))
    arrays = network_in(arrays, NESTED)
    return translate(arrays, _nested_table(arrays))


# --- 4uiiurz1/pytorch-nested-unet ----------------------------------------------------------

NESTED = "conv0_0.conv1.weight"


def nested(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for the keys of `NestedUNet`, with deep supervision or without.

    Raises:
        LookupError: other keys.
    """
    arrays = network_in(arrays, NESTED)
    deep = "final.weight" not in arrays
    return {
        "channels": shape_of(arrays, NESTED, 4)[1],
        "classes": arrays["final1.weight" if deep else "final.weight"].shape[0],
        "filters": tuple(arrays[f"conv{i}_0.conv1.weight"].shape[0] for i in range(_depth(arrays))),
        "deep_supervision": deep,
        "norm": True,
        "up": "bilinear_align_corners",
        "skips_first": True,
        "encoder": None,
    }


def _nested_table(arrays: Arrays) -> Table:
    depth = _depth(arrays)
    table: Table = {}
    for i, j in [(row, column) for row in range(depth) for column in range(depth - row)]:
        for step in (1, 2):
            ours, theirs = f"x_{i}_{j}_conv{step}", f"conv{i}_{j}"
            table |= conv(f"{theirs}.conv{step}", ours) | batch_norm(f"{theirs}.bn{step}", f"{ours}_bn")
    if "final.weight" in arrays:
        return table | conv("final", f"head{depth - 1}")
    for j in range(1, depth):
        table |= conv(f"final{j}", f"head{j}")
    return table


def _depth(arrays: Arrays) -> int:
    return max(2, sum(key.endswith("_0.conv1.weight") for key in arrays))


# --- segmentation_models_pytorch -----------------------------------------------------------


def smp(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for the keys of `UnetPlusPlus`; raises LookupError for others."""
    arrays = smp_network(arrays)
    last = [f"decoder.blocks.x_0_{LEVELS - 1 - i}.conv2.0.weight" for i in range(LEVELS)]
    own = {"deep_supervision": False, "skips_first": False, "mode": "accurate", "level": None}
    return smp_settings(arrays) | {"filters": tuple(arrays[key].shape[0] for key in last)} | own


def _blocks() -> list[tuple[str, str]]:
    """Their x_d_l is the paper's X(4 - l, l - d + 1): they count rows from the deepest."""
    last = LEVELS - 1
    nodes = [(depth, layer) for layer in range(last) for depth in range(layer + 1)] + [(0, last)]
    return [(f"decoder.blocks.x_{d}_{n}", f"x_{last - n}_{n - d + 1}") for d, n in nodes]


LAYOUTS = {"pytorch-nested-unet": nested, "smp": smp}
"""What the importer reads."""
