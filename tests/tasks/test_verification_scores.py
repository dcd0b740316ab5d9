"""Scores of verification against cases counted by hand."""

import numpy as np
import pytest

from kerazoo.tasks.verification import distances
from kerazoo.tasks.verification.distances import EmbeddingDistance
from kerazoo.tasks.verification.scores import (
    accuracy,
    area,
    best_threshold,
    curve,
    episode_scores,
    equal_error_rate,
    fold_accuracies,
    pair_scores,
    true_accepts,
)

# In order of distance: alike, alike, different, alike, different, different.
DISTANCES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "float32")
ALIKE = np.array([True, True, False, True, False, False])


def test_the_curve_counts_what_every_threshold_accepts():
    found = curve(DISTANCES[::-1], ALIKE[::-1])
    assert found.thresholds[0] == -np.inf
    np.testing.assert_allclose(found.thresholds[1:], DISTANCES.astype("float64"))
    np.testing.assert_allclose(found.true, np.array([0, 1, 2, 2, 3, 3, 3]) / 3)
    np.testing.assert_allclose(found.false, np.array([0, 0, 0, 1, 1, 2, 3]) / 3)


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    # Of 3 x 3 comparisons one is wrong: 0.4 (alike) is not below 0.3 (different).
    assert area(curve(DISTANCES, ALIKE)) == pytest.approx(8 / 9)
    assert area(curve(DISTANCES, ~ALIKE)) == pytest.approx(1 / 9)
    assert area(curve(np.ones(6), ALIKE)) == pytest.approx(0.5)  # ties count half
    rng = np.random.default_rng(0)
    distances, alike = rng.integers(0, 20, 200).astype("float32"), rng.random(200) < 0.3
    near, far = distances[alike][:, None], distances[~alike]
    assert area(curve(distances, alike)) == pytest.approx((near < far).mean() + (near == far).mean() / 2)


def test_the_equal_error_rate():
    # Between 0.3 (1/3 accepted wrongly, 1/3 refused wrongly) it is met exactly.
    assert equal_error_rate(curve(DISTANCES, ALIKE)) == pytest.approx(1 / 3)
    apart = np.array([0.1, 0.2, 0.8, 0.9])
    assert equal_error_rate(curve(apart, np.array([True, True, False, False]))) == 0.0
    assert equal_error_rate(curve(apart, np.array([False, False, True, True]))) == 1.0
    # All at one distance: halfway from accepting none to accepting all.
    assert equal_error_rate(curve(np.ones(4), np.array([True, False, True, False]))) == pytest.approx(0.5)


def test_true_accepts_at_a_false_accept_rate():
    found = curve(DISTANCES, ALIKE)
    assert true_accepts(found, 0.0) == pytest.approx(2 / 3)
    assert true_accepts(found, 0.33) == pytest.approx(2 / 3)  # a third is above 0.33
    assert true_accepts(found, 0.34) == 1.0
    assert true_accepts(curve(DISTANCES, ~ALIKE), 0.0) == 0.0


def test_the_best_threshold_lies_between_two_distances():
    # Up to 0.2 five of six are right; up to 0.4 also: the smaller is taken.
    threshold = best_threshold(DISTANCES, ALIKE)
    assert threshold == pytest.approx(0.25)
    assert accuracy(DISTANCES, ALIKE, threshold) == pytest.approx(5 / 6)
    assert best_threshold(DISTANCES, np.ones(6, bool)) > 0.6
    assert best_threshold(DISTANCES, np.zeros(6, bool)) < 0.1
    # Pairs of one distance cannot be parted.
    same = np.array([1.0, 1.0, 1.0, 2.0])
    threshold = best_threshold(same, np.array([True, True, False, False]))
    assert threshold == pytest.approx(1.5)


def test_a_threshold_between_neighbours_in_float32_parts_them():
    near = np.float32(0.5)
    far = np.nextafter(near, np.float32(1))
    distances, alike = np.array([near, far]), np.array([True, False])
    assert accuracy(distances, alike, best_threshold(distances, alike)) == 1.0


