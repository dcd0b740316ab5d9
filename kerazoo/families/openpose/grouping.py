"""People from heat maps and part affinity fields (Cao et al. 2017, section 2.4), the inverse of `codec`.

What is numeric is done for all candidates at once; what is left in Python are a few dozen limbs.
"""

from collections.abc import Mapping

import numpy as np

from kerazoo.families.openpose.parser import Parser
from kerazoo.families.openpose.peaks import peaks
from kerazoo.skeleton import Skeleton
from kerazoo.tasks.pose import Poses

Limb = list[tuple[int, int, float]]
"""Candidates for a limb: peak of its first point, peak of its second, score."""

End = tuple[int, int]
"""A point and which of its peaks."""

Group = tuple[dict[int, int], list[float]]
"""A person under way: the peak of each point, and the scores of the limbs."""


def people(
    heatmaps: np.ndarray,
    fields: np.ndarray,
    skeleton: Skeleton,
    parser: Parser,
    *,
    stride: int = 8,
    sigma: float = 7.0,
) -> Poses:
    """Return the people that maps show, in input pixels, the best first.

    Args:
        heatmaps: float32 `(h, w, K + 1)`; the background's is not looked at.
        fields: float32 `(h, w, 2 L)`.
        skeleton: what the maps are of.
        parser: what counts.
        stride: input pixels per cell.
        sigma: of a point's Gaussian in input pixels, by which its place between cells is told where
            neighbours disagree.

    Returns:
        Poses; a person's score is that of points and limbs, as a share of the most there can be.
    """
    count = len(skeleton.points)
    found = peaks(heatmaps[..., :count], parser, sigma / stride)
    limbs = {
        limb: _candidates(*(found[end] for end in ends), fields[..., 2 * limb : 2 * limb + 2], parser, stride)
        for limb, ends in enumerate(skeleton.limbs)
    }
    kept = [group for group in assembled(limbs, skeleton) if len(group[0]) >= parser.least_points]
    points = np.zeros((len(kept), count, 3), "float32")
    for person, (peak_of, _) in enumerate(kept):
        for point, peak in peak_of.items():
            points[person, point] = found[point][peak]
    totals = points[..., 2].sum(axis=1) + np.array([sum(scores) for _, scores in kept], "float32")
    enough = totals >= parser.least_score * (points[..., 2] > 0).sum(axis=1)
    order = np.argsort(-totals[enough], kind="stable")
    points, totals = points[enough][order], totals[enough][order]
    points[..., :2] = np.where(points[..., 2:] > 0, points[..., :2] * stride + (stride - 1) / 2, 0)
    return Poses(points, totals / (count + len(skeleton.limbs)))


def _candidates(
    first: np.ndarray, second: np.ndarray, field: np.ndarray, parser: Parser, stride: int
) -> Limb:
    """Return the pairs of peaks, `(A, 3)` and `(B, 3)`, that a limb's field `(h, w, 2)` joins."""
    if not len(first) or not len(second):
        return []
    scores = _line_scores(first[:, None, :2], second[None, :, :2], field, parser, stride)
    return [(int(a), int(b), float(scores[a, b])) for a, b in zip(*np.nonzero(scores > 0), strict=True)]


def _line_scores(
    start: np.ndarray, end: np.ndarray, field: np.ndarray, parser: Parser, stride: int
) -> np.ndarray:
    """Return how well a field agrees with the lines between peaks, 0 for not: `(A, B)`.

    The integral of equation 10 as a sum over even samples, each of the nearest cell.
    """
    way = end - start
    length = np.linalg.norm(way, axis=-1)
    least, most = parser.samples
    number = np.clip(np.rint(np.sqrt(5 * np.abs(way).max(axis=-1) * stride)), least, most)[..., None]
    sample = np.arange(most)
    along = np.minimum(sample / (number - 1), 1)
    cells = np.rint(start[:, :, None] + way[:, :, None] * along[..., None]).astype("int64")
    x, y = (cells[..., axis].clip(0, field.shape[1 - axis] - 1) for axis in (0, 1))
    unit = way / np.maximum(length, 1e-6)[..., None]
    agreement = (field[y, x] * unit[:, :, None]).sum(axis=-1)
    taken = sample < number
    agrees = taken & (agreement > parser.agreement)
    counted = agrees if parser.counted == "agreeing" else taken
    score = (agreement * counted).sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1)
    if parser.half_height:
        score = score + np.minimum(0.5 * field.shape[0] / np.maximum(length, 1e-6) - 1, 0)
    enough = agrees.sum(axis=-1) >= parser.share * number[..., 0] - 1e-6
    return np.where(enough, score, 0)


def assembled(limbs: Mapping[int, Limb], skeleton: Skeleton) -> list[Group]:
    """Return people put together from candidates for limbs, by number of the limb: the best first.

    A limb goes to whom one of its ends belongs to; where its ends belong to two that have no point in
    common, these become one; where they are taken otherwise, it is left out. The paper and its parsers
    go through the limbs one kind after the other, so that a wrong arm can win over a right leg: of
    points where people overlap 1 % more came back in this order (`benchmarks/pose_round_trip.py`).
    """
    groups: list[Group] = []
    owner: dict[End, Group] = {}
    joined: set[tuple[int, End]] = set()
    ordered = sorted(
        (limb in skeleton.bridges, -score, limb, a, b)
        for limb, candidates in limbs.items()
        for a, b, score in candidates
    )
    for bridge, score, limb, a, b in ordered:
        ends = dict(zip(skeleton.limbs[limb], (a, b), strict=True))
        owners = [owner[end] for end in ends.items() if end in owner]
        if any((limb, end) in joined for end in ends.items()) or (bridge and not owners):
            continue
        group = owners[0] if owners else ({}, [])
        for other in owners[1:]:
            if other is not group and not group[0].keys() & other[0].keys():
                _merge(group, other, owner)
        if all(group[0].get(point, peak) == peak for point, peak in ends.items()):
            groups += [] if owners else [group]
            group[0].update(ends)
            group[1].append(-score)
            owner.update(dict.fromkeys(ends.items(), group))
            joined |= {(limb, end) for end in ends.items()}
    return [group for group in groups if group[0]]


def _merge(group: Group, other: Group, owner: dict[End, Group]) -> None:
    """Make one person of two halves."""
    owner.update(dict.fromkeys(other[0].items(), group))
    group[0].update(other[0])
    group[1].extend(other[1])
    other[0].clear()
    other[1].clear()
