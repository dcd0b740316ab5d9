"""Episodes/s of few-shot learning and pairs/s of Siamese networks, as ratios to plain PyTorch.

    python benchmarks/episodes.py [--family protonet|maml|reptile|siamese] [--rounds 5]

The reference is the same loop in PyTorch alone, channels first as its users write it: for protonet a training
episode of 20 ways, 1 shot, 5 queries; for MAML a batch of 4 tasks of 5 ways, 1 shot, 5 queries, one
second-order step; for Reptile a batch of 4 tasks of 5 ways, 10 shots, 5 steps; for Siamese networks
4 times 32 pairs under the contrastive loss. An "image" is an episode, or a pair. "data" draws them alone, of
built-in characters, as the training reads them: it is not the bottleneck where its number is far above that
of "train".
"""

from typing import Any

import numpy as np
from turns import Work, contest

STEPS = 4
TASKS = 4
PAIRS = 32


def family_of(name: str) -> Any:
    """Return the family of a contest."""
    from kerazoo.families.maml import MAML
    from kerazoo.families.protonet import ProtoNet
    from kerazoo.families.reptile import Reptile
    from kerazoo.families.siamese import Siamese

    families = {
        "protonet": ProtoNet(training_ways=20),
        "maml": MAML(training_queries=5),
        "reptile": Reptile(features="mean"),
        "siamese": Siamese(pairs=PAIRS),
    }
    return families[name]


def drawn(name: str) -> tuple[Any, Any, int]:
    """Return the family, the stream of its batches, and the episodes or pairs of all steps of a round."""
    from kerazoo.data.augment import Augmentation
    from kerazoo.data.generated.sources import Glyphs
    from kerazoo.data.loader import stream

    family, batch = family_of(name), 1 if name == "protonet" else TASKS
    samples = family.configure(Glyphs()).samples("train")
    count = STEPS * batch * (PAIRS if name == "siamese" else 1)
    return family, stream(samples, family, Augmentation(), batch=batch, seed=0), count


def kerazoo_loop(family: str) -> Work:
    from kerazoo import backend
    from kerazoo.data.loader import Feed
    from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule

    task, batches, count = drawn(family)
    model = task.objective(task.build())
    x, y = batches[0]
    model.build(x.shape)
    rates = learning_rate_schedule(1e-3, Schedule(kind="constant"), 10**6, 0)
    model.compile(optimizer=Optimizer().build(rates, mixed=False), jit_compile=backend.jit_training())

    def train() -> None:
        model.fit(
            backend.fit_input((x, y) for _ in range(STEPS)), steps_per_epoch=STEPS, verbose=0, shuffle=False
        )

    def read() -> None:
        for _ in Feed(batches, 0, STEPS)():
            pass

    return {"train": (train, count), "data": (read, count)}


def plain_torch(family: str) -> Work:
    import torch

    torch.manual_seed(0)
    _, batches, count = drawn(family)
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(batches[0][0], -1, 3)))
    weights = _weights(family)
    optimizer = torch.optim.Adam(weights, 1e-3)
    step = {"protonet": _prototypes, "maml": _maml, "reptile": _reptile, "siamese": _pairs}[family]

    def train() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            step(x, weights)
            optimizer.step()

    def read() -> None:
        for index in range(STEPS):
            batches[index]

    return {"train": (train, count), "data": (read, count)}


def _weights(family: str) -> list:
    import torch

    found = []
    for block in range(4):
        found += [torch.randn(64, 64 if block else 1, 3, 3) * 0.05, torch.ones(64), torch.zeros(64)]
    found += [] if family in ("protonet", "siamese") else [torch.randn(5, 64) * 0.01, torch.zeros(5)]
    return [weight.requires_grad_() for weight in found]


def _embedded(x: Any, weights: list, stride: int) -> Any:
    import torch.nn.functional as f

    for block in range(4):
        kernel, scale, offset = weights[3 * block : 3 * block + 3]
        x = f.conv2d(x, kernel, stride=stride, padding=1)
        x = f.relu(f.batch_norm(x, None, None, scale, offset, training=True))
        x = f.max_pool2d(x, 2) if stride == 1 else x
    return x.flatten(1) if stride == 1 else x.mean(dim=(2, 3))


def _loss(x: Any, weights: list) -> Any:
    """Return the cross entropy of `(ways, n, C, H, W)`, row w of class w."""
    import torch
    import torch.nn.functional as f

    labels = torch.arange(x.shape[0]).repeat_interleave(x.shape[1])
    features = _embedded(x.flatten(0, 1), weights, 2)
    return f.cross_entropy(f.linear(features, *weights[-2:]), labels)


def _prototypes(x: Any, weights: list) -> None:
    import torch
    import torch.nn.functional as f

    ways, count = x.shape[1:3]
    features = _embedded(x[0].flatten(0, 1), weights, 1).view(ways, count, -1)
    apart = torch.cdist(features[:, 1:].flatten(0, 1), features[:, :1].mean(1)).square()
    f.cross_entropy(-apart, torch.arange(ways).repeat_interleave(count - 1)).backward()


def _maml(x: Any, weights: list) -> None:
    import torch

    for task in x:
        slopes = torch.autograd.grad(_loss(task[:, :1], weights), weights, create_graph=True)
        moved = [weight - 0.4 * slope for weight, slope in zip(weights, slopes, strict=True)]
        (_loss(task[:, 1:], moved) / TASKS).backward()


def _reptile(x: Any, weights: list) -> None:
    import torch

    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    for task in x:
        moved = [weight.detach().clone().requires_grad_() for weight in weights]
        inner = torch.optim.SGD(moved, 0.05)
        for part in task.chunk(5, dim=1):
            inner.zero_grad()
            _loss(part, moved).backward()
            inner.step()
        for weight, aim in zip(weights, moved, strict=True):
            weight.grad += (weight.detach() - aim.detach()) / TASKS


def _pairs(x: Any, weights: list) -> None:
    import torch

    features = _embedded(x.flatten(0, 2), weights, 1).unflatten(0, x.shape[:3])
    apart = (features[:, :, 0] - features[:, :, 1]).square().sum(-1).clamp_min(1e-12).sqrt()
    alike = torch.arange(PAIRS) % 2  # drawn pairs are half alike; which ones costs nothing
    (alike * apart.square() + (1 - alike) * (1 - apart).relu().square()).mean().div(2).backward()


if __name__ == "__main__":
    contest(
        __file__, __doc__, {"family": ("protonet", "maml", "reptile", "siamese")}, plain_torch, kerazoo_loop
    )
