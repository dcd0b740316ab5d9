"""Images/s of `resnet50` and `hrnet-seg` on the three backends, as ratios to PyTorch in the same run.

    pip install timm torchvision
    python benchmarks/backbones.py --network resnet50 [--size 128] [--batch 4] [--rounds 5]

The reference is timm's network in plain PyTorch. For `hrnet-seg` (small v2) that is timm's body,
whose fuse layers resize by nearest neighbour where ours are bilinear, below the same head.
"""

from collections.abc import Callable

import numpy as np
from turns import Work, contest

CLASSES = {"resnet50": 1000, "hrnet-seg": 19}


def example(network: str, size: int, batch: int):
    """Return images `(N, H, W, 3)` and labels `(N,)` or `(N, H / 4, W / 4)`."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, size, size, 3)).astype("float32")
    shape = (batch,) if network == "resnet50" else (batch, size // 4, size // 4)
    return x, rng.integers(0, CLASSES[network], shape).astype("int32")


def reference(network: str):
    """Return timm's network."""
    import timm
    import torch
    from torch import nn

    if network == "resnet50":
        return timm.create_model("resnet50")

    class Segmenter(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = timm.create_model("hrnet_w18_small_v2")
            for part in ("incre_modules", "downsamp_modules", "final_layer", "classifier"):
                setattr(self.body, part, None)
            self.last = nn.Sequential(
                nn.Conv2d(270, 270, 1), nn.BatchNorm2d(270), nn.ReLU(), nn.Conv2d(270, CLASSES[network], 1)
            )

        def forward(self, x):
            body = self.body
            x = body.act2(body.bn2(body.conv2(body.act1(body.bn1(body.conv1(x))))))
            first, *others = body.stages(x)
            size = first.shape[2:]
            others = [nn.functional.interpolate(y, size, mode="bilinear") for y in others]
            return self.last(torch.cat([first, *others], 1))

    return Segmenter()


def plain_torch(network: str, size: int, batch: int) -> Work:
    import torch

    torch.manual_seed(0)
    model = reference(network)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
    x, y = example(network, size, batch)
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(y.astype("int64"))

    def train():
        model.train()
        for _ in range(3):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            float(loss.detach())

    def predict():
        model.eval()
        with torch.no_grad():
            model(x).numpy()

    return {"train": (train, 3 * batch), "predict": (predict, batch)}


def kerazoo_network(network: str, size: int, batch: int) -> Work:
    import keras

    from kerazoo import backend, models
    from kerazoo.families.hrnet.configuration import SMALL_V2
    from kerazoo.layers import folded
    from kerazoo.settings import fields

    build: dict[str, Callable] = {
        "resnet50": lambda: models.resnet(depth=50),
        "hrnet-seg": lambda: models.hrnet(
            head="segmentation", classes=CLASSES[network], fuse="bilinear", **fields(SMALL_V2)
        ),
    }
    model = build[network]()
    x, y = example(network, size, batch)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9), {"logits": loss}, jit_compile=backend.jit_training()
    )

    def train():
        pairs = backend.fit_input((x, {"logits": y}) for _ in range(3))
        model.fit(pairs, steps_per_epoch=3, verbose=0, shuffle=False)

    forward = backend.forward(folded(model)[0])
    return {"train": (train, 3 * batch), "predict": (lambda: forward(x), batch)}


if __name__ == "__main__":
    chosen = {"network": tuple(CLASSES), "size": 128, "batch": 4}
    contest(__file__, __doc__, chosen, plain_torch, kerazoo_network)
