"""Memory of tiled prediction on a large image, and where tiles differ from the whole image.

    python benchmarks/tiles.py RUN [--side 6000] [--tile 256]

The large image goes through `kerazoo predict RUN big.png --tile N` in a process of its own, whose
largest memory is reported. The comparison is made on a part of it small enough to be predicted whole.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from kerazoo.task import Options


def big_image(side: int) -> np.ndarray:
    """Return an image of built-in cells, repeated and brightened differently, uint8 `(side, side, 3)`."""
    from kerazoo.data.generated.sources import Cells

    samples = Cells(train=16, validation=1, test=1, size=(512, 512)).samples("train")
    count = -(-side // 512)
    rows = [
        np.concatenate([samples[(row * 5 + column) % 16].image for column in range(count)], axis=1)
        for row in range(count)
    ]
    return np.concatenate(rows, axis=0)[:side, :side]


def compare(run_folder: str, image: np.ndarray, tile: int) -> str:
    """Return where the tiled labels of `image` differ from the whole image's, by distance to tile borders."""
    from kerazoo import backend
    from kerazoo.run import open_run
    from kerazoo.tasks.segmentation.tiling import core_and_margin

    run = open_run(run_folder)
    forward, family = backend.forward(run.deployed), run.recipe.family
    whole = next(family.infer(forward, [image])).labels
    tiled = next(family.infer(forward, [image], Options(tile=tile))).labels
    core, margin = core_and_margin(family, tile)
    place = np.arange(image.shape[0]) % core
    distance = np.minimum(place, core - 1 - place)
    distance = np.minimum(distance[:, None], distance[None, :])
    differs = whole != tiled
    inner = np.zeros(differs.shape, bool)
    inner[core:-core, core:-core] = True  # at the image's border whole images meet zeros, tiles a mirror
    lines = [f"tile {tile}: core {core}, context {margin}; labels that differ: {differs.mean():.2e}"]
    for low in range(0, core // 2, 16):
        ring = inner & (distance >= low) & (distance < low + 16)
        lines.append(f"  {low:3}..{low + 15:3} px from the core's border: {differs[ring].mean():.2e}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--tile", type=int, default=256)
    options = parser.parse_args()
    from kerazoo.image import write_image

    image = big_image(options.side)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "big.png"
        write_image(file, image)
        predict = [
            "predict",
            options.run,
            str(file),
            "--tile",
            str(options.tile),
            "--output",
            f"{scratch}/out",
        ]
        began = time.perf_counter()
        command = [sys.executable, "-c", "from kerazoo.cli import main; main()", *predict]
        subprocess.run(command, check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{options.side} x {options.side}, tile {options.tile}: {seconds:.0f} s, at most {peak:.2f} GiB")
    print(compare(options.run, image[:1024, :1024], options.tile))


if __name__ == "__main__":
    main()
