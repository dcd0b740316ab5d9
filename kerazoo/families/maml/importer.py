"""The authors' TensorFlow checkpoints (cbfinn/maml, MIT) as variables of ours."""

from typing import Any

import numpy as np

from kerazoo.errors import UserError
from kerazoo.families.conv4.model import BLOCKS

_KEYS = {
    **{f"model/conv{block}": f"conv{block}/kernel" for block in range(1, BLOCKS + 1)},
    **{f"model/{n}/beta": f"conv{n + 1}_bn/beta" for n in range(BLOCKS)},
    "model/w5": "logits/kernel",
    "model/b5": "logits/bias",
}
"""Key of the checkpoint -> path of the variable."""

_IGNORED = {f"model/Variable{f'_{n}' if n else ''}" for n in range(BLOCKS)}
"""The biases of the convolutions, which the normalisation that follows takes out again."""


def family_settings(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return what a checkpoint of the miniImageNet networks tells of its family's settings.

    Raises:
        UserError: missing, unexpected or misshapen keys.
    """
    lacking = sorted(_KEYS.keys() - arrays.keys())
    foreign = sorted(arrays.keys() - _KEYS.keys() - _IGNORED)
    if lacking or foreign:
        problem = f"lacks {', '.join(lacking)}" if lacking else f"has the unknown keys {', '.join(foreign)}"
        raise UserError(f"the checkpoint {problem}", "MAML's miniImageNet networks of cbfinn/maml are read")
    height, _, channels, filters = arrays["model/conv1"].shape
    cells, ways = arrays["model/w5"].shape
    side = round((cells / filters) ** 0.5)
    if (height, side * side * filters) != (3, cells) or channels not in (1, 3):
        shapes = f"model/conv1 {arrays['model/conv1'].shape}, model/w5 {arrays['model/w5'].shape}"
        raise UserError(f"the checkpoint's shapes do not fit each other: {shapes}", "take another checkpoint")
    images = {"channels": channels, "mean": (0.0,), "std": (255.0,), "rotations": False}
    episodes = {
        "ways": ways,
        "training_ways": ways,
        "steps": 5,
        "test_steps": 10,
        "inner_learning_rate": 0.01,
    }
    size = {"size": (84, 84)} if side == 5 else {}
    return images | episodes | size | {"filters": filters, "pool": "max", "features": "flatten"}


LAYOUTS = {"cbfinn": family_settings}
"""Of https://github.com/cbfinn/maml."""


def convert(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return `{variable path: array}`; TensorFlow's layouts are Keras' own."""
    return {path: arrays[key] for key, path in _KEYS.items()}
