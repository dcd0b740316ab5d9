"""People from heat maps and part affinity fields (Cao et al. 2017, section 2.4), the inverse of `codec`.

What is numeric is done for all candidates at once; what is left in Python are a few dozen limbs.
"""

from collections.abc import Mapping

import numpy as np

from kerazoo.families.openpose.parser import Parser
from kerazoo.families.openpose.peaks import peaks
from kerazoo.structures.keypoints import Poses
from kerazoo.structures.skeleton import Skeleton

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
    limbs = _candidates(found, fields, skeleton, parser, stride)
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
    found: list[np.ndarray], fields: np.ndarray, skeleton: Skeleton, parser: Parser, stride: int
) -> dict[int, Limb]:
    """Return, by number of the limb, the pairs of peaks that its field joins; all pairs are tried at once."""
    counts = np.array([len(some) for some in found])
    before = counts.cumsum() - counts
    first, second = np.array(skeleton.limbs).T
    pairs = counts[first] * counts[second]
    limb = np.repeat(np.arange(len(pairs)), pairs)
    nth = np.arange(len(limb)) - np.repeat(pairs.cumsum() - pairs, pairs)
    a, b = np.divmod(nth, counts[second[limb]])
    places = np.concatenate(found)[:, :2]
    start, end = places[before[first[limb]] + a], places[before[second[limb]] + b]
    scores = _line_scores(start, end, limb, fields, parser, stride)
    limbs: dict[int, Limb] = {number: [] for number in range(len(pairs))}
    for pair in np.flatnonzero(scores > 0):
        limbs[int(limb[pair])].append((int(a[pair]), int(b[pair]), float(scores[pair])))
    return limbs


def _line_scores(
    start: np.ndarray, end: np.ndarray, limb: np.ndarray, fields: np.ndarray, parser: Parser, stride: int
) -> np.ndarray:
    """Return how well their limb's field agrees with lines between peaks, 0 for not: `(N,)`.

    The integral of equation 10 as a sum over even samples, each of the nearest cell.
    """
    rows, columns, limbs = *fields.shape[:2], fields.shape[2] // 2
    way = end - start
    length = np.maximum(np.hypot(*way.T), 1e-6)
    least, most = parser.samples
    number = np.clip(np.rint(np.sqrt(5 * np.abs(way).max(axis=-1) * stride)), least, most)[:, None]
    sample = np.arange(most)
    along = np.minimum(sample / (number - 1), 1)
    x, y = (
        np.rint(start[:, axis, None] + way[:, axis, None] * along).astype("int64").clip(0, cells - 1)
        for axis, cells in enumerate((columns, rows))
    )
    vectors = fields.reshape(-1, 2)[(y * columns + x) * limbs + limb[:, None]]
    agreement = (vectors[..., 0] * way[:, :1] + vectors[..., 1] * way[:, 1:]) / length[:, None]
    taken = sample < number
    agrees = taken & (agreement > parser.agreement)
    counted = agrees if parser.counted == "agreeing" else taken
    score = (agreement * counted).sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1)
    if parser.half_height:
        score = score + np.minimum(0.5 * rows / length - 1, 0)
    enough = agrees.sum(axis=-1) >= parser.share * number[:, 0] - 1e-6
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
