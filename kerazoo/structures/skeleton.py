"""Skeletons: the key points of a person, a face or a user's own object, and their connections.

A skeleton is data. Networks, targets, parsing, scores and drawing take any; the published ones are here.
Limbs, flips and order of COCO-18 are those of Cao et al. 2017 and lightweight-human-pose-estimation
(Apache-2.0); sigmas those of the COCO evaluation (Ronchi and Perona 2017).
"""

import colorsys
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import model_validator
from pydantic_core import ArgsKwargs

from kerazoo.errors import UserError, error_context
from kerazoo.files.reading import read_json
from kerazoo.settings import build, check_names, fields, settings

Pair = tuple[int, int]

LARGEST = 1 << 20
"""Bytes of the largest file of a skeleton that is read."""

_WORDS = re.compile("left|right", re.IGNORECASE)
_ALONE = re.compile("(?<![A-Za-z])(?:[Ll]eft|[Rr]ight|LEFT|RIGHT)(?![a-z])")
_LETTERS = re.compile(
    "(?<![A-Za-z])[LlRr](?![A-Za-z])"  # L_eye, eye.r, l1
    "|(?<![A-Za-z])[LlRr](?=[A-Z][a-z])"  # LEye, rEye
    "|(?<=[a-z0-9])[LR](?![A-Za-z])"  # eyeL, pawR2
)
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}


