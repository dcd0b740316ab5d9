"""Random scenes of people as key points alone, and what of them came back from maps."""

import math

import numpy as np

from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.skeleton import COCO17, Skeleton

TOUCH = 24.0
"""Pixels below which two people's bodies count as touching: three cells, a Gaussian's reach."""

# A standing person of height 1, x to the left side of the body: COCO's seventeen points.
_STANDING = np.array([
    (0, 0.08), (0.02, 0.06), (-0.02, 0.06), (0.045, 0.075), (-0.045, 0.075), (0.11, 0.19), (-0.11, 0.19),
    (0.15, 0.35), (-0.15, 0.35), (0.17, 0.5), (-0.17, 0.5), (0.07, 0.52), (-0.07, 0.52), (0.08, 0.75),
    (-0.08, 0.75), (0.08, 0.97), (-0.08, 0.97),
])  # fmt: skip
_CHAINS = {5: (7, 9), 6: (8, 10), 7: (9,), 8: (10,), 11: (13, 15), 12: (14, 16), 13: (15,), 14: (16,)}


def scene(
    rng: np.random.Generator, skeleton: Skeleton, people: tuple[int, int] = (1, 8), side: int = 368
) -> People:
    """Return people of 0.25 to 0.8 of the side, limbs bent, anywhere; some points are not labelled.

    They may cover one another, but no trunk is nearer to another than a third of the shorter one's height.
    """
    drawn = np.stack(_placed(rng, side, int(rng.integers(people[0], people[1] + 1))))
    visible = np.where(rng.random(drawn.shape[:2]) < 0.9, 2, 0).astype("uint8")
    inside = ((drawn > 4) & (drawn < side - 5)).all(axis=-1)
    points, seen = _as(skeleton, drawn.astype("float32"), np.where(inside, visible, 0).astype("uint8"))
    zeros = np.zeros((len(points), 4), "float32")
    return People(points, seen, zeros, zeros[:, 0], skeleton)


def _placed(rng: np.random.Generator, side: int, count: int) -> list[np.ndarray]:
    placed: list[np.ndarray] = []
    for _ in range(20 * count):
        person = _person(rng, side)
        trunks = [other[5:13].mean(axis=0) for other in (person, *placed)]
        heights = [np.ptp(other[:, 1]) for other in (person, *placed)]
        if all(
            np.linalg.norm(trunk - trunks[0]) > min(height, heights[0]) / 3
            for trunk, height in zip(trunks[1:], heights[1:], strict=True)
        ):
            placed.append(person)
        if len(placed) == count:
            break
    return placed


def _person(rng: np.random.Generator, side: int) -> np.ndarray:
    points = _STANDING * (rng.choice((-1, 1)), 1)
    for joint, rest in _CHAINS.items():
        points[list(rest)] = _turned(points[list(rest)], points[joint], rng.normal(0, 0.5))
    points = _turned(points, points.mean(axis=0), rng.normal(0, 0.25))
    height = rng.uniform(0.25, 0.8) * side
    corner = rng.uniform(0, side - 0.6 * height, 2)
    return (points - points.min(axis=0)) * height + corner


def _turned(points: np.ndarray, centre: np.ndarray, angle: float) -> np.ndarray:
    cosine, sine = math.cos(angle), math.sin(angle)
    return (points - centre) @ np.array([(cosine, sine), (-sine, cosine)]) + centre


def _as(skeleton: Skeleton, points: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the people in a skeleton; for MPII's own points by what lies between COCO's."""
    names = list(COCO17.points)
    middles = {"pelvis": (11, 12), "thorax": (5, 6), "upper_neck": (0, 5, 6), "head_top": (1, 2)}
    for name, ends in middles.items():
        points = np.concatenate([points, points[:, list(ends)].mean(axis=1, keepdims=True)], axis=1)
        visible = np.concatenate([visible, visible[:, list(ends)].min(axis=1, keepdims=True)], axis=1)
        names.append(name)
    return skeleton.convert_points(names, points, visible)


def compared(truth: People, found: Poses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for every labelled point that parsing can join, whether it came back and whether it touches.

    It came back if it is within a pixel, in the found person who has most of its person's points. It touches
    if a point or limb of another person is near its own person's points.

    Returns:
        Two arrays of bool, one value per point, and which point it is: person and number, `(n, 2)`.
    """
    counted = np.stack([seen & _joinable(truth.skeleton, seen) for seen in truth.visible > 0])
    apart = np.linalg.norm(found.points[None, :, :, :2] - truth.points[:, None], axis=-1)
    near = (apart < 1) & (found.points[None, :, :, 2] > 0) & counted[:, None]
    owner = near.sum(axis=2).argmax(axis=1) if len(found.points) else np.zeros(len(counted), int)
    right, touches, places = [], [], []
    for person, points in enumerate(counted):
        close = _touching(truth, person)
        for point in np.flatnonzero(points):
            right.append(bool(len(found.points)) and bool(near[person, owner[person], point]))
            touches.append(close)
            places.append((person, point))
    return np.array(right, bool), np.array(touches, bool), np.array(places, int).reshape(-1, 2)


def _joinable(skeleton: Skeleton, seen: np.ndarray) -> np.ndarray:
    """Return which points hang together in the largest part of a person that has three points or more."""
    part = np.arange(len(seen))
    limbs = [pair for limb, pair in enumerate(skeleton.limbs) if limb not in skeleton.bridges]
    for _ in skeleton.limbs:
        for a, b in limbs:
            if seen[a] and seen[b]:
                part[part == part[a]] = part[b]
    sizes = np.bincount(part[seen], minlength=len(seen))
    return (part == sizes.argmax()) & (sizes.max() >= 3)


def _touching(truth: People, person: int) -> bool:
    lines = [_line(truth.points[other], truth) for other in range(len(truth.points)) if other != person]
    own = _line(truth.points[person], truth)
    return any(np.linalg.norm(own[:, None] - line[None], axis=-1).min() < TOUCH for line in lines)


def _line(points: np.ndarray, truth: People) -> np.ndarray:
    """Return places along all limbs of a person, labelled or not."""
    along = np.linspace(0, 1, 12)[:, None, None]
    first, second = (points[[limb[end] for limb in truth.skeleton.limbs]] for end in (0, 1))
    return (first + (second - first) * along).reshape(-1, 2)
