"""How time and memory grow with the image, the batch, the people in it, and the files in a folder.

    python benchmarks/growth.py [--output growth.json] [--picture growth.png]

Every point is a process of its own, whose peak memory counts; the time is the best of three. The slope of a
curve is that of its logarithms over the upper half of the points: 1 is proportional.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

CURVES = {
    "image side, whole": (256, 512, 1024),
    "image side, tiles of 512": (256, 512, 1024, 2048),
    "batch of 128 x 128": (1, 2, 4, 8, 16),
    "people in maps": (1, 4, 16, 64),
    "images in a folder": (100, 1000, 10_000),
}


def predicted(side: int, tile: int | None) -> Callable[[], None]:
    """Return the prediction of one image by UNet++ 16..256."""
    from kerazoo import backend
    from kerazoo.families.unetpp import UNetPlusPlus
    from kerazoo.layers import folded
    from kerazoo.task import Options

    family = UNetPlusPlus(classes=3, filters=(16, 32, 64, 128, 256), norm=True)
    forward = backend.forward(folded(family.deploy(family.build()))[0])
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), "uint8")
    return lambda: next(family.infer(forward, [image], Options(tile=tile or side)))


def trained(batch: int) -> Callable[[], None]:
    """Return the training step that `benchmarks/unetpp.py` times."""
    from unetpp import kerazoo_network

    return kerazoo_network(128, batch)["train"][0]


def grouped(count: int) -> Callable[[], None]:
    """Return the reading of people, one in each square of a grid, from maps of 184 x 184 cells."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from kerazoo.families.openpose.codec import targets
    from kerazoo.families.openpose.grouping import people
    from kerazoo.families.openpose.parser import Parser
    from kerazoo.structures.keypoints import People
    from kerazoo.structures.skeleton import COCO18
    from tests.scenes import scene

    rng = np.random.default_rng(0)
    single = [scene(rng, COCO18, people=(1, 1), side=184) for _ in range(count)]
    corners = 184 * np.stack(np.divmod(np.arange(count), 8), axis=1)[:, None]  # (P, 1, 2)
    points = np.concatenate([person.points for person in single]) + corners
    visible = np.concatenate([person.visible for person in single])
    zeros = np.zeros((count, 4), "float32")
    maps = targets(People(points.astype("float32"), visible, zeros, zeros[:, 0], COCO18), (184, 184))
    return lambda: people(maps["heatmaps"], maps["fields"], COCO18, Parser())


def listed(count: int) -> Callable[[], None]:
    """Return the search of a folder for images."""
    from kerazoo.files.listing import find_images

    folder = Path(tempfile.mkdtemp())
    for number in range(count):
        (folder / f"{number:06}.png").touch()
    return lambda: find_images([str(folder)])


def work(curve: str, value: int) -> Callable[[], None]:
    """Return what is timed at a point of a curve."""
    if curve.startswith("image side"):
        return predicted(value, 512 if "tiles" in curve else None)
    return {"batch": trained, "people": grouped, "images": listed}[curve.split()[0]](value)


def point(curve: str, value: int) -> dict[str, float]:
    """Return seconds and GiB at a point, in this process."""
    run = work(curve, value)
    run()
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return {
        "value": value,
        "seconds": min(seconds),
        "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def slope(points: list[dict[str, float]]) -> float:
    """Return the exponent with which the seconds grow over the upper half of the points."""
    upper = points[(len(points) - 1) // 2 :]
    values, seconds = (np.log([found[name] for found in upper]) for name in ("value", "seconds"))
    return float(np.polyfit(values, seconds, 1)[0])


def draw(curves: dict[str, list[dict[str, float]]], file: str) -> None:
    """Draw seconds and memory of every curve."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(curves), 6), layout="constrained")
    for row, name in enumerate(("seconds", "gib")):
        for column, (curve, points) in enumerate(curves.items()):
            axes = figure.add_subplot(2, len(curves), row * len(curves) + column + 1)
            axes.plot([p["value"] for p in points], [p[name] for p in points], marker="o")
            axes.set(xlabel=curve, ylabel=name, xscale="log", ylim=(0, None))
    figure.savefig(file)


def main() -> None:
    """Measure all points, print the slopes, and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", default="growth.json")
    parser.add_argument("--picture", default="growth.png")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        print(json.dumps(point(options.point[0], int(options.point[1]))))
        return
    curves: dict[str, list[dict[str, float]]] = {}
    for curve, values in CURVES.items():
        for value in values:
            command = [sys.executable, __file__, "--point", curve, str(value)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            curves.setdefault(curve, []).append(json.loads(done.stdout.splitlines()[-1]))
        last = curves[curve][-1]
        print(
            f"{curve}: {last['seconds']:.3g} s and {last['gib']:.2f} GiB at {last['value']}, "
            f"slope {slope(curves[curve]):.2f}",
            flush=True,
        )
    Path(options.output).write_text(json.dumps(curves, indent=2) + "\n")
    draw(curves, options.picture)


if __name__ == "__main__":
    main()
