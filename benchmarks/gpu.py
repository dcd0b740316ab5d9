"""Training steps and predictions of all families on the device that is there, in images/s.

    KERAS_BACKEND=torch python benchmarks/gpu.py [--recipes unetpp hrnet-pose] [--batch 32] [--seconds 5]
        [--train unetpp resnet20-cifar] [--output gpu.json]

Needs kerazoo and its backend, and no downloads: the data are the built-in ones. Each recipe runs in float32
and in mixed bfloat16. "share" is what a prediction reaches of the arithmetic that products of large matrices
reach in the same precision. On PyTorch, UNet++ written in plain PyTorch runs beside, compiled by
`torch.compile`. `--train` trains recipes to their end as well, at most ten minutes each, and keeps their
scores. Small recipes (`unetpp-tiny`) run on a CPU.
"""

import argparse
import contextlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

PRECISIONS = ("float32", "mixed_bfloat16")
MATRIX = 4096
"""Side of the matrices whose product is the yardstick."""

MINUTES = 10
"""That a training may take."""


def rate(run: Callable[[], Any], seconds: float) -> float:
    """Return how often a second something runs, after a first time."""
    run()
    count, began = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - began < seconds:
        run()
        count += 1
    return count / (time.perf_counter() - began)


def operations(network: Any, shape: tuple[int, ...]) -> int:
    """Return the multiplications and additions of a network's convolutions and dense layers.

    Args:
        network: functional, of one input.
        shape: of a batch.
    """
    import keras

    layers = [layer for layer in network.layers if hasattr(layer, "kernel")]
    if not layers:
        return 0
    transposed = [isinstance(layer, keras.layers.Conv2DTranspose) for layer in layers]
    # Each value of the kernel is used once for each position: of the output, of a transposed one's input.
    maps = [layer.input if up else layer.output for layer, up in zip(layers, transposed, strict=True)]
    shapes = keras.Model(network.input, maps).compute_output_shape(shape)
    shapes = shapes if isinstance(shapes, list) else [shapes]
    return sum(
        2 * math.prod(layer.kernel.shape) * math.prod(seen[:-1])
        for layer, seen in zip(layers, shapes, strict=True)
    )


def limit(precision: str, side: int, seconds: float) -> float:
    """Return the operations/s of products of large matrices in a precision."""
    from keras import ops

    x = ops.cast(ops.ones((side, side)), "bfloat16" if "bfloat16" in precision else "float32")

    def product() -> None:
        float(ops.cast(ops.matmul(x, x)[0, 0], "float32"))  # reading a value waits for the device

    return 2 * side**3 * rate(product, seconds)


def measured(name: str, precision: str, batch: int | None, seconds: float) -> dict[str, float]:
    """Return images/s of a recipe's training step and prediction, and the operations/s of the latter."""
    import dataclasses

    import keras

    from kerazoo import backend
    from kerazoo.data.loader import stream
    from kerazoo.engine.training.steps import compiled
    from kerazoo.layers import folded
    from kerazoo.recipe import load_recipe

    keras.config.set_dtype_policy(precision)
    recipe = load_recipe(name)
    recipe = dataclasses.replace(recipe, batch_size=batch or recipe.batch_size, precision=precision)
    family = recipe.family
    samples = family.configure(recipe.data).samples("train")
    x, y = stream(samples, family, recipe.augmentation, batch=recipe.batch_size, seed=0)[0]
    network = family.build()
    objective = compiled(recipe, network, x.shape, 100)
    found = {"step": 3 * len(x) * rate(lambda: _steps(objective, x, y), seconds)}
    images = x.reshape(-1, *x.shape[-3:])  # also of episodes and pairs
    if len(network.inputs) == 1 and len(network.inputs[0].shape) == 4:
        forward = backend.forward(folded(network)[0])
        times = rate(lambda: forward(images), seconds)
        found |= {"predict": times * len(images), "operations": times * operations(network, images.shape)}
    return found


def _steps(objective: Any, x: np.ndarray, y: Any) -> None:
    from kerazoo import backend

    objective.fit(backend.fit_input([(x, y)] * 3), steps_per_epoch=3, verbose=0, shuffle=False)


def plain_torch(precision: str, size: int, batch: int, seconds: float) -> dict[str, float]:
    """Return images/s of UNet++ in plain PyTorch, compiled, on the accelerator if there is one."""
    import torch
    from plain_torch import UNetPlusPlus

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
    network = UNetPlusPlus((16, 32, 64, 128, 256), 3, 3).to(device).to(memory_format=torch.channels_last)
    compiled = torch.compile(network)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    x = torch.randn(batch, 3, size, size, device=device).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 3, (batch, size, size), device=device)
    half = torch.autocast(torch.device(device).type, torch.bfloat16, enabled="bfloat16" in precision)

    def step() -> None:
        optimizer.zero_grad()
        with half:
            loss = sum(torch.nn.functional.cross_entropy(head, labels) for head in compiled(x))
        loss.backward()
        optimizer.step()
        float(loss)

    def predict() -> None:
        with torch.no_grad(), half:
            compiled(x)[-1].float().cpu()

    return {"step": batch * rate(step, seconds), "predict": batch * rate(predict, seconds)}


def trained(name: str) -> dict[str, Any]:
    """Return the minutes and the scores of a recipe's training, cut off after `MINUTES`."""
    folder = Path(tempfile.mkdtemp()) / "run"
    began = time.perf_counter()
    command = [Path(sys.executable).with_name("kerazoo"), "train", name, "--output", str(folder)]
    with contextlib.suppress(subprocess.TimeoutExpired):  # what the log has until then counts
        subprocess.run(command, check=True, capture_output=True, timeout=60 * MINUTES)
    log = (folder / "log.jsonl").read_text().splitlines()
    minutes = (time.perf_counter() - began) / 60
    return {"minutes": minutes, "epochs": len(log), "last": json.loads(log[-1]) if log else None}


def results(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each recipe and precision, printed as it comes."""
    for precision in PRECISIONS:
        best = limit(precision, options.matrix, options.seconds)
        for name in options.recipes:
            row = measured(name, precision, options.batch, options.seconds)
            yield {"recipe": name, "precision": precision, "share": row.pop("operations", 0) / best} | row
        from kerazoo import backend

        if backend.name() == "torch" and options.plain:
            yield {"recipe": "plain UNet++, compiled", "precision": precision} | plain_torch(
                precision, 128, options.batch or 8, options.seconds
            )


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    everything = ["unetpp", "unet-resnet34", "fcn8s", "hrnet-seg", "hrnet-pose", "resnet50", "openpose"]
    everything += ["cyclegan", "siamese", "protonet", "maml", "reptile"]
    parser.add_argument("--recipes", nargs="*", default=everything)
    parser.add_argument("--train", nargs="*", default=[])
    parser.add_argument("--batch", type=int)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--matrix", type=int, default=MATRIX)
    parser.add_argument("--no-plain", dest="plain", action="store_false")
    parser.add_argument("--output", default="gpu.json")
    options = parser.parse_args(arguments)
    from kerazoo import backend

    told: dict[str, Any] = {"backend": backend.name(), "devices": backend.devices(), "rows": []}
    for row in results(options):
        told["rows"].append(row)
        print(
            "  ".join(f"{k} {v:.3g}" if isinstance(v, float) else str(v) for k, v in row.items()), flush=True
        )
    told["trained"] = {name: trained(name) for name in options.train}
    Path(options.output).write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
