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
    peaks_of = peaks(heatmaps[..., :count], parser, sigma / stride)  # K times (P, 3): x, y, height
    limbs = _candidates(peaks_of, fields, skeleton, parser, stride)
    kept = [group for group in assembled(limbs, skeleton) if len(group[0]) >= parser.least_points]
    points = np.zeros((len(kept), count, 3), "float32")  # (B, K, 3)
    for person, (peak_of, _) in enumerate(kept):
        for point, peak in peak_of.items():
            points[person, point] = peaks_of[point][peak]
    # A person's total is the heights of the peaks plus the scores of the limbs: (B,).
    totals = points[..., 2].sum(axis=1) + np.array([sum(scores) for _, scores in kept], "float32")
    enough = totals >= parser.least_score * (points[..., 2] > 0).sum(axis=1)  # a mean per point
    order = np.argsort(-totals[enough], kind="stable")
    points, totals = points[enough][order], totals[enough][order]
    # The middle of cell g is at input pixel stride * g + (stride - 1) / 2.
    points[..., :2] = np.where(points[..., 2:] > 0, points[..., :2] * stride + (stride - 1) / 2, 0)
    return Poses(points, totals / (count + len(skeleton.limbs)))


def _candidates(
    peaks_of: list[np.ndarray], fields: np.ndarray, skeleton: Skeleton, parser: Parser, stride: int
) -> dict[int, Limb]:
    """Return, by number of the limb, the pairs of peaks that its field joins; all pairs are tried at once."""
    counts = np.array([len(peaks_of_point) for peaks_of_point in peaks_of])  # (K,)
    before = counts.cumsum() - counts  # (K,), peaks of the points before this one
    first, second = np.array(skeleton.limbs).T  # (L,), the points at a limb's ends
    pairs = counts[first] * counts[second]  # (L,)
    limb = np.repeat(np.arange(len(pairs)), pairs)  # (N,), N the sum of the pairs
    nth = np.arange(len(limb)) - np.repeat(pairs.cumsum() - pairs, pairs)  # (N,), 0.. within the limb
    a, b = np.divmod(nth, counts[second[limb]])  # (N,), peak of the first point and of the second
    places = np.concatenate(peaks_of)[:, :2]  # (P, 2), all points' peaks in one row
    start, end = places[before[first[limb]] + a], places[before[second[limb]] + b]  # (N, 2)
    scores = _line_scores(start, end, limb, fields, parser, stride)  # (N,)
    limbs: dict[int, Limb] = {number: [] for number in range(len(pairs))}
    for pair in np.flatnonzero(scores > 0):
        limbs[int(limb[pair])].append((int(a[pair]), int(b[pair]), float(scores[pair])))
    return limbs


def _line_scores(
    start: np.ndarray, end: np.ndarray, limb: np.ndarray, fields: np.ndarray, parser: Parser, stride: int
) -> np.ndarray:
    """Return how well their limb's field agrees with lines between peaks, 0 for not: `(N,)`.

    The integral of equation 10 as a sum over even samples, each of the nearest cell:

        E = 1/S sum over s of L_c(p(u_s)) . (d_2 - d_1) / |d_2 - d_1|,  p(u) = (1 - u) d_1 + u d_2 (eq. 11)
    """
    rows, columns, limbs = *fields.shape[:2], fields.shape[2] // 2
    vector = end - start  # (N, 2), d_2 - d_1 in cells
    length = np.maximum(np.hypot(*vector.T), 1e-6)  # (N,)
    least, most = parser.samples
    # The published number of samples, sqrt(5 times the longer side in input pixels): (N, 1).
    number = np.clip(np.rint(np.sqrt(5 * np.abs(vector).max(axis=-1) * stride)), least, most)[:, None]
    sample = np.arange(most)  # (S,)
    u = np.minimum(sample / (number - 1), 1)  # (N, S), 0..1; those past a line's own number are masked below
    x, y = (  # (N, S), the cell of p(u)
        np.rint(start[:, axis, None] + vector[:, axis, None] * u).astype("int64").clip(0, cells - 1)
        for axis, cells in enumerate((columns, rows))
    )
    field = fields.reshape(-1, 2)[(y * columns + x) * limbs + limb[:, None]]  # (N, S, 2), L_c(p(u))
    agreement = (field[..., 0] * vector[:, :1] + field[..., 1] * vector[:, 1:]) / length[:, None]  # (N, S)
    valid = sample < number  # (N, S)
    agrees = valid & (agreement > parser.agreement)
    counted = agrees if parser.counted == "agreeing" else valid
    score = (agreement * counted).sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1)  # (N,), E
    if parser.half_height:  # longer than half the map's height is unlikely: published, not in the paper
        score = score + np.minimum(0.5 * rows / length - 1, 0)
    enough = agrees.sum(axis=-1) >= parser.share * number[:, 0] - 1e-6  # share of good samples
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
    joined: set[tuple[int, End]] = set()  # eq. 13 and 14: a peak ends at most one limb of a kind
    candidates_by_score = sorted(  # bridges last, then the highest score
        (limb in skeleton.bridges, -score, limb, a, b)
        for limb, candidates in limbs.items()
        for a, b, score in candidates
    )
    for bridge, negated_score, limb, a, b in candidates_by_score:
        ends = dict(zip(skeleton.limbs[limb], (a, b), strict=True))
        owners = [owner[end] for end in ends.items() if end in owner]
        if any((limb, end) in joined for end in ends.items()) or (bridge and not owners):
            continue
        # No owner: a new person; one: the limb is added to it; two without a common point: they become one.
        group = owners[0] if owners else ({}, [])
        for other in owners[1:]:
            if other is not group and not group[0].keys() & other[0].keys():
                _merge(group, other, owner)
        if all(group[0].get(point, peak) == peak for point, peak in ends.items()):
            groups += [] if owners else [group]
            group[0].update(ends)
            group[1].append(-negated_score)
            owner.update(dict.fromkeys(ends.items(), group))
            joined |= {(limb, end) for end in ends.items()}
    return [group for group in groups if group[0]]  # those merged into another are empty


def _merge(group: Group, other: Group, owner: dict[End, Group]) -> None:
    """Make one person of two halves."""
    owner.update(dict.fromkeys(other[0].items(), group))
    group[0].update(other[0])
    group[1].extend(other[1])
    other[0].clear()
    other[1].clear()
