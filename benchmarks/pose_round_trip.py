"""Truth into maps and back into people, on random scenes of one to eight: what comes back, and what does not.

    python benchmarks/pose_round_trip.py [--scenes 1000] [--figure docs/images/pose-overlap.png]

A point has come back if it is within a pixel and in the right person. Scenes are those of `tests/scenes.py`.
The figure shows the four scenes that lost most.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from kerazoo.draw import contact_sheet
from kerazoo.families.openpose.codec import targets
from kerazoo.families.openpose.grouping import people
from kerazoo.families.openpose.parser import Parser
from kerazoo.families.openpose.peaks import peaks
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.skeleton import COCO18
from kerazoo.tasks.pose.drawing import draw_people
from tests.scenes import compared, scene

SIDE, STRIDE, SIGMA = 368, 8, 7.0

EXPLANATION = """
What fails, and why:
- The same point of two people, less than a cell (8 px) apart, is one peak. It goes to one of them; the other
  is without it, and in two parts if it joined them. Two faces on each other lose all their points.
- The same limb of two people, side by side less than a cell apart or across one another near their ends, has
  one field, their mean. Each end fits both, the better sum wins, and what hangs on it changes hands.
Smaller cells alone change nothing. With cells, Gaussians and fields of half the size 99.9 % come back."""


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
    images = [draw_people(blank.copy(), told, truth.skeleton) for told in (truth, found)]
    for person, point in lost:
        place = truth.points[person, point].round().astype(int).tolist()
        for image in images:
            cv2.circle(image, place, 9, (255, 255, 255), 1, cv2.LINE_AA)
    return images


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
    print(EXPLANATION)
    if options.figure:
        rows = [pictured(truth, found, lost) for _, _, truth, found, lost in worst]
        image = contact_sheet(rows, ("truth", "found; circled what was lost"))[..., ::-1]
        cv2.imwrite(str(options.figure), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
