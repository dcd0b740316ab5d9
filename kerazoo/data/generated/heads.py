"""Heads of drawn people: hair, face and the face's key points.

A head is an ellipsoid; places on it are those on a ball of radius 1 with x to its left, y down, z forward.
"""

import numpy as np

from kerazoo.data.generated.bodies import Figure, Mannequin
from kerazoo.data.generated.clothing import CIRCLE, DrawnPart, Outfit, darken, hull
from kerazoo.media.opencv import cv2

HEAD = "head"
"""The part that the points of the face are on."""

FEATURES = {
    "nose": ((0.0, 0.16, 1.1), -0.35),
    "left_eye": ((0.4, -0.12, 0.9), 0.1),
    "right_eye": ((-0.4, -0.12, 0.9), 0.1),
    "left_ear": ((1.03, 0.06, -0.1), -0.2),
    "right_ear": ((-1.03, 0.06, -0.1), -0.2),
}
"""Places of the face's points, and how much they must face the viewer not to be on the far side."""

_PLACES = np.array([place for place, _ in FEATURES.values()])
_LEAST = np.array([least for _, least in FEATURES.values()])

_RIM = CIRCLE * np.where(CIRCLE[:, 1:] > 0, (0.9, 0.98), (0.9, 0.5))  # a chin below, hair above
_RIM = np.column_stack([_RIM, np.sqrt(1 - np.square(_RIM).sum(axis=1))])
_NOSE = np.array([(0, -0.1, 0.98), (0, 0.16, 1.06)])
_MOUTH = np.array([(-0.25, 0.55, 0.8), (0.25, 0.55, 0.8)])

_WHITE, _PUPIL = (240, 240, 240), (30, 25, 20)


def face_points(body: Mannequin) -> tuple[np.ndarray, np.ndarray]:
    """Return the 3-D positions of `FEATURES`, `(5, 3)`, and which are on the near side, `(5,)`."""
    return body.joints["head"] + _PLACES @ _axes(body).T, _PLACES @ _nearest_to_viewer(body) > _LEAST


def head_parts(figure: Figure, outfit: Outfit) -> list[DrawnPart]:
    """Return hair, ears and, if it faces the viewer, the face."""
    body, worn = figure.body, outfit.colours
    centre, axes, towards = body.joints["head"], _axes(body), _nearest_to_viewer(body)
    depth, scale = float(centre[2]) + 0.03, figure.scale
    directions, spread, _ = np.linalg.svd(axes[:2], full_matrices=False)
    outline = figure.to_pixels(centre) + 1.05 * scale * (CIRCLE * spread) @ directions.T
    parts = [DrawnPart(depth, HEAD, outline, worn["hair"])]
    points, near = face_points(body)
    places = figure.to_pixels(points)
    if outfit.long_hair:
        nape = centre + axes @ (0, 1.3, -0.55)
        ends = figure.to_pixels(np.stack([centre - 0.01 * body.head[:, 2], nape]))
        thick = np.array([[1.12], [0.85]]) * body.skull[0] * scale
        parts.append(DrawnPart(float(nape[2]), "hair", hull(ends, thick), worn["hair"]))
    else:
        ear, lobe = CIRCLE * scale * (0.013, 0.02), darken(worn["skin"], 0.85)
        parts += [DrawnPart(depth + 1e-3, "", places[i] + ear, lobe) for i in (3, 4) if near[i]]
    if towards[2] > -0.4:
        parts += _face_parts(figure, outfit, axes, towards, depth)
        for eye in (1, 2):
            if near[eye]:
                wide = CIRCLE * scale * (0.35 + 0.65 * float(_PLACES[eye] @ towards), 1)
                parts += [DrawnPart(depth + 3e-3, "", places[eye] + 0.013 * wide, _WHITE),
                          DrawnPart(depth + 5e-3, "", places[eye] + 0.009 * wide, _PUPIL)]  # fmt: skip
    return parts


def _face_parts(
    figure: Figure, outfit: Outfit, axes: np.ndarray, towards: np.ndarray, depth: float
) -> list[DrawnPart]:
    """Return the skin, the nose and the mouth."""

    def at(places: np.ndarray) -> np.ndarray:
        return figure.to_pixels(figure.body.joints["head"] + places @ axes.T)

    skin = outfit.colours["skin"]
    rim = _RIM - np.minimum(_RIM @ towards, 0)[:, None] * towards  # what is behind comes to the outline
    rim /= np.linalg.norm(rim, axis=1, keepdims=True)
    face = cv2.convexHull(at(rim).astype("float32"))[:, 0]
    nose = hull(at(_NOSE), np.array([[0.006], [0.012]]) * figure.scale)
    parts = [
        DrawnPart(depth + 2e-3, HEAD, face, skin),
        DrawnPart(depth + 4e-3, HEAD, nose, darken(skin, 0.82)),
    ]
    if towards[2] > 0.2:
        mouth = hull(at(_MOUTH), 0.007 * figure.scale)
        parts.append(DrawnPart(depth + 3e-3, "", mouth, darken(skin, 0.55)))
    return parts


def _axes(body: Mannequin) -> np.ndarray:
    """Return the matrix from points of the unit ball to points of the head about its centre."""
    return body.head * body.skull


def _nearest_to_viewer(body: Mannequin) -> np.ndarray:
    """Return the point of the ball that is nearest to the viewer."""
    towards = body.head[2] / body.skull
    return towards / np.sqrt(towards @ towards)
