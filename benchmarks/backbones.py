"""Images/s of `resnet50` and `hrnet-seg` on the three backends, as ratios to PyTorch in the same run.

    pip install timm torchvision
    python benchmarks/backbones.py --network resnet50 [--size 128] [--batch 4] [--rounds 5]

The reference is timm's network in plain PyTorch. For `hrnet-seg` (small v2) that is timm's body,
whose fuse layers resize by nearest neighbour where ours are bilinear, below the same head.
"""

import argparse
import json
from collections.abc import Callable

import numpy as np
from turns import Work, answer, measure, table

CLASSES = {"resnet50": 1000, "hrnet-seg": 19}


def batch(name: str, size: int, count: int):
    """Return images `(N, H, W, 3)` and labels `(N,)` or `(N, H / 4, W / 4)`."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, size, size, 3)).astype("float32")
    shape = (count,) if name == "resnet50" else (count, size // 4, size // 4)
    return x, rng.integers(0, CLASSES[name], shape).astype("int32")


def reference(name: str):
    """Return timm's network."""
    import timm
    import torch
    from torch import nn

    if name == "resnet50":
        return timm.create_model("resnet50")

    class Segmenter(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = timm.create_model("hrnet_w18_small_v2")
            for part in ("incre_modules", "downsamp_modules", "final_layer", "classifier"):
                setattr(self.body, part, None)
            self.last = nn.Sequential(
                nn.Conv2d(270, 270, 1), nn.BatchNorm2d(270), nn.ReLU(), nn.Conv2d(270, CLASSES[name], 1)
            )

        def forward(self, x):
            body = self.body
            x = body.act2(body.bn2(body.conv2(body.act1(body.bn1(body.conv1(x))))))
            first, *others = body.stages(x)
            size = first.shape[2:]
            others = [nn.functional.interpolate(y, size, mode="bilinear") for y in others]
            return self.last(torch.cat([first, *others], 1))

    return Segmenter()


def plain_torch(name: str, size: int, count: int) -> Work:
    import torch

    torch.manual_seed(0)
    network = reference(name)
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9)
    x, y = batch(name, size, count)
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(y.astype("int64"))

    def train():
        network.train()
        for _ in range(3):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(x), y)
            loss.backward()
            optimizer.step()
            float(loss.detach())

    def predict():
        network.eval()
        with torch.no_grad():
            network(x).numpy()

    return {"train": (train, 3 * count), "predict": (predict, count)}


def kerazoo_network(name: str, size: int, count: int) -> Work:
    import keras

    from kerazoo import backend, models
    from kerazoo.families.hrnet.configuration import SMALL_V2
    from kerazoo.settings import fields

    build: dict[str, Callable] = {
        "resnet50": lambda: models.resnet(depth=50),
        "hrnet-seg": lambda: models.hrnet(
            head="segmentation", classes=CLASSES[name], fuse="bilinear", **fields(SMALL_V2)
        ),
    }
    network = build[name]()
    x, y = batch(name, size, count)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9), {"logits": loss}, jit_compile=backend.jit_training()
    )

    def train():
        pairs = ((x, {"logits": y}) for _ in range(3))
        network.fit(pairs, steps_per_epoch=3, verbose=0, shuffle=False)

    forward = backend.forward(network)
    return {"train": (train, 3 * count), "predict": (lambda: forward(x), count)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", choices=CLASSES, default="resnet50")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        work = plain_torch if options.contestant == "plain-torch" else kerazoo_network
        answer(work(options.network, options.size, options.batch))
        return
    told = {"network": options.network, "size": options.size, "batch": options.batch}
    best, memory = measure(
        __file__, [text for k, v in told.items() for text in (f"--{k}", str(v))], options.rounds
    )
    print(
        f"{options.network}, {options.size} x {options.size}, batch {options.batch}; ratio to plain PyTorch"
    )
    print(table(best, memory))
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            json.dump(told | {"images_per_second": best, "gib": memory}, file, indent=2)


if __name__ == "__main__":
    main()
