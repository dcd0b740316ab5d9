"""Scores of verification: are two images alike, told by a distance that a threshold cuts.

Pairs are accepted (taken for alike) where their distance is not above the threshold. NumPy alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kerazoo.tasks.fewshot import interval

FOLDS = 10
"""Parts of the pairs: the threshold of each is chosen on the others (LFW's protocol; Huang et al. 2007)."""

RATES = (0.01, 0.001)
"""False accept rates that the share of true accepts is told at."""


class Curve(NamedTuple):
    """What every threshold would do, from one that accepts nothing to one that accepts all.

    Attributes:
        thresholds: distances, rising; the first is -inf.
        false: false accept rate: share of the pairs that are not alike and are accepted.
        true: true accept rate: share of the alike that are accepted.
    """

    thresholds: np.ndarray
    false: np.ndarray
    true: np.ndarray


def curve(distances: np.ndarray, alike: np.ndarray) -> Curve:
    """Return the receiver operating characteristic; pairs of one distance are accepted together.

    Args:
        distances: float `(P,)`.
        alike: bool `(P,)`, of which some are True and some are False.
    """
    order = np.argsort(distances, kind="stable")
    ordered = distances[order].astype("float64")
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    accepted = np.cumsum(alike[order])[last]
    true, false = accepted / alike.sum(), (last + 1 - accepted) / (~alike).sum()
    return Curve(np.append(-np.inf, ordered[last]), np.append(0.0, false), np.append(0.0, true))


def area(roc: Curve) -> float:
    """Return the area under the curve: how often an alike pair is closer than one that is not, ties half."""
    return float(np.trapezoid(roc.true, roc.false))


def equal_error_rate(roc: Curve) -> float:
    """Return the rate at which as many pairs are accepted wrongly as are refused wrongly.

    On the straight line between the two thresholds that it lies between.
    """
    gap = roc.false - (1 - roc.true)  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    low, high = gap[after - 1], gap[after]
    share = -low / (high - low)
    return float(roc.false[after - 1] + share * (roc.false[after] - roc.false[after - 1]))


def true_accepts(roc: Curve, rate: float) -> float:
    """Return the largest true accept rate of a threshold whose false accept rate is `rate` at most."""
    return float(roc.true[roc.false <= rate].max())


def best_threshold(distances: np.ndarray, alike: np.ndarray) -> float:
    """Return the threshold that tells most pairs right, in the middle between two distances.

    Of several as good the smallest. Where it is best to accept none or all, just beyond the distances.

    Args:
        distances: float `(P,)`.
        alike: bool `(P,)`.
    """
    order = np.argsort(distances, kind="stable")
    ordered = distances[order].astype("float64")
    right = np.append(0, np.cumsum(np.where(alike[order], 1, -1)))  # of accepting the first 0, 1, ... pairs
    possible = np.concatenate([[True], np.diff(ordered) > 0, [True]])
    accepted = int(np.argmax(np.where(possible, right, -len(ordered) - 1)))
    around = np.concatenate([ordered[:1] - 1e-6, ordered, ordered[-1:] + 1e-6])
    return float(around[accepted : accepted + 2].mean())


def accuracy(distances: np.ndarray, alike: np.ndarray, threshold: float) -> float:
    """Return the share of pairs that a threshold tells right."""
    return float(((distances.astype("float64") <= threshold) == alike).mean())


def fold_accuracies(distances: np.ndarray, alike: np.ndarray, folds: int = FOLDS) -> np.ndarray:
    """Return the accuracy on each part of the pairs, by the threshold that is best on all other parts.

    Args:
        distances, alike: `(P,)`, as for `curve`; the parts lie one after the other.
        folds: parts; fewer where there are fewer pairs.

    Returns:
        float64 `(folds,)`.
    """
    parts = np.array_split(np.arange(len(distances)), min(folds, len(distances)))
    accuracies = []
    for part in parts:
        others = np.setdiff1d(np.arange(len(distances)), part)
        threshold = best_threshold(distances[others], alike[others])
        accuracies.append(accuracy(distances[part], alike[part], threshold))
    return np.array(accuracies)


def pair_scores(distances: np.ndarray, alike: np.ndarray, threshold: float | None) -> dict[str, Any]:
    """Return the scores of pairs; None for what they cannot tell.

    Args:
        distances: float `(P,)`.
        alike: bool `(P,)`.
        threshold: what was chosen on other pairs, if anything was.
    """
    scores: dict[str, Any] = {"pairs": len(distances), "auc": None, "eer": None}
    scores |= {f"tar_at_far_{rate:g}": None for rate in RATES}
    scores |= {"best_accuracy": None, "best_accuracy_error": None, "threshold": None, "accuracy": None}
    if threshold is not None and len(distances):
        scores["accuracy"] = accuracy(distances, alike, threshold)
    different = int((~alike).sum())
    if min(different, len(alike) - different) < 2:
        return scores
    roc, folds = curve(distances, alike), fold_accuracies(distances, alike)
    scores |= {"auc": area(roc), "eer": equal_error_rate(roc)}
    # Of fewer pairs than 1 / rate a single one decides.
    scores |= {f"tar_at_far_{rate:g}": true_accepts(roc, rate) for rate in RATES if different * rate >= 1}
    error = float(folds.std(ddof=1) / np.sqrt(len(folds)))
    scores |= {"best_accuracy": float(folds.mean()), "best_accuracy_error": error}
    return scores | {"threshold": best_threshold(distances, alike)}


def episode_scores(right: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return the mean accuracy of episodes and its 95 % interval, over episodes and not over queries.

    Args:
        right: of each episode, which queries were told right, bool.
    """
    if not right:
        return {"episodes": 0, "one_shot": None, "one_shot_interval": None}
    accuracies = np.array([answers.mean() for answers in right])
    return {
        "episodes": len(accuracies),
        "one_shot": float(accuracies.mean()),
        "one_shot_interval": interval(accuracies),
    }
