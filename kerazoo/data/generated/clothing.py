"""Limbs, trunk and clothes of drawn bodies, as coloured outlines with a depth."""

import colorsys
import operator
from typing import NamedTuple

import numpy as np

from kerazoo.data.generated.bodies import SIDES, Figure
from kerazoo.data.generated.scenery import random_colours
from kerazoo.media.opencv import cv2

Colour = tuple[int, int, int]

_LIMBS = {
    "thigh": ("hip", "knee", 0.06, 0.042, "trousers", 0.0),
    "shank": ("knee", "ankle", 0.04, 0.024, "shins", 0.0),
    "foot": ("ankle", "toe", 0.026, 0.02, "shoes", 0.01),
    "upper arm": ("shoulder", "elbow", 0.04, 0.029, "sleeves", 0.03),
    "forearm": ("elbow", "wrist", 0.028, 0.02, "cuffs", 0.035),
    "hand": ("wrist", "hand", 0.021, 0.024, "skin", 0.04),
}
"""Joints at both ends and radii there, what is worn, and how much nearer than they are they are drawn."""

_LIMB_RADII = np.array([limb[2:4] for _ in SIDES for limb in _LIMBS.values()])

_ARC = np.linspace(-np.pi / 2, np.pi / 2, 7)
_ROUND = np.linspace(0, 2 * np.pi, 14, endpoint=False)
CIRCLE = np.stack([np.cos(_ROUND), np.sin(_ROUND)], axis=1)
"""Points of a circle of radius 1."""


class DrawnPart(NamedTuple):
    """An outline with a colour and a depth.

    Attributes:
        depth: parts of a larger one are drawn later.
        name: what it is, or nothing where it lies on a part that was drawn before it.
        outline: float `(n, 2)`, pixels, convex.
        colour: RGB.
    """

    depth: float
    name: str
    outline: np.ndarray
    colour: Colour


class Outfit(NamedTuple):
    """The clothes and colours of a person.

    Attributes:
        colours: of skin, hair, shirt, trousers and so on.
        skirt, long_hair: whether there is such a thing.
    """

    colours: dict[str, Colour]
    skirt: bool
    long_hair: bool


def random_outfit(rng: np.random.Generator) -> Outfit:
    """Return random clothes, skin and hair."""
    hue, pale, light, hair_hue, vivid, fair, *chances = rng.random(12).tolist()
    skin = _hsv(0.02 + 0.07 * hue, 0.25 + 0.4 * pale, 0.35 + 0.65 * light)
    hair = _hsv(0.02 + 0.1 * hair_hue, 0.8 * vivid, 0.05 + 0.65 * fair)
    often = (0.1, 0.45, 0.15, 0.3, 0.15, 0.35)
    bald, short_sleeves, sleeveless, shorts, skirt, long_hair = map(operator.lt, chances, often)
    shirt, trousers, shoes = random_colours(rng, 3)
    worn = {
        "skin": skin,
        "hair": skin if bald else hair,
        "shirt": shirt,
        "trousers": skin if skirt else trousers,
        "skirt": trousers,
        "shins": skin if skirt or shorts else trousers,
        "shoes": shoes,
        "sleeves": skin if sleeveless else shirt,
        "cuffs": skin if sleeveless or short_sleeves else shirt,
    }
    return Outfit(worn, skirt, long_hair and not bald)


def limb_parts(figure: Figure, outfit: Outfit, light: np.ndarray) -> list[DrawnPart]:
    """Return arms, hands, legs and feet, lit from the direction `light`, x and y."""
    joints, named = figure.body.joints, [(side, *limb) for side in SIDES for limb in _LIMBS.items()]
    ends = np.array(
        [(joints[f"{side}_{shape[0]}"], joints[f"{side}_{shape[1]}"]) for side, _, shape in named]
    )
    radii = _LIMB_RADII * figure.body.stout * figure.scale
    places, depths = figure.to_pixels(ends), ends[..., 2].mean(axis=1).tolist()
    outlines = _capsules(places, radii)
    bright = _capsules(places + 0.4 * light * radii[..., None], 0.55 * radii)
    parts = []
    for (side, name, shape), depth, outline, lit in zip(named, depths, outlines, bright, strict=True):
        worn, nearer = outfit.colours[shape[4]], depth + shape[5]
        parts += [
            DrawnPart(nearer, f"{side} {name}", outline, darken(worn, 0.72)),
            DrawnPart(nearer, "", lit, worn),
        ]
    return parts


