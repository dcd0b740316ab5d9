"""Every artefact is run again and compared with the Keras model: converters fail silently."""

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kerazoo.errors import UserError
from kerazoo.task import Task

SIZES = ((97, 131), (256, 256))
"""Height, width, where the network takes any. The first divides by nothing a network likes."""

BATCHES = (1, 2)

Forward = Callable[[np.ndarray], dict[str, np.ndarray]]


def tolerance(task: Task, network: keras.Model) -> float:
    """Return by how much rounding may change a probability: `task.tolerance`, more for large logits.

    A logit is sure to about 16 units in its last place after a few dozen float32 convolutions,
    and a probability moves no further than its logit. FCN's logits reach hundreds.
    """
    x, _ = task.prepare(sample_images(1, 256, 256, 3)[0].astype("uint8"))
    logits = network(x[None], training=False).values()
    peak = max(float(keras.ops.max(keras.ops.abs(value))) for value in logits)
    return max(task.tolerance, 16 * float(np.finfo("float32").eps) * peak)


def verified(
    task: Task, model: keras.Model, forward: Forward, allowed: float, what: str
) -> list[dict[str, Any]]:
    """Return the difference of the outputs for each of `SIZES`, or the network's own, and of `BATCHES`.

    Args:
        task: says how they differ.
        model: `{"image": float32 (N, H, W, C)}` -> `{name: float32}`, the truth.
        forward: the artefact.
        allowed: the largest difference that is none.
        what: what an error calls it.

    Raises:
        UserError: an output is missing or misshapen, not a number, or off by more than `allowed`.
    """
    _, *own, channels = model.input["image"].shape
    cases = []
    for (height, width), batch in itertools.product(SIZES if None in own else [own], BATCHES):
        case = batch, height, width
        images = sample_images(*case, channels)
        expected = {
            k: keras.ops.convert_to_numpy(v) for k, v in model({"image": images}, training=False).items()
        }
        outputs = forward(images)
        if (found := _shapes(outputs)) != (shapes := _shapes(expected)):  # NumPy would broadcast some
            raise UserError(f"{what} has the outputs {found}, the Keras model {shapes}", "try another format")
        difference = task.output_difference(expected, outputs)
        if not difference <= allowed:
            size = " x ".join(map(str, case))
            raise UserError(
                f"{what} differs from the Keras model by {difference:.1e} on {size} images",
                f"it was not kept, since rounding explains {allowed:.0e} at most; try another format",
            )
        cases.append(dict(zip(("batch", "height", "width"), case, strict=True)) | {"difference": difference})
    return cases


def sample_images(batch: int, height: int, width: int, channels: int) -> np.ndarray:
    """Return made-up images: patches of 16 pixels with grain, whole numbers 0..255 as float32."""
    random = np.random.default_rng(0)
    patches = random.uniform(0, 255, (batch, height // 16 + 1, width // 16 + 1, channels))
    smooth = patches.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    return np.clip(smooth + random.normal(0, 20, smooth.shape), 0, 255).round().astype("float32")


def _shapes(outputs: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in outputs.items()}
