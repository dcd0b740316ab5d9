"""Published weights of CycleGAN's networks, `latest_net_G*.pth` and `latest_net_D*.pth`."""

from typing import Any

from kerazoo.checkpoints import Arrays, Table, conv, recognise, translate, without_prefix

IGNORED = (".running_mean", ".running_var", ".num_batches_tracked")
"""Files older than PyTorch 0.4 hold statistics of instance norms, which nothing ever used."""

FIRST_BLOCK = 10
"""Number of the first residual block among the published generator's modules, "model.10"."""


def generator_settings(arrays: Arrays) -> dict[str, Any] | None:
    """Return the settings of a published generator, None where the keys are not of one."""
    keys = without_prefix(arrays)
    blocks = {int(key.split(".")[0]) for key in keys if ".conv_block.1.weight" in key}
    if blocks != set(range(FIRST_BLOCK, FIRST_BLOCK + len(blocks))) or not blocks:
        return None
    stem = keys["1.weight"]
    return {"blocks": len(blocks), "width": stem.shape[0], "channels": stem.shape[1], "alone": True}


LAYOUTS = {"cyclegan": generator_settings}


def convert_generator(arrays: Arrays, prefix: str = "") -> Arrays:
    """Return `{variable path: array}` of `cyclegan_generator` for a published generator.

    Args:
        arrays: `{checkpoint key: array}`.
        prefix: of the layers' names.

    Raises:
        UserError: keys that are missing or that nothing uses.
    """
    _, found = recognise(LAYOUTS, arrays)
    keys = without_prefix(arrays)
    last = FIRST_BLOCK + found["blocks"]
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


def convert_discriminator(arrays: Arrays, prefix: str = "") -> Arrays:
    """Return `{variable path: array}` of `patch_discriminator` for a published discriminator.

    Args:
        arrays: `{checkpoint key: array}`.
        prefix: of the layers' names.

    Raises:
        UserError: keys that are missing or that nothing uses.
    """
    keys = without_prefix(arrays)
    modules = sorted(int(key.split(".")[0]) for key in keys if key.endswith(".weight"))
    table: Table = {}
    for step, module in enumerate(modules[:-1], 1):
        table |= conv(f"{module}", f"{prefix}conv{step}")
    table |= conv(f"{modules[-1]}", f"{prefix}logits")
    return translate(keys, table, IGNORED)