def trunk_parts(figure: Figure, outfit: Outfit, light: np.ndarray) -> list[DrawnPart]:
    """Return shirt, seat, skirt and neck; a collar where the chest faces the viewer."""
    body, worn, size = figure.body, outfit.colours, figure.body.stout * figure.scale
    thorax, neck, head = (body.joints[name] for name in ("thorax", "upper_neck", "head"))
    shoulders, hips = (np.array([body.joints[f"{side}_{n}"] for side in SIDES]) for n in ("shoulder", "hip"))
    chest = 0.88 * thorax + 0.7 * (shoulders - thorax)
    waist = 0.2 * thorax + 0.8 * hips
    shirt, near = figure.to_pixels(np.concatenate([shoulders, chest, waist])), float(thorax[2]) / 2
    parts = [
        DrawnPart(
            near + 0.005, "trunk", hull(figure.to_pixels(hips), 0.066 * size), darken(worn["trousers"], 0.8)
        ),
        DrawnPart(near + 0.015, "trunk", hull(shirt, _SHIRT * size), darken(worn["shirt"], 0.72)),
        DrawnPart(near + 0.016, "", hull(shirt + 0.02 * size * light, _LIT * size), worn["shirt"]),
        DrawnPart(
            float(thorax[2] + neck[2] + head[2]) / 3 + 0.012,
            "neck",
            hull(figure.to_pixels(np.stack([thorax, neck, head])), 0.034 * size),
            darken(worn["skin"], 0.8),
        ),
    ]
    if outfit.skirt:
        parts.append(_skirt_part(figure, hips, near, worn["skirt"]))
    if body.facing > 0.25:
        collar = np.stack([*(0.75 * thorax + 0.25 * shoulders), 0.78 * thorax])
        parts.append(DrawnPart(near + 0.018, "", figure.to_pixels(collar), worn["skin"]))
    return parts


_SHIRT = np.array([[0.036], [0.036], *[[0.062]] * 4])
_LIT = np.array([[0.02], [0.02], *[[0.042]] * 4])
"""Radii at the shoulders, in the chest and in the waist."""


def _skirt_part(figure: Figure, hips: np.ndarray, near: float, worn: Colour) -> DrawnPart:
    knees = np.array([figure.body.joints[f"{side}_knee"] for side in SIDES])
    hem = 0.25 * hips + 0.75 * knees
    depth = max(near + 0.012, float(hem[:, 2].mean()) + 0.03)
    outline = hull(figure.to_pixels(np.concatenate([hips, hem])), 0.075 * figure.body.stout * figure.scale)
    return DrawnPart(depth, "skirt", outline, worn)


def hull(centres: np.ndarray, radii: np.ndarray | float) -> np.ndarray:
    """Return the convex hull of discs: `(n, 2)` and `(n, 1)` -> `(m, 2)`, pixels."""
    discs = centres[:, None] + CIRCLE * np.asarray(radii)[..., None]
    return cv2.convexHull(discs.reshape(-1, 2).astype("float32"))[:, 0]


def darken(colour: Colour, factor: float) -> Colour:
    """Return a darker colour."""
    red, green, blue = colour
    return int(red * factor), int(green * factor), int(blue * factor)


def _capsules(ends: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return the outlines of discs joined in pairs: `(n, 2, 2)` and `(n, 2)` -> `(n, 14, 2)`."""
    along = ends[:, 1] - ends[:, 0]
    angles = np.arctan2(along[:, 1], along[:, 0])[:, None, None] + np.stack([_ARC + np.pi, _ARC])
    arcs = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return (ends[:, :, None] + arcs * radii[..., None, None]).reshape(len(ends), -1, 2)


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return int(255 * red), int(255 * green), int(255 * blue)
