"""Images/s of UNet++ on the three backends, as ratios to plain PyTorch in the same run.

    python benchmarks/unetpp.py [--size 128] [--batch 8] [--rounds 5] [--output benchmarks/unetpp.json]

Also: the pruned networks against the whole one (forward pass), and "data": photographs of 640 x 480 in JPEG
files with PNG masks, read and augmented to crops as a training reads them, nothing kept. It is no bottleneck
where its number is far above that of "train".
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from turns import Work, contest

FILTERS = (16, 32, 64, 128, 256)


def example(size: int, batch: int, classes: int = 3):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, size, size, 3)).astype("float32")
    labels = rng.integers(0, classes, (batch, size, size)).astype("uint8")
    return x, {"labels": labels, "weights": np.ones(labels.shape, "float32")}


def plain_torch(size: int, batch: int) -> Work:
    import torch
    from plain_torch import UNetPlusPlus

    torch.manual_seed(0)
    network = UNetPlusPlus(FILTERS, 3, 3)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    x, y = example(size, batch)
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(y["labels"].astype("int64"))

    def dice(logits):
        hot = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2)
        p = logits.softmax(1)
        return 1 - (2 * (p * hot).sum((0, 2, 3)) / (p + hot).sum((0, 2, 3))).mean()

    def train():
        network.train()
        optimizer.zero_grad()
        heads = network(x)
        loss = sum(torch.nn.functional.cross_entropy(h, labels) + dice(h) for h in heads) / len(heads)
        loss.backward()
        optimizer.step()
        float(loss)

    def predict():
        network.eval()
        with torch.no_grad():
            network(x)[-1].numpy()

    return {"train": (lambda: [train() for _ in range(3)], 3 * batch), "predict": (predict, batch)}


def kerazoo_network(size: int, batch: int) -> Work:
    from kerazoo import backend
    from kerazoo.data.loader import Feed
    from kerazoo.families.unetpp import UNetPlusPlus
    from kerazoo.families.unetpp.model import prune
    from kerazoo.layers import folded
    from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule

    family = UNetPlusPlus(classes=3, filters=FILTERS, norm=True)
    network = family.build()
    model = family.objective(network)
    rates = learning_rate_schedule(1e-3, Schedule(kind="constant"), 10**6, 0)
    model.compile(optimizer=Optimizer().build(rates, mixed=False), jit_compile=backend.jit_training())
    x, y = example(size, batch)

    def train():
        model.fit(backend.fit_input([(x, y)] * 3), steps_per_epoch=3, verbose=0, shuffle=False)

    batches = _crops(family, size, batch)

    def read():
        for _ in Feed(batches, 0, 8)():
            pass

    networks = {"predict": network}
    if backend.name() == "tensorflow":
        networks |= {f"predict L{level}": prune(network, level) for level in (1, 2, 3, 4)}
    forwards = {name: backend.forward(folded(whole)[0]) for name, whole in networks.items()}
    work = {"train": (train, 3 * batch), "data": (read, 8 * batch)}
    return work | {name: (lambda f=f: f(x), batch) for name, f in forwards.items()}


def _crops(family: Any, size: int, batch: int) -> Any:
    """Return the stream of augmented crops of a folder of photographs and masks."""
    import cv2

    from kerazoo.data.augment import Augmentation
    from kerazoo.data.loader import stream
    from kerazoo.data.segmentation.folders import Folder

    folder, rng = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number in range(20):
        coarse = rng.integers(0, 256, (12, 16, 3), "uint8")
        image = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "images" / f"{number}.jpg"), image)
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), image[..., 0] // 86)
    augmentation = Augmentation(
        crop=(size, size), flip=True, rotation=15, scale=(0.8, 1.25), elastic=10, brightness=0.1, contrast=0.2
    )
    samples = family.configure(Folder(path=str(folder))).samples("train")
    return stream(samples, family, augmentation, batch=batch, seed=0)


if __name__ == "__main__":
    best = contest(__file__, __doc__, {"size": 128, "batch": 8}, plain_torch, kerazoo_network)
    if best:
        heads = {name: speed for name, speed in best["tensorflow"].items() if name.startswith("predict L")}
        ratios = [f"{name[8:]} {speed / best['tensorflow']['predict']:.2f}" for name, speed in heads.items()]
        print("pruned, tensorflow, ratio to all heads: " + ", ".join(ratios))
