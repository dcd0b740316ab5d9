"""Published weights of UNet++."""

from typing import Any

from kerazoo.checkpoints import Arrays, Table, batch_norm, conv, translate, without_prefix


def convert(arrays: Arrays) -> Arrays:
    """Return `{variable path: array}` for a checkpoint of 4uiiurz1/pytorch-nested-unet.

    It fits `unetpp(norm=True, up="bilinear_align_corners", skips_first=True)`, with deep
    supervision or without.

    Args:
        arrays: the state dict of its `NestedUNet`.

    Raises:
        UserError: keys that are missing or unexpected.
    """
    arrays = without_prefix(arrays)
    depth = _depth(arrays)
    table: Table = {}
    for i, j in [(row, column) for row in range(depth) for column in range(depth - row)]:
        for step in (1, 2):
            ours, theirs = f"x_{i}_{j}_conv{step}", f"conv{i}_{j}"
            table |= conv(f"{theirs}.conv{step}", ours) | batch_norm(f"{theirs}.bn{step}", f"{ours}_bn")
    if "final.weight" in arrays:
        table |= conv("final", f"head{depth - 1}")
    else:
        for j in range(1, depth):
            table |= conv(f"final{j}", f"head{j}")
    return translate(arrays, table)


def settings_for(arrays: Arrays) -> dict[str, Any] | None:
    """Return the arguments of `unetpp` that such a checkpoint was made with; raises as `convert`."""
    arrays = without_prefix(arrays)
    if "conv0_0.conv1.weight" not in arrays:
        return None
    convert(arrays)
    deep = "final.weight" not in arrays
    return {
        "channels": arrays["conv0_0.conv1.weight"].shape[1],
        "classes": arrays["final1.weight" if deep else "final.weight"].shape[0],
        "filters": tuple(arrays[f"conv{i}_0.conv1.weight"].shape[0] for i in range(_depth(arrays))),
        "deep_supervision": deep,
        "norm": True,
        "up": "bilinear_align_corners",
        "skips_first": True,
    }


def _depth(arrays: Arrays) -> int:
    return max(2, sum(key.endswith("_0.conv1.weight") for key in arrays))


LAYOUTS = {"pytorch-nested-unet": settings_for}
"""What the importer reads."""
