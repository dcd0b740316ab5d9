"""Images/s of `kerazoo predict` on a folder, beside those of the bare network, on each backend.

    python benchmarks/folder.py [--count 500] [--size 640x480] [--output benchmarks/folder.json]

A small U-Net++ (8, 16, 32) on JPEG files. "bare" is the network alone on an image of that size, in batches as
predict makes them; "rows" reads, predicts and writes masks and rows; "overlays" draws as well.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BACKENDS = ("tensorflow", "torch", "jax")
FILES = 20
"""Different images; each is predicted several times."""


def made(folder: Path, width: int, height: int) -> list[Path]:
    """Write photographs of smooth noise and return their paths."""
    import cv2

    rng, paths = np.random.default_rng(0), []
    for number in range(FILES):
        coarse = rng.integers(0, 256, (height // 40, width // 40, 3), "uint8")
        paths.append(folder / f"{number}.jpg")
        cv2.imwrite(str(paths[-1]), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    return paths


def measured(count: int, width: int, height: int) -> dict[str, float]:
    """Return images/s on the backend that runs."""
    from kerazoo.data.generated.sources import Cells
    from kerazoo.engine.predict import predict
    from kerazoo.families.unetpp import UNetPlusPlus
    from kerazoo.recipe import Recipe
    from kerazoo.run import create_run
    from kerazoo.task import PLAIN, batches

    folder = Path(tempfile.mkdtemp())
    family = UNetPlusPlus(classes=3, filters=(8, 16, 32), norm=True)
    run = create_run(Recipe(family=family, data=Cells()), folder / "run", family.build())
    paths = made(folder, width, height)
    image = np.zeros((height, width, 3), "uint8")
    [x] = batches([family.prepare(image)[0]] * len(next(batches([image] * 64, PLAIN.batch_size))), 64)

    def bare() -> None:
        for _ in range(0, count, len(x)):
            run.forward(x)

    def through(overlay: bool) -> None:
        for part in range(0, count, FILES):
            list(predict(run, paths, folder / f"{overlay}{part}", overlay=overlay))

    works = {"bare": bare, "rows": lambda: through(False), "overlays": lambda: through(True)}
    run.forward(x)
    found = {}
    for name, work in works.items():
        began = time.perf_counter()
        work()
        found[name] = count / (time.perf_counter() - began)
    return found


def main() -> None:
    """Measure each backend in a process of its own, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--output", default=str(Path(__file__).with_suffix(".json")))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.here:
        print(json.dumps(measured(options.count, width, height)))
        return
    told = {}
    for backend in BACKENDS:
        command = [sys.executable, __file__, "--here", "--count", str(options.count), "--size", options.size]
        environment = os.environ | {"KERAS_BACKEND": backend}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        told[backend] = json.loads(done.stdout.splitlines()[-1])
        numbers = (
            f"{name} {speed:6.1f} ({speed / told[backend]['bare']:.2f})"
            for name, speed in told[backend].items()
        )
        print(f"{backend:10}", *numbers, flush=True)
    Path(options.output).write_text(json.dumps({"size": options.size} | told, indent=2) + "\n")


if __name__ == "__main__":
    main()
