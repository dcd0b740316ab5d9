"""Truth into maps and back into people, on random scenes of one to eight: what comes back, and what does not.

    python benchmarks/pose_round_trip.py [--scenes 1000] [--figure docs/pictures/pose-overlap.png]

A point has come back if it is within a pixel and in the right person. Scenes are those of `tests/scenes.py`.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from kerazoo.draw import sheet
from kerazoo.families.openpose.codec import targets
from kerazoo.families.openpose.grouping import people
from kerazoo.families.openpose.parser import Parser
from kerazoo.families.openpose.peaks import peaks
from kerazoo.image import write_image
from kerazoo.skeleton import COCO18
from kerazoo.tasks.pose import People, Poses
from kerazoo.tasks.pose_drawing import drawn
from tests.scenes import compared, scene

SIDE, STRIDE, SIGMA = 368, 8, 7.0


def reasons(truth: People, heatmaps: np.ndarray, lost: np.ndarray) -> Counter:
    """Return why points were lost: `lost` holds person and point, `(n, 2)`."""
    found = peaks(heatmaps[..., :-1], Parser(), SIGMA / STRIDE)
    told: Counter = Counter()
    for person, point in lost:
        places = found[point][:, :2] * STRIDE + (STRIDE - 1) / 2
        distance = np.linalg.norm(places - truth.points[person, point], axis=1).min(initial=np.inf)
        told["its peak is there, in another person or in none" if distance < 1 else
             "its peak is one with, or moved by, that of the same point of another person"] += 1  # fmt: skip
    return told


def pictured(truth: People, found: Poses, lost: np.ndarray) -> list[np.ndarray]:
    """Return a scene's truth and what was found, lost points circled."""
    blank = np.full((SIDE, SIDE, 3), 40, "uint8")
    pictures = [drawn(blank.copy(), told, truth.skeleton) for told in (truth, found)]
    for person, point in lost:
        place = truth.points[person, point].round().astype(int).tolist()
        for picture in pictures:
            cv2.circle(picture, place, 9, (255, 255, 255), 1, cv2.LINE_AA)
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    counts, causes, worst = Counter(), Counter(), []
    for _ in range(options.scenes):
        truth = scene(rng, COCO18, side=SIDE)
        maps = targets(truth, (SIDE // STRIDE,) * 2)
        found = people(maps["heatmaps"], maps["fields"], COCO18, Parser())
        right, touching, place = compared(truth, found)
        counts.update(zip(touching.tolist(), right.tolist(), strict=True))
        causes += reasons(truth, maps["heatmaps"], place[~right])
        worst.append((int((~right).sum()), len(worst), truth, found, place[~right]))
        worst = sorted(worst, key=lambda one: -one[0])[:4]
    for touching, name in ((False, "people who touch nobody"), (True, "people who overlap")):
        total = counts[touching, True] + counts[touching, False]
        print(f"{name}: {counts[touching, True]} of {total} points ({counts[touching, True] / total:.2%})")
    for cause, count in causes.most_common():
        print(f"  {count} lost: {cause}")
    if options.figure:
        rows = [pictured(truth, found, lost) for _, _, truth, found, lost in worst]
        write_image(options.figure, sheet(rows, ("truth", "found; circled what was lost")))


if __name__ == "__main__":
    main()
