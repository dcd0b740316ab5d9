"""Images/s of CenterNet on ResNet-18 on the three backends, as ratios to plain PyTorch in the same run.

    python benchmarks/centernet.py [--size 128] [--batch 8] [--rounds 5] [--output benchmarks/centernet.json]

"train" is a step with the published loss and Adam, "predict" the network's forward pass.
"""

import numpy as np
from turns import Work, contest

CLASSES, OBJECTS = 80, 5


def example(size: int, batch: int):
    """Return images and the targets of five objects each."""
    from kerazoo.families.centernet.codec import targets
    from kerazoo.structures.boxes import Boxes
    from kerazoo.structures.placement import Window

    rng = np.random.default_rng(0)
    rows = []
    for _ in range(batch):
        corners = rng.uniform(0, size - 40, (OBJECTS, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(8, 40, (OBJECTS, 2))], axis=1)
        flags = np.zeros(OBJECTS, bool)
        labels = rng.integers(0, CLASSES, OBJECTS).astype("int32")
        truth = Boxes(boxes.astype("float32"), labels, flags, flags, (size, size))
        rows.append(targets(truth, Window(0, 0, size, size, size, size), CLASSES, "centernet"))
    x = rng.normal(size=(batch, size, size, 3)).astype("float32")
    return x, {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def plain_torch(size: int, batch: int) -> Work:
    import torch
    from plain_torch import CenterNet

    torch.manual_seed(0)
    network = CenterNet(CLASSES)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    x, y = example(size, batch)
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    y = {name: torch.from_numpy(value) for name, value in y.items()}
    heat = y["heatmap"].permute(0, 3, 1, 2)
    cells = y["cells"].long()[..., None].expand(-1, -1, 2)

    def distance(maps, targets):
        found = maps.flatten(2).transpose(1, 2).gather(1, cells)
        weights = y["weights"][..., None]
        return ((found - targets).abs() * weights).sum() / (2 * weights.sum() + 1e-4)

    def train():
        network.train()
        optimizer.zero_grad()
        logits, sizes, offsets = network(x)
        p = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
        centre = (heat >= 1).float()
        near = (1 - centre) * (1 - heat) ** 4 * p**2 * (1 - p).log()
        focal = -(centre * (1 - p) ** 2 * p.log() + near).sum() / centre.sum()
        loss = focal + 0.1 * distance(sizes, y["size"]) + distance(offsets, y["offset"])
        loss.backward()
        optimizer.step()
        float(loss.detach())

    def predict():
        network.eval()
        with torch.no_grad():
            [maps.numpy() for maps in network(x)]

    return {"train": (lambda: [train() for _ in range(3)], 3 * batch), "predict": (predict, batch)}


def kerazoo_network(size: int, batch: int) -> Work:
    from kerazoo import backend
    from kerazoo.families.centernet import CenterNet
    from kerazoo.layers import folded
    from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule

    family = CenterNet(classes=CLASSES)
    network = family.build()
    model = family.objective(network)
    rates = learning_rate_schedule(1e-3, Schedule(kind="constant"), 10**6, 0)
    model.compile(optimizer=Optimizer().build(rates, mixed=False), jit_compile=backend.jit_training())
    x, y = example(size, batch)

    def train():
        model.fit(backend.fit_input([(x, y)] * 3), steps_per_epoch=3, verbose=0, shuffle=False)

    forward = backend.forward(folded(network)[0])
    return {"train": (train, 3 * batch), "predict": (lambda: forward(x), batch)}


if __name__ == "__main__":
    contest(__file__, __doc__, {"size": 128, "batch": 8}, plain_torch, kerazoo_network)
