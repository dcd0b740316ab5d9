"""How long maps take to become people, beside published parsers, and people to become maps.

    python benchmarks/parsers.py [--shared ../shared] [--output benchmarks/parsers.json]

Real maps are those of the four images in `golden/tf_pose_v2small.*.npz` of the shared data, whose
`tf_pose_parse.json` also holds the reference timings: one thread of a 2.5 GHz Xeon, not of this machine.
Ours are one thread's processor time, the best of thirty rounds, from maps as the network gives them; the
references' "x4" are from maps enlarged four times, and what enlarging costs comes on top. Made maps are
targets of random scenes (`tests/scenes.py`). Without shared data only these are timed.
"""

import argparse
import json
import os
import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from kerazoo.families.openpose.codec import targets
from kerazoo.families.openpose.grouping import people
from kerazoo.families.openpose.parser import PRESETS, Parser
from kerazoo.structures.skeleton import COCO18
from tests.scenes import scene

ROOT = Path(__file__).parents[1]
IMAGES = ("p1", "p2", "p3", "ski")
PARSERS = {"own": Parser()} | PRESETS
CROWDS = (1, 2, 5, 10, 20)
SIZES = (46, 80)
Maps = tuple[np.ndarray, np.ndarray]


def milliseconds(run: Callable[[], object]) -> float:
    """Return the processor's time of a run, the best of thirty rounds of about 10 ms."""
    once = min(timeit.repeat(run, number=1, repeat=3))
    number = max(round(0.01 / once), 1)
    rounds = timeit.repeat(run, number=number, repeat=30, timer=time.process_time)
    return round(min(rounds) / number * 1e3, 3)


def parsed(maps: Maps) -> dict[str, float]:
    """Return the milliseconds of each parser on heat maps and fields."""
    return {name: milliseconds(lambda p=parser: people(*maps, COCO18, p)) for name, parser in PARSERS.items()}


def make_image(golden: Path, name: str) -> Maps:
    with np.load(golden / f"tf_pose_v2small.{name}.npz") as arrays:
        return arrays["heat"], arrays["paf"]


def made(count: int, cells: int = 46) -> Maps:
    truth = scene(np.random.default_rng(3), COCO18, (count, count), 8 * cells)
    maps = targets(truth, (cells, cells))
    return maps["heatmaps"], maps["fields"]


def drawn(count: int, cells: int) -> float:
    """Return the milliseconds of the targets of some people."""
    truth = scene(np.random.default_rng(3), COCO18, (count, count), 8 * cells)
    return milliseconds(lambda: targets(truth, (cells, cells)))


def table(rows: dict[str, dict[str, float]], columns: list[str]) -> str:
    wide = max(map(len, rows)) + 2
    lines = [" " * wide + "".join(f"{column:>13}" for column in columns)]
    for name, row in rows.items():
        values = (f"{row[column]:13.2f}" if column in row else " " * 13 for column in columns)
        lines.append(f"{name:{wide}}" + "".join(values))
    return "\n".join(lines)


def turned(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    columns = next(iter(rows.values()))
    return {column: {name: row[column] for name, row in rows.items()} for column in columns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    shared = os.environ.get("KERAZOO_SHARED", ROOT.parent / "shared")
    parser.add_argument("--shared", type=Path, default=Path(shared))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    golden, told = options.shared / "parity" / "golden", {}
    if golden.is_dir():
        ours = turned({name: parsed(make_image(golden, name)) for name in IMAGES})
        timing = json.loads((golden / "tf_pose_parse.json").read_text())["timing_ms"]
        theirs = {name: row for name, row in timing.items() if isinstance(row, dict)}
        told["images"], told["references"] = ours, theirs
        print("ms per image, then the references on their machine")
        print(table(ours | theirs, list(IMAGES)))
    told["made"] = turned({f"{count} people": parsed(made(count)) for count in CROWDS})
    print("\nms per made map of 46 x 46 cells, by number of people")
    print(table(told["made"], [f"{count} people" for count in CROWDS]))
    told["targets"] = {
        f"{cells} x {cells} cells": {f"{count} people": drawn(count, cells) for count in CROWDS}
        for cells in SIZES
    }
    print("\nms for the targets")
    print(table(told["targets"], [f"{count} people" for count in CROWDS]))
    if options.output:
        options.output.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