def test_each_fold_is_cut_where_the_others_are():
    # Two folds whose best thresholds differ: each is scored by the other's.
    distances = np.array([1.0, 2.0, 3.0, 4.0] * 2)
    alike = np.array([True, False, False, False, True, True, True, False])
    # The first fold's best is 1.5, by which the second has 2 of 4 right, and the second's is 3.5.
    np.testing.assert_allclose(fold_accuracies(distances, alike, folds=2), [0.5, 0.5])
    assert fold_accuracies(DISTANCES, ALIKE).shape == (6,)  # no more folds than pairs


def test_scores_of_pairs():
    distances, alike = np.tile(DISTANCES, 40), np.tile(ALIKE, 40)
    scores = pair_scores(distances, alike, threshold=0.45)
    assert scores["pairs"] == 240
    assert scores["auc"] == pytest.approx(8 / 9)
    assert scores["accuracy"] == pytest.approx(5 / 6)
    assert scores["best_accuracy"] == pytest.approx(5 / 6)
    assert scores["best_accuracy_error"] == pytest.approx(0, abs=1e-9)
    assert scores["tar_at_far_0.01"] == pytest.approx(2 / 3)
    assert scores["tar_at_far_0.001"] is None  # of 120 different pairs
    assert scores["threshold"] == pytest.approx(0.25)


def test_nothing_is_said_of_too_few_pairs():
    empty = pair_scores(np.zeros(0), np.zeros(0, bool), threshold=1.0)
    assert set(empty.values()) == {0, None}
    one_sided = pair_scores(DISTANCES, np.ones(6, bool), threshold=0.35)
    assert one_sided["accuracy"] == pytest.approx(0.5)
    assert one_sided["auc"] is one_sided["threshold"] is None
    assert pair_scores(DISTANCES, ALIKE, None)["accuracy"] is None


def test_episodes_have_an_interval_over_episodes():
    right = [np.array([True, True, False, False]), np.ones(4, bool), np.ones(4, bool)]
    scores = episode_scores(right)
    assert scores["episodes"] == 3
    assert scores["one_shot"] == pytest.approx(2.5 / 3)
    assert scores["one_shot_interval"] == pytest.approx(1.96 * np.std([0.5, 1, 1], ddof=1) / np.sqrt(3))
    assert episode_scores([])["one_shot"] is None
    assert episode_scores(right[:1])["one_shot_interval"] == 0


def test_a_rate_that_one_pair_decides_is_not_told():
    alike = np.arange(400) >= 150  # 150 pairs that are not: a hundredth of them is one and a half
    told = pair_scores(np.arange(400, dtype="float32"), alike, None)
    assert told["tar_at_far_0.01"] is not None
    assert told["tar_at_far_0.001"] is None
    assert pair_scores(np.arange(400, dtype="float32"), np.arange(400) >= 50, None)["tar_at_far_0.01"] is None


@pytest.mark.parametrize("held", [2**24, 8, 1])
def test_distances_of_embeddings(held, monkeypatch):
    monkeypatch.setattr(distances, "ROWS", held)
    rng = np.random.default_rng(0)
    query, others = rng.normal(size=3).astype("float32"), rng.normal(size=(7, 3)).astype("float32")
    weights = np.array([0.5, 2.0, -1.0], "float32")
    euclidean, summed = EmbeddingDistance(), EmbeddingDistance(weights, bias=0.25)
    np.testing.assert_allclose(euclidean.between(query, others), np.linalg.norm(others - query, axis=1), 1e-5)
    expected = (np.abs(others - query) * weights).sum(axis=1)
    np.testing.assert_allclose(summed.between(query, others), expected + 0.25, 1e-5, 1e-6)
    np.testing.assert_allclose(EmbeddingDistance(weights).between(query, others), expected, 1e-5, 1e-6)
    assert euclidean.between(query, others[:0]).shape == (0,)
