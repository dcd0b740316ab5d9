"""Images/s and memory of CycleGAN's training step on the three backends, as ratios to plain PyTorch.

    python benchmarks/cyclegan.py [--size 128] [--blocks 6] [--width 32] [--rounds 5]

The reference is the training that the tests compare gradients with, in float32. An image is a pair: both
domains' images of one step, with the pool of 50, batches of one as published.
"""

import sys
from pathlib import Path

import numpy as np
from turns import Work, contest

STEPS = 2


def example(size: int):
    """Return both images `(1, size, size, 3)`, -1..1, and the draws of the image pool."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 1, size, size, 3)).astype("float32")
    return a, {"partner": b, "pool_draws": rng.random((1, 2, 2), "float32")}


def plain_torch(size: int, blocks: int, width: int) -> Work:
    import torch

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.families.cyclegan_reference import Training

    torch.manual_seed(0)

    def adam(parameters):
        return torch.optim.Adam(parameters, 2e-4, betas=(0.5, 0.999))

    training = Training(width, torch.float32, adam, pool=50, blocks=blocks, depth=3)
    x, y = example(size)
    a, b = (torch.from_numpy(image.transpose(0, 3, 1, 2).copy()) for image in (x, y["partner"]))

    def train():
        for _ in range(STEPS):
            training.step(a, b, y["pool_draws"][0])

    return {"train": (train, STEPS)}


def kerazoo_training(size: int, blocks: int, width: int) -> Work:
    from kerazoo import backend
    from kerazoo.families.cyclegan import CycleGAN
    from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule

    family = CycleGAN(blocks=blocks, width=width, discriminator_width=width)
    model = family.objective(family.build())
    rates = learning_rate_schedule(2e-4, Schedule(kind="constant"), 10**6, 0)
    optimizer = Optimizer(name="adam", beta_1=0.5).build(rates, mixed=False)
    model.compile(optimizer=optimizer, jit_compile=backend.jit_training())
    pair = example(size)

    def train():
        model.fit(
            backend.fit_input(pair for _ in range(STEPS)), steps_per_epoch=STEPS, verbose=0, shuffle=False
        )

    return {"train": (train, STEPS)}


if __name__ == "__main__":
    contest(__file__, __doc__, {"size": 128, "blocks": 6, "width": 32}, plain_torch, kerazoo_training)
