"""Skeletons drawn on images."""

from collections.abc import Sequence

import numpy as np

from kerazoo.media.opencv import cv2
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.skeleton import Skeleton

_FRACTION = 4
"""Binary digits behind the point with which OpenCV is told where to draw."""

_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)

_SLENDER = 0.08
"""Width of a stick as a share of its person's typical limb."""


def draw_people(image: np.ndarray, result: People | Poses, skeleton: Skeleton) -> np.ndarray:
    """Return the image with people drawn on it: limbs as coloured sticks, points as dots.

    Sticks are as wide as suits the person's size, so that small people and faces with many points stay
    readable. Points of a truth that are labelled but hidden are rings. What was not found or is not
    labelled is left out, with the limbs that end there, and so are bridges, which join what does not
    hang together. The first person is drawn last, on top.

    Args:
        image: uint8 `(H, W, 3)`; it stays as it is.
        result: in the image's pixels; people may reach beyond it.
        skeleton: of the people.
    """
    shown = image.copy()
    points, state = result.points[..., :2], _state(result)
    thickest = max(min(image.shape[:2]) / 50, 1.0)
    for places, known in zip(points[::-1], state[::-1], strict=True):
        width = max(round(min(_width(places, known > 0, skeleton), thickest)), 1)
        _person(shown, places, known, skeleton, width)
    return shown


def _state(result: People | Poses) -> np.ndarray:
    """Return 0 for a point to leave out, 1 for one that is hidden and 2 for one that is seen: `(P, K)`."""
    state = result.visible if isinstance(result, People) else 2 * (result.points[..., 2] > 0)
    return np.where(np.isfinite(result.points[..., :2]).all(axis=-1), state, 0)


def _width(places: np.ndarray, known: np.ndarray, skeleton: Skeleton) -> float:
    limbs = np.array([limb for limb in skeleton.limbs if known[list(limb)].all()], int).reshape(-1, 2)
    if len(limbs):
        length = np.median(np.linalg.norm(places[limbs[:, 0]] - places[limbs[:, 1]], axis=-1))
    else:  # a fifth of a body is about a limb
        length = np.ptp(places[known], axis=0).max(initial=0.0) / 5 if known.any() else 0.0
    return _SLENDER * float(length)


def _person(shown: np.ndarray, places: np.ndarray, state: np.ndarray, skeleton: Skeleton, width: int) -> None:
    colours = skeleton.limb_colours().tolist()
    limbs = [
        (limb, colours[index]) for index, limb in enumerate(skeleton.limbs) if index not in skeleton.bridges
    ]
    of_point = {end: colour for limb, colour in limbs[::-1] for end in limb}
    fixed = np.nan_to_num(np.round(places * 2**_FRACTION)).clip(-(2**24), 2**24).astype(int).tolist()
    for (start, end), colour in limbs:
        if state[start] and state[end]:
            cv2.line(shown, fixed[start], fixed[end], colour, width, cv2.LINE_AA, _FRACTION)
    for point, seen in enumerate(state.tolist()):
        for size, colour in _discs(seen, width, of_point.get(point, _WHITE)):
            cv2.circle(shown, fixed[point], round(size * 2**_FRACTION), colour, -1, cv2.LINE_AA, _FRACTION)


def _discs(seen: int, width: int, colour: Sequence[int]) -> list[tuple[float, Sequence[int]]]:
    """Return radius and colour of the discs that make a point, the largest first."""
    radius = 0.5 + 0.75 * width
    rim = [(radius + 0.25 * width, _BLACK)] if width > 2 else []
    return {0: [], 1: [*rim, (radius, colour), (0.6 * radius, _WHITE)], 2: [*rim, (radius, colour)]}[seen]