@settings
class Skeleton:
    """Key points, their connections and their properties.

    Where a setting is a skeleton, its name in `KNOWN` says it too. A file is read by `read_skeleton`, as for
    `--set family.skeleton=FILE.json`; a run keeps the skeleton itself.

    Attributes:
        points: names, in channel order; none twice.
        limbs: pairs of points that a body part joins, in the order of a network's fields.
        flips: pairs of points that change places in a mirror; by default those whose names differ in left
            and right (`left_right_pairs`).
        sigmas: of the object keypoint similarity, a share of the object's size for every point; or
            one for all.
        between: `(point, end, end)`: points that lie in the middle of two others; data that do
            not have them get them by that rule where both are known, and scores leave them out.
        bridges: limbs that never begin a person and only add a point that is missing.
        published: the points that are annotated in their publisher's order, where that is another.
        normalise: two points whose distance mean errors are divided by: a face's outer eye corners.
    """

    points: tuple[str, ...]
    limbs: tuple[Pair, ...] = ()
    flips: tuple[Pair, ...] = ()
    sigmas: tuple[float, ...] = (0.05,)
    between: tuple[tuple[str, str, str], ...] = ()
    bridges: tuple[int, ...] = ()
    published: tuple[str, ...] = ()
    normalise: Pair | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in KNOWN:
                known = ", ".join(KNOWN)
                raise ValueError(f"there is no skeleton {value!r}: give {known} or a FILE.json with --set")
            return fields(KNOWN[value])
        arguments = value.kwargs or {} if isinstance(value, ArgsKwargs) else value
        if not isinstance(arguments, dict) or "flips" in arguments:
            return value
        points = arguments.get("points")
        if not isinstance(points, list | tuple) or not all(isinstance(name, str) for name in points):
            return value
        return arguments | {"flips": left_right_pairs(points)}

    def __post_init__(self) -> None:
        count = len(self.points)
        if len(set(self.points)) != count or not count:
            raise ValueError("points needs names, none of them twice")
        eyes = () if self.normalise is None else (self.normalise,)
        for field, pairs in {"limbs": self.limbs, "flips": self.flips, "normalise": eyes}.items():
            if any(not 0 <= end < count or pair[0] == pair[1] for pair in pairs for end in pair):
                raise ValueError(f"{field} joins points that do not exist: there are 0 to {count - 1}")
        if len({end for pair in self.flips for end in pair}) < 2 * len(self.flips):
            raise ValueError("flips moves a point twice")
        if len(self.sigmas) not in (1, count) or min(self.sigmas) <= 0:
            raise ValueError(f"sigmas needs one value or {count}, above 0")
        if not {*self.published, *(name for middle in self.between for name in middle)} <= {*self.points}:
            raise ValueError("between and published name points that do not exist")

    def annotated_points(self) -> tuple[str, ...]:
        """Return the points that are annotated and scored, in their publisher's order."""
        middles = {middle[0] for middle in self.between}
        return self.published or tuple(name for name in self.points if name not in middles)

    def indices(self, names: Sequence[str]) -> list[int]:
        """Return the index of each named point."""
        return [self.points.index(name) for name in names]

    def flip_indices(self) -> np.ndarray:
        """Return the index of every point's mirror partner: int `(K,)`."""
        place = np.arange(len(self.points))
        for left, right in self.flips:
            place[[left, right]] = right, left
        return place

    def unflipped_points(self) -> list[str]:
        """Return the points with a side in their names that `flips` do not exchange."""
        moved = {self.points[end] for pair in self.flips for end in pair}
        others = {name: _other_side(name) for name in self.points if name not in moved}
        known = {*self.points}
        return [
            name
            for name, other in others.items()
            if other != name and (other in known or _ALONE.search(name))
        ]

    def sigma_per_point(self) -> np.ndarray:
        """Return the sigma of every point: float64 `(K,)`."""
        return np.broadcast_to(np.asarray(self.sigmas, "float64"), len(self.points))

    def limb_colours(self) -> np.ndarray:
        """Return a colour per limb, hues around the circle: uint8 `(L, 3)`, RGB."""
        count = max(len(self.limbs), 1)
        hues = [colorsys.hsv_to_rgb(limb / count, 1.0, 1.0) for limb in range(count)]
        return (np.array(hues) * 255).astype("uint8")

    def convert_points(self, names: Sequence[str], points: np.ndarray, visible: np.ndarray) -> tuple:
        """Return key points of other data converted to this skeleton, by name.

        Args:
            names: of the data's points.
            points: float32 `(P, len(names), 2)`.
            visible: uint8 `(P, len(names))`, 0 for what is not labelled.

        Returns:
            points `(P, K, 2)` and visible `(P, K)`; what the data lack is not labelled.
        """
        place = {name: index for index, name in enumerate(names)}
        new_points = np.zeros((len(points), len(self.points), 2), "float32")
        new_visible = np.zeros(new_points.shape[:2], "uint8")
        for index, name in enumerate(self.points):
            if name in place:
                new_points[:, index], new_visible[:, index] = points[:, place[name]], visible[:, place[name]]
            elif len(ends := [place[end] for end in self._midpoint_ends(name) if end in place]) == 2:
                new_points[:, index] = points[:, ends].mean(axis=1)
                new_visible[:, index] = visible[:, ends].min(axis=1)
        return new_points, new_visible

    def _midpoint_ends(self, name: str) -> Sequence[str]:
        return next((ends for middle, *ends in self.between if middle == name), ())


def left_right_pairs(names: Sequence[str]) -> tuple[Pair, ...]:
    """Return the pairs of names that differ in left and right, the left ones first.

    >>> mirrored(["nose", "right_ear", "left_ear", "pawL", "pawR"])
    ((2, 1), (3, 4))
    """
    place = {name: index for index, name in enumerate(names)}
    others = {name: _other_side(name) for name in names}
    lefts = [name for name in names if others[name] != name and _side(name)[0] in "Ll"]
    return tuple((place[n], place[others[n]]) for n in lefts if others.get(others[n]) == n)


def _side(name: str) -> str:
    """Return the first word or letter of a name that means a side, or ""."""
    match = _WORDS.search(name) or _LETTERS.search(name)
    return match[0] if match else ""


def _other_side(name: str) -> str:
    """Return a name with left and right exchanged: words, or else letters."""

    def other(match: re.Match[str]) -> str:
        side, new = match[0], _OTHER[match[0].lower()]
        return new.upper() if side.isupper() else new.title() if side.istitle() else new

    return (_WORDS if _WORDS.search(name) else _LETTERS).sub(other, name)


_COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087,
    0.087, 0.089, 0.089,
)  # fmt: skip
_COCO18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
_MPII = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
    "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder",
    "left_elbow", "left_wrist",
)  # fmt: skip


