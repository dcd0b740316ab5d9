"""Drawing images of several clothed people in front of one another and of clutter.

What makes the task more than finding colours: clothes, skin, hair, ground and light change from image to
image; things of the colours and shapes of limbs lie about. Left and right can be told only by the way
a body faces: by its face, its collar and the bend of its joints.
"""

from typing import NamedTuple

import numpy as np

from kerazoo.data.generated.bodies import Figure, Mannequin, random_mannequin
from kerazoo.data.generated.clothing import limb_parts, random_outfit, trunk_parts
from kerazoo.data.generated.heads import FEATURES, HEAD, face_points, head_parts
from kerazoo.data.generated.scenery import (
    FRACTION,
    add_camera_effects,
    draw_ground,
    draw_thing,
    overlaps,
    random_colours,
    to_fixed_point,
)
from kerazoo.media.opencv import cv2
from kerazoo.structures.skeleton import COCO17

POINTS = (*COCO17.points, "pelvis", "thorax", "upper_neck", "head_top")
"""What is known of every figure: COCO's points and those that MPII has besides."""

SMALLEST = 60
"""Pixels that the smallest people are high or wide, where the image is large enough for others."""

_SHOWN_BY = {
    "shoulder": ("upper arm",),
    "elbow": ("upper arm", "forearm"),
    "wrist": ("forearm", "hand"),
    "hip": ("thigh", "trunk", "skirt"),
    "knee": ("thigh", "shank", "skirt"),
    "ankle": ("shank", "foot"),
    "pelvis": ("trunk", "skirt"),
    "thorax": ("trunk", "neck"),
    "upper_neck": ("neck", HEAD),
}
"""On which parts a point is not hidden by its own body; the others are on the head."""

_JOINTS = [name for name in POINTS if name not in FEATURES]
_PLACES = [(*FEATURES, *_JOINTS).index(name) for name in POINTS]
_THING = 255
"""Number, in the map of who is on top, of what stands before people."""


class PeopleImage(NamedTuple):
    """An image of people.

    Attributes:
        image: uint8 `(H, W, 3)`, RGB.
        points: float32 `(P, len(POINTS), 2)`, x and y, pixel centres at whole numbers.
        visible: uint8 `(P, len(POINTS))`: 0 beyond the image or on a head's far side, 1 hidden, 2 seen.
        boxes: float32 `(P, 4)`, left, top, width, height of what would be seen if nothing stood before it.
        areas: float32 `(P,)`, pixels of that.
    """

    image: np.ndarray
    points: np.ndarray
    visible: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray


class _DrawnPerson(NamedTuple):
    """One person of an image, as in `PeopleImage`; `cover` is uint8 `(H, W)`, not 0 where the person is."""

    points: np.ndarray
    visible: np.ndarray
    cover: np.ndarray


def draw_figures(rng: np.random.Generator, size: tuple[int, int], count: int) -> PeopleImage:
    """Return an image of people, the largest in front.

    Args:
        rng: decides everything else.
        size: height and width in pixels.
        count: of people, 1 or more.
    """
    image, top = draw_ground(rng, size), np.zeros(size, "uint8")
    angle = rng.uniform(-np.pi, 0)
    light = np.array([np.cos(angle), np.sin(angle)])
    before = int(rng.integers(count)) if rng.random() < 0.35 else count
    people = []
    for number, figure in enumerate(_place_figures(rng, size, count)):
        people.append(_draw_person(rng, image, figure, light))
        top[people[-1].cover > 0] = number + 1
        if number == before:
            draw_thing([image, top], [*random_colours(rng, 1), _THING], rng, rng.uniform(0.1, 0.3))
    visible = np.array([_final_visibility(person, top, number) for number, person in enumerate(people, 1)])
    return PeopleImage(
        add_camera_effects(rng, image),
        np.array([person.points for person in people], "float32"),
        visible.astype("uint8"),
        np.array([cv2.boundingRect(person.cover) for person in people], "float32"),
        np.array([cv2.countNonZero(person.cover) for person in people], "float32"),
    )


