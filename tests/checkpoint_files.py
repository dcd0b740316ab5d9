"""A small published checkpoint, for tests to wrap as trainings do."""

import re

import numpy as np

WIDTH, CLASSES = 2, 5


def resnet18(seed: int = 0, head: bool = True) -> dict[str, np.ndarray]:
    """Return the state dict of a ResNet-18 of width 2 for 5 classes, as torchvision names it."""
    from kerazoo.families.resnet.importer import TORCHVISION, table

    rng = np.random.default_rng(seed)
    shapes = {key: _shape(path) for path, (key, _) in table(TORCHVISION, 18, head=head).items()}
    return {key: rng.uniform(0.5, 1.5, shape).astype("float32") for key, shape in shapes.items()}


def _shape(path: str) -> tuple[int, ...]:
    layer, kind = path.split("/")
    if layer == "head":
        return (CLASSES, 8 * WIDTH) if kind == "kernel" else (CLASSES,)
    found = re.match(r"stage(\d)_unit(\d)_(conv(\d)|shortcut)", layer)
    if not found:
        return (WIDTH, 3, 7, 7) if kind == "kernel" else (WIDTH,)
    stage, first = int(found[1]), found[2] == "1" and found[4] != "2"
    filters = WIDTH << (stage - 1)
    inputs = WIDTH << max(stage - 2, 0) if first else filters
    side = 1 if found[3] == "shortcut" else 3
    return (filters, inputs, side, side) if kind == "kernel" else (filters,)
