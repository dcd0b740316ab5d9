"""Scores of pose that ask how far each key point is from where it should be, in a length of the person.

- "pck", the percentage of correct key points: labelled points that were found within 0.2 of the torso's
  length, from left shoulder to right hip (Sapp and Taskar 2013); people of whom these two are not labelled
  are left out. Where a skeleton has no such points, within 0.2 of the diagonal of the person's box.
- "pckh", of skeletons with a head: within 0.5 of the head's length (Andriluka et al. 2014), here from
  head_top to upper_neck; MPII's tool takes 0.6 of the diagonal of a head box, which only its own annotations
  have. As there, the mean leaves pelvis and thorax out.
- "nme", the normalised mean error of faces: how far points are off, in distances of the outer corners of the
  eyes (`Skeleton.normalise`); the mean over points, then over faces. Points not found are left out.

Every person of the truth is compared with the most similar one that was found, none of these with two. For
"pck" and "pckh", points that were not found are wrong, and so are all points of people who were not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.matching import partners
from kerazoo.structures.skeleton import Skeleton
from kerazoo.tasks.pose.similarity import similarity

PCK, PCKH = 0.2, 0.5
"""Shares of the torso's and of the head's length within which a point is right."""

_TORSO, _HEAD = ("left_shoulder", "right_hip"), ("head_top", "upper_neck")
_NOT_IN_PCKH = ("pelvis", "thorax")


def pck_scores(
    seen: Sequence[tuple[People, Poses]], skeleton: Skeleton, sigmas: np.ndarray
) -> dict[str, Any]:
    """Return "pck", and "pckh" and "nme" where the skeleton has what they are measured by.

    For each there is also "point_pck" and so on, by point. What nothing tells of is None.

    Args:
        seen: images, in the points that people annotate (`kerazoo.tasks.pose.oks.images`).
        skeleton: of all of them.
        sigmas: float64 `(K,)`, of those points.
    """
    names = skeleton.annotated_points()
    count = len(names)
    off = np.concatenate([np.zeros((0, count))] + [_distances(*pair, sigmas) for pair in seen])
    points = np.concatenate([np.zeros((0, count, 2))] + [_labelled(truth) for truth, _ in seen])
    eyes = tuple(skeleton.points[end] for end in skeleton.normalise or ())
    torso = _length(points, names, _TORSO) if {*_TORSO} <= {*names} else _diagonal(seen)
    means = {"pck": _mean(off / torso <= PCK, _known(points, torso), names)}
    if {*_HEAD} <= {*names}:
        head = _length(points, names, _HEAD)
        means["pckh"] = _mean(off / head <= PCKH, _known(points, head), names, _NOT_IN_PCKH)
    if eyes:
        face = _length(points, names, eyes)
        means["nme"] = _mean_of_faces(off / face, _known(points, face) & np.isfinite(off), names)
    by_point = {f"point_{name}": values for name, (_, values) in means.items()}
    return {name: mean for name, (mean, _) in means.items()} | by_point


def _distances(truth: People, result: Poses, sigmas: np.ndarray) -> np.ndarray:
    """Return how far each point of the truth is off: float64 `(P, K)`, infinite where it was not found."""
    points = np.where(result.points[..., 2:] > 0, result.points[..., :2].astype("float64"), np.inf)
    alike = similarity(points, truth.points, truth.areas.astype("float64"), sigmas, truth.visible > 0)
    nobody = np.full((1, *truth.points.shape[1:]), np.inf)
    matched = np.concatenate([points, nobody])[partners(alike)]
    return np.linalg.norm(matched - truth.points, axis=-1)


def _labelled(truth: People) -> np.ndarray:
    """Return the points of the truth, NaN for what is not labelled."""
    return np.where(truth.visible[..., None] > 0, truth.points, np.nan)


def _length(points: np.ndarray, names: Sequence[str], ends: Sequence[str]) -> np.ndarray:
    """Return how far apart two points of every person are: `(N, 1)`, NaN where that is not known."""
    start, end = (points[:, names.index(name)] for name in ends)
    length = np.linalg.norm(start - end, axis=-1, keepdims=True)
    return np.where(length > 0, length, np.nan)


def _diagonal(seen: Sequence[tuple[People, Poses]]) -> np.ndarray:
    sides = np.concatenate([np.zeros((0, 2))] + [truth.boxes[:, 2:] for truth, _ in seen])
    length = np.linalg.norm(sides, axis=-1, keepdims=True)
    return np.where(length > 0, length, np.nan)


def _known(points: np.ndarray, length: np.ndarray) -> np.ndarray:
    return ~np.isnan(points[..., 0]) & ~np.isnan(length)


def _mean(
    values: np.ndarray, counted: np.ndarray, names: Sequence[str], left_out: Sequence[str] = ()
) -> tuple[float | None, dict[str, float | None]]:
    """Return the mean of what counts, points `left_out` not, and the mean of every point."""
    by_point = {name: _of(values[:, point], counted[:, point]) for point, name in enumerate(names)}
    columns = [point for point, name in enumerate(names) if name not in left_out]
    return _of(values[:, columns], counted[:, columns]), by_point


def _mean_of_faces(
    values: np.ndarray, counted: np.ndarray, names: Sequence[str]
) -> tuple[float | None, dict[str, float | None]]:
    _, by_point = _mean(values, counted, names)
    faces = np.array([values[face, points].mean() for face, points in enumerate(counted) if points.any()])
    return _of(faces, np.ones(len(faces), bool)), by_point


def _of(values: np.ndarray, counted: np.ndarray) -> float | None:
    return float(values[counted].mean()) if counted.any() else None