def _place_figures(rng: np.random.Generator, size: tuple[int, int], count: int) -> list[Figure]:
    """Return random figures with limited overlap, mostly inside the image, the smallest first."""
    height, width = size
    figures: list[Figure] = []
    placed = np.zeros((count, 2, 2))
    for number, extent in enumerate(np.sort(rng.uniform(min(SMALLEST, 0.6 * height), 0.95 * height, count))):
        body = random_mannequin(rng)
        low, sides = _bounding_box(body)
        scale = extent / sides.max()
        sides = sides * scale
        spare = np.maximum((width, height) - 0.76 * sides, 1)
        corners = rng.uniform(0, 1, (8, 2)) * spare - 0.12 * sides  # an eighth may lie beyond
        worst = overlaps(corners, sides, placed[:number]).max(axis=1, initial=0.0)
        fitting = worst <= max(rng.uniform(0, 0.45), worst.min())
        corner = corners[fitting.argmax()]
        placed[number] = corner, sides
        figures.append(Figure(body, scale, corner - low * scale))
    return figures


def _bounding_box(body: Mannequin) -> tuple[np.ndarray, np.ndarray]:
    """Return the upper left corner and the size (x, y) of a body's bounding box."""
    places = np.stack(list(body.joints.values()))[:, :2]
    low = places.min(axis=0) - 0.05
    return low, places.max(axis=0) + 0.05 - low


def _draw_person(
    rng: np.random.Generator, image: np.ndarray, figure: Figure, light: np.ndarray
) -> _DrawnPerson:
    """Draw a person into the image."""
    outfit = random_outfit(rng)
    parts = [
        *limb_parts(figure, outfit, light),
        *trunk_parts(figure, outfit, light),
        *head_parts(figure, outfit),
    ]
    cover, codes = np.zeros(image.shape[:2], "uint8"), {"": 0}
    for part in sorted(parts, key=lambda part: part.depth):
        corners = to_fixed_point(part.outline)
        cv2.fillConvexPoly(image, corners, part.colour, cv2.LINE_AA, FRACTION)
        if part.name:
            code = codes.setdefault(part.name, len(codes))
            cv2.fillConvexPoly(cover, corners, code, cv2.LINE_8, FRACTION)
    face, near = face_points(figure.body)
    joints = np.stack([figure.body.joints[name] for name in _JOINTS])
    points = figure.to_pixels(np.concatenate([face, joints])[_PLACES])
    on_top = _values_at(points, cover)
    shown = np.array([code in _visible_codes(name, codes) for name, code in zip(POINTS, on_top, strict=True)])
    visible = np.where(shown | (on_top == 0), 2, 1)
    visible[[POINTS.index(name) for name, is_near in zip(FEATURES, near, strict=True) if not is_near]] = 0
    return _DrawnPerson(points, visible, cover)


def _visible_codes(name: str, codes: dict[str, int]) -> list[int]:
    side, _, joint = name.partition("_")
    parts = _SHOWN_BY.get(name) or _SHOWN_BY.get(joint) or (HEAD,)
    return [code for part in parts for code in (codes.get(f"{side} {part}"), codes.get(part)) if code]


def _final_visibility(person: _DrawnPerson, top: np.ndarray, number: int) -> np.ndarray:
    """Return a person's visibilities after everything was drawn."""
    above = _values_at(person.points, top)
    visible = np.where((person.visible == 2) & (above > 0) & (above != number), 1, person.visible)
    inside = ((person.points >= -0.5) & (person.points < np.array(top.shape[::-1]) - 0.5)).all(axis=-1)
    return np.where(inside, visible, 0)


def _values_at(points: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Return the values of the pixels at points, or of the nearest pixels in the image."""
    x, y = np.clip(np.rint(points), 0, np.array(array.shape[::-1]) - 1).astype(int).T
    return array[y, x]
