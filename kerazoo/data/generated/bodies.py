"""Random bodies in 3-D: proportions, joint angles and the resulting positions of joints.

Coordinates are x to the viewer's right, y down and z towards the viewer; a body is about 1 high. One that
faces the viewer has its left at the viewer's right. Angles are in degrees.
"""

import bisect
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SIDES = {"left": 1.0, "right": -1.0}

_LEGS = (
    (0.4, (-6, 0, 0), (6, 12, 15)),  # standing
    (0.65, (0, 0, 5), (0, 8, 40)),  # walking, besides the stride
    (0.75, (60, 0, 55), (95, 20, 100)),  # sitting
    (1.0, (-15, 4, 0), (50, 40, 80)),  # in any way
)
_ARMS = (
    (0.45, (-20, 3, 5), (20, 20, 40)),  # hanging
    (0.75, (-25, 5, 50), (40, 35, 130)),  # bent
    (1.0, (-20, 55, 0), (60, 165, 100)),  # raised
)
"""How often up to here; from where to where a limb is swung forward and outward, and bent in its middle."""

_WALKING, _RAISED = 1, 2

_Limb = tuple[np.ndarray, np.ndarray]
"""Directions of a limb's upper and lower half."""


class Mannequin(NamedTuple):
    """A body in a pose, seen from a direction.

    Attributes:
        joints: name -> float64 `(3,)`; the neck goes from "thorax" to "upper_neck", "head" is its middle.
        head: rotation of the head, whose columns are its left, down and forward.
        facing: how much the chest faces the viewer, from -1 (seen from behind) to 1.
        stout: factor on the thickness of everything.
        skull: half of the head's width, height and depth.
    """

    joints: dict[str, np.ndarray]
    head: np.ndarray
    facing: float
    stout: float
    skull: np.ndarray


class Figure(NamedTuple):
    """A body at a position in an image.

    Attributes:
        body: its stance.
        scale: pixels per unit of the body.
        offset: x and y, in pixels, of the body's origin.
    """

    body: Mannequin
    scale: float
    offset: np.ndarray

    def to_pixels(self, places: np.ndarray) -> np.ndarray:
        """Return the image positions of points of the body: `(..., 3)` -> `(..., 2)` pixels."""
        return places[..., :2] * self.scale + self.offset


def random_mannequin(rng: np.random.Generator) -> Mannequin:
    """Return a body with random proportions and pose, seen from a random direction."""
    skull = np.array([0.05, 0.07, 0.058]) * rng.uniform(1.05, 1.4)
    joints, head = _random_joints(rng, skull)
    heading = rng.normal(0, 35) if rng.random() < 0.5 else rng.uniform(-180, 180)
    view = (
        rotation_about(2, rng.normal(0, 6))
        @ rotation_about(0, rng.uniform(-4, 14))
        @ rotation_about(1, heading)
    )
    places = np.stack(list(joints.values())) @ view.T
    seen = dict(zip(joints, places, strict=True))
    return Mannequin(seen, view @ head, float(view[2, 2]), rng.uniform(0.85, 1.25), skull)


def _random_joints(rng: np.random.Generator, skull: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the joints of a random body that faces the viewer, and the rotation of its head."""
    lean = rng.uniform(20, 60) if rng.random() < 0.12 else rng.normal(0, 7)
    torso = (
        rotation_about(0, -lean) @ rotation_about(2, rng.normal(0, 5)) @ rotation_about(1, rng.normal(0, 10))
    )
    joints = {"pelvis": np.zeros(3), "thorax": torso @ (0, -0.31 * rng.normal(1, 0.04), 0)}
    joints |= _random_legs(rng) | _random_arms(rng, joints["thorax"], torso)
    nod = (
        rotation_about(1, rng.normal(0, 22))
        @ rotation_about(0, rng.normal(-4, 9))
        @ rotation_about(2, rng.normal(0, 6))
    )
    head = torso @ rotation_about(0, 0.5 * lean) @ nod
    joints["upper_neck"] = joints["thorax"] + torso @ (0, -0.05, 0.005)
    joints["head"] = joints["upper_neck"] + head @ (0, -0.75 * skull[1], 0.012)
    joints["head_top"] = joints["head"] + head @ (0, -skull[1], 0)
    return joints, head


def _random_legs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return random hips, knees, ankles and toes."""
    width, length = rng.normal((0.075, 0.245), (0.003, 0.01))
    kind = _random_kind(rng, _LEGS)
    stride = rng.uniform(-40, 40) if kind == _WALKING else 0.0
    joints: dict[str, np.ndarray] = {}
    for side, sign in SIDES.items():
        forward, outward, knee = rng.uniform(*_LEGS[kind][1:])
        thigh = _swing_direction(forward + sign * stride, outward, sign)
        shank = _bend_direction(thigh, (0, 0, -1), knee)
        hip = np.array([sign * width, 0, 0])
        ankle = hip + length * (thigh + shank)
        toe = ankle + 0.1 * _bend_direction(shank, (0.3 * sign, 0, 1), 75)
        ends = (f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "toe"))
        joints |= zip(ends, (hip, hip + length * thigh, ankle, toe), strict=True)
    return joints


def _random_arms(rng: np.random.Generator, thorax: np.ndarray, torso: np.ndarray) -> dict[str, np.ndarray]:
    """Return random shoulders, elbows, wrists and centres of the hands."""
    width, length = rng.normal((0.118, 1.0), (0.005, 0.04))
    joints: dict[str, np.ndarray] = {}
    for side, sign in SIDES.items():
        kind = _random_kind(rng, _ARMS)
        forward, outward, elbow = rng.uniform(*_ARMS[kind][1:])
        first = _swing_direction(forward, outward, sign)
        towards = (0, -1, 0.3) if kind == _RAISED else (-0.4 * sign, -0.3, 1)
        second = torso @ _bend_direction(first, rng.normal(towards, 0.3), elbow)
        shoulder = thorax + torso @ (sign * width, 0.02, 0)
        middle = shoulder + 0.17 * length * (torso @ first)
        wrist = middle + 0.15 * length * second
        ends = (f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hand"))
        joints |= zip(ends, (shoulder, middle, wrist, wrist + 0.055 * second), strict=True)
    return joints


def _random_kind(rng: np.random.Generator, kinds: Sequence[tuple]) -> int:
    return bisect.bisect([kind[0] for kind in kinds], rng.random())


def _swing_direction(forward: float, outward: float, sign: float) -> np.ndarray:
    """Return the direction of a hanging limb after it was swung forward and outward."""
    forward, outward = math.radians(forward), math.radians(outward)
    down = math.cos(outward)
    return np.array([sign * math.sin(outward), down * math.cos(forward), down * math.sin(forward)])


def _bend_direction(direction: np.ndarray, towards: Sequence[float] | np.ndarray, angle: float) -> np.ndarray:
    """Return a direction rotated by an angle towards another."""
    aside = towards - np.dot(towards, direction) * direction
    angle, length = math.radians(angle), max(math.sqrt(aside @ aside), 1e-6)
    return math.cos(angle) * direction + math.sin(angle) / length * aside


def rotation_about(axis: int, angle: float) -> np.ndarray:
    """Return the 3 x 3 rotation by an angle in degrees about an axis."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    about = (((1, 0, 0), (0, c, -s), (0, s, c)), ((c, 0, s), (0, 1, 0), (-s, 0, c)),
             ((c, -s, 0), (s, c, 0), (0, 0, 1)))  # fmt: skip
    return np.array(about[axis])