COCO17 = Skeleton(
    points=_COCO,
    limbs=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9),
        (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
    sigmas=_COCO_SIGMAS,
)  # fmt: skip
"""COCO's seventeen points."""

COCO18 = Skeleton(
    points=_COCO18,
    limbs=(
        (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16), (1, 5), (5, 6),
        (6, 7), (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
    ),
    sigmas=tuple(
        0.079 if name == "neck" else _COCO_SIGMAS[_COCO.index(name)] for name in _COCO18
    ),
    between=(("neck", "left_shoulder", "right_shoulder"),),
    bridges=(9, 13),
    published=_COCO,
)  # fmt: skip
"""COCO's points and a neck, in the order and with the limbs of the published part affinity fields."""

MPII = Skeleton(
    points=_MPII,
    limbs=(
        (0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (10, 11), (11, 12), (12, 8),
        (8, 13), (13, 14), (14, 15),
    ),
    sigmas=(
        0.089, 0.083, 0.107, 0.107, 0.083, 0.089, 0.026, 0.026, 0.026, 0.026, 0.062, 0.072, 0.179, 0.179,
        0.072, 0.062,
    ),
)  # fmt: skip
"""MPII's sixteen points; it has no sigmas of its own, these are what mmpose measures it with."""


def _face_skeleton(
    count: int, pairs: Sequence[Pair], contours: Sequence[tuple[int, int, bool]], eyes: Pair
) -> Skeleton:
    """Return a skeleton of numbered landmarks; contours are (first, last, whether closed)."""
    limbs: list[Pair] = []
    for first, last, closed in contours:
        limbs += [(point, point + 1) for point in range(first, last)] + [(last, first)] * closed
    names = tuple(f"landmark{number}" for number in range(count))
    return Skeleton(points=names, limbs=tuple(limbs), flips=tuple(pairs), sigmas=(0.05,), normalise=eyes)


def _across(first: int, last: int) -> list[Pair]:
    """Return the left-right pairs of a symmetric contour: the first with the last, and so on."""
    return [(first + i, last - i) for i in range((last - first + 1) // 2)]


FACE68 = _face_skeleton(
    68,
    [
        *_across(0, 16), *_across(17, 26), *_across(31, 35), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47),
        (41, 46), *_across(48, 54), *_across(60, 64), (59, 55), (58, 56), (67, 65),
    ],
    [
        (0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False), (36, 41, True),
        (42, 47, True), (48, 59, True), (60, 67, True),
    ],
    eyes=(36, 45),
)  # fmt: skip
"""The 68 landmarks of 300W."""

FACE98 = _face_skeleton(
    98,
    [
        *_across(0, 32), (33, 46), (34, 45), (35, 44), (36, 43), (37, 42), (38, 50), (39, 49), (40, 48),
        (41, 47), *_across(55, 59), (60, 72), (61, 71), (62, 70), (63, 69), (64, 68), (65, 75), (66, 74),
        (67, 73), (96, 97), *_across(76, 82), (87, 83), (86, 84), *_across(88, 92), (95, 93),
    ],
    [
        (0, 32, False), (33, 41, True), (42, 50, True), (51, 54, False), (55, 59, False), (60, 67, True),
        (68, 75, True), (76, 87, True), (88, 95, True),
    ],
    eyes=(60, 72),
)  # fmt: skip
"""The 98 landmarks of WFLW."""

KNOWN = {"coco17": COCO17, "coco18": COCO18, "mpii": MPII, "face68": FACE68, "face98": FACE98}


def read_skeleton(path: Path) -> Skeleton:
    """Return a user's own skeleton: a JSON object with the fields of `Skeleton`.

    Raises:
        UserError: it cannot be read, or a field is unknown or wrong.
    """
    values = read_json(path, largest=LARGEST)
    if not isinstance(values, dict):
        remedy = 'give a JSON object such as {"points": ["nose", "tail"], "limbs": [[0, 1]]}'
        raise UserError(f"{path} holds no object", remedy)
    with error_context(path):
        check_names(Skeleton, values)
        return build(Skeleton, values)
