"""Published weights of CycleGAN's networks, `latest_net_G*.pth` and `latest_net_D*.pth`."""

import re
from typing import Any

from kerazoo.checkpoints.mapping import Arrays, Table, conv, network_in, recognise, shape_of, translate
from kerazoo.errors import UserError

IGNORED = (".running_mean", ".running_var", ".num_batches_tracked")
"""Files older than PyTorch 0.4 hold statistics of instance norms, which nothing ever used."""

FIRST_BLOCK = 10
"""Number of the first residual block among the published generator's modules, "model.10"."""

ANCHORS = (f"{FIRST_BLOCK}.conv_block.0.weight", f"{FIRST_BLOCK}.conv_block.1.weight")
"""The first convolution of a block that pads with zeros, and of one that mirrors."""


def generator_settings(arrays: Arrays) -> dict[str, Any] | None:
    """Return the settings of a published generator, None where the keys are not of one.

    Raises:
        LookupError, OtherNetwork: other keys.
        UserError: a generator of another build.
    """
    if any(key.endswith("model.0.weight") and array.shape[2:] == (4, 4) for key, array in arrays.items()):
        raise UserError("this is a discriminator, which translates nothing", "give latest_net_G_A.pth")
    keys = network_in(arrays, *ANCHORS)
    blocks = {int(match[1]) for key in keys if (match := re.match(r"([0-9]{1,4})\.conv_block\.", key))}
    if blocks != set(range(FIRST_BLOCK, FIRST_BLOCK + len(blocks))):
        return None
    width, channels, _, _ = shape_of(keys, "1.weight", 4)
    outputs, *_ = shape_of(keys, f"{FIRST_BLOCK + len(blocks) + 7}.weight", 4)
    checks = {
        "pads its blocks with zeros": ANCHORS[0] in keys,
        "has norms with weights (batch norms, or affine instance norms)": "2.weight" in keys,
        f"makes {outputs} channels of {channels}": outputs != channels,
    }
    if any(checks.values()):
        problems = ", ".join(problem for problem, occurs in checks.items() if occurs)
        raise UserError(
            f"this generator {problems}, which kerazoo does not build",
            "give one of CycleGAN's own training: mirrored borders, instance norms without weights",
        )
    return {"blocks": len(blocks), "width": width, "channels": channels, "single_generator": True}


LAYOUTS = {"cyclegan": generator_settings}


def convert_generator(arrays: Arrays, prefix: str = "") -> Arrays:
    """Return `{variable path: array}` of `cyclegan_generator` for a published generator.

    Args:
        arrays: `{checkpoint key: array}`.
        prefix: of the layers' names.

    Raises:
        UserError: keys that are missing or that nothing uses.
    """
    _, generator = recognise(LAYOUTS, arrays)
    keys = network_in(arrays, *ANCHORS)
    last = FIRST_BLOCK + generator["blocks"]
    # With dropout in its blocks the second convolution is one module further on.
    second = 6 if f"{FIRST_BLOCK}.conv_block.6.weight" in keys else 5
    table: Table = conv("1", f"{prefix}conv")
    for step, module in enumerate((4, 7), 1):
        table |= conv(f"{module}", f"{prefix}down{step}")
    for block, module in enumerate(range(FIRST_BLOCK, last), 1):
        for step, inner in ((1, 1), (2, second)):
            table |= conv(f"{module}.conv_block.{inner}", f"{prefix}block{block}_conv{step}")
    for step, module in enumerate((last, last + 3), 1):
        table |= conv(f"{module}", f"{prefix}up{step}")
    table |= conv(f"{last + 7}", f"{prefix}out")
    return translate(keys, table, IGNORED)


def convert(arrays: Arrays) -> Arrays:
    """Return `{variable path: array}` of a published generator as the one that goes from A to B."""
    return convert_generator(arrays, "AtoB_")


def convert_discriminator(arrays: Arrays, prefix: str = "") -> Arrays:
    """Return `{variable path: array}` of `patch_discriminator` for a published discriminator.

    Args:
        arrays: `{checkpoint key: array}`.
        prefix: of the layers' names.

    Raises:
        UserError: keys that are missing or that nothing uses.
    """
    keys = network_in(arrays, "0.weight")
    modules = sorted(int(match[1]) for key in keys if (match := re.fullmatch(r"([0-9]{1,4})\.weight", key)))
    table: Table = {}
    for step, module in enumerate(modules[:-1], 1):
        table |= conv(f"{module}", f"{prefix}conv{step}")
    table |= conv(f"{modules[-1]}", f"{prefix}logits")
    return translate(keys, table, IGNORED)
