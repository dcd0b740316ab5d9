"""Published weights of U-Net with an encoder."""

from typing import Any

from kerazoo.checkpoints.mapping import Arrays, recognise, translate
from kerazoo.families.encoders import LEVELS, smp_network, smp_settings, smp_table


def convert(arrays: Arrays) -> Arrays:
    """Return `{variable path: array}` for a checkpoint of segmentation_models_pytorch's `Unet`.

    It fits `unet(encoder=..., norm=True, up="nearest")`.

    Args:
        arrays: its state dict; the encoder is a ResNet.

    Raises:
        UserError: another layout; keys that are missing or unexpected.
    """
    recognise(LAYOUTS, arrays)
    arrays = smp_network(arrays)
    return translate(arrays, smp_table(arrays, dict(_blocks()), "head"))


def smp(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for the keys of `Unet`; raises LookupError for others."""
    arrays = smp_network(arrays)
    widths = [arrays[f"{theirs}.conv2.0.weight"].shape[0] for theirs, _ in _blocks()]
    return smp_settings(arrays) | {"filters": tuple(reversed(widths)), "padding": "same"}


def _blocks() -> list[tuple[str, str]]:
    """Theirs are counted from the deepest."""
    return [(f"decoder.blocks.{i}", f"merge{LEVELS - i}") for i in range(LEVELS)]


LAYOUTS = {"smp": smp}
"""What the importer reads."""
