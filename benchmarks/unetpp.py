"""Images/s of UNet++ on the three backends, as ratios to plain PyTorch in the same run.

    python benchmarks/unetpp.py [--size 128] [--batch 8] [--rounds 5] [--output benchmarks/unetpp.json]

Also: the pruned networks against the whole one (forward pass).
"""

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

    networks = {"predict": network}
    if backend.name() == "tensorflow":
        networks |= {f"predict L{level}": prune(network, level) for level in (1, 2, 3, 4)}
    forwards = {name: backend.forward(folded(whole)[0]) for name, whole in networks.items()}
    return {"train": (train, 3 * batch)} | {name: (lambda f=f: f(x), batch) for name, f in forwards.items()}


if __name__ == "__main__":
    best = contest(__file__, __doc__, {"size": 128, "batch": 8}, plain_torch, kerazoo_network)
    if best:
        heads = {name: speed for name, speed in best["tensorflow"].items() if name.startswith("predict L")}
        ratios = [f"{name[8:]} {speed / best['tensorflow']['predict']:.2f}" for name, speed in heads.items()]
        print("pruned, tensorflow, ratio to all heads: " + ", ".join(ratios))
