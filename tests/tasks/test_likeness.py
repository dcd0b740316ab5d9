import keras
import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.structures.images import Real, Translated
from kerazoo.tasks.translation.fid import frechet, inception_features, kernel_distance, scores, statistics


def samples(mean, std, count=20000):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, len(mean))) * std + mean


def test_the_distance_of_known_gaussians():
    first, second = samples([0.0, 0.0], [1.0, 2.0]), samples([3.0, 0.0], [2.0, 2.0])
    # |m|^2 = 9, and (1 - 2)^2 for the one deviation that differs
    assert frechet(first, second) == pytest.approx(10.0, rel=0.02)


def test_frechet_is_the_formula_with_a_general_root():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(60, 5)), rng.normal(size=(50, 5)) @ rng.normal(size=(5, 5)) + 0.3
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(one @ other).astype(complex)).real.sum()  # of the unsymmetric product
    apart = first.mean(0) - second.mean(0)
    expected = apart @ apart + np.trace(one) + np.trace(other) - 2 * root
    assert frechet(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet(first, first) == pytest.approx(0, abs=1e-9)


def test_fewer_samples_than_features_are_no_trouble():
    rng = np.random.default_rng(2)
    assert np.isfinite(frechet(rng.normal(size=(4, 42)), rng.normal(size=(3, 42))))


def test_the_kernel_distance_is_the_sum_over_pairs():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(6, 4)), rng.normal(size=(5, 4)) + 1

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    def within(each):
        pairs = [kernel(a, b) for i, a in enumerate(each) for j, b in enumerate(each) if i != j]
        return np.mean(pairs)

    across = np.mean([kernel(a, b) for a in first for b in second])
    expected = within(first) + within(second) - 2 * across
    assert kernel_distance(first, second) == pytest.approx(expected, rel=1e-12)


def test_statistics_tell_colours_and_textures_apart():
    rng = np.random.default_rng(4)
    grey = np.full((32, 32, 3), 128, "uint8")
    blue = grey * np.array([0, 0, 1], "uint8")
    noisy = rng.integers(0, 256, (32, 32, 3)).astype("uint8")
    found = [statistics(image) for image in (grey, blue, noisy)]
    assert all(each.shape == (42,) for each in found)
    assert np.abs(found[0] - found[1]).max() > 0.1
    assert np.abs(found[0] - found[2]).max() > 0.1
    np.testing.assert_array_equal(statistics(grey), statistics(grey.copy()))
    without_colours = statistics(np.repeat(noisy[..., :1], 3, axis=-1))
    assert (without_colours[15:20] > 0.01).all()  # luma has edges and curvature, differences of colours none


def test_scores_of_a_perfect_and_of_an_idle_translator():
    rng = np.random.default_rng(5)
    dark, bright = (
        [rng.integers(low, low + 60, (16, 16, 3)).astype("uint8") for _ in range(8)] for low in (0, 180)
    )

    def judged(ab, ba):
        first = [(Real(0, a), Translated({"AtoB": ab(i)}, {"AtoB": 0.1})) for i, a in enumerate(dark)]
        second = [(Real(1, b), Translated({"BtoA": ba(i)}, {"BtoA": 0.3})) for i, b in enumerate(bright)]
        return scores([*first, *second])

    perfect = judged(lambda i: bright[i], lambda i: dark[i])
    idle = judged(lambda i: dark[i], lambda i: bright[i])
    assert perfect["mean_fid"] == pytest.approx(0, abs=1e-9)
    assert perfect["mean_cycle_error"] == pytest.approx(0.2)
    assert idle["mean_fid"] == pytest.approx(idle["mean_identity_fid"]) == perfect["mean_identity_fid"]
    assert idle["fid"]["AtoB"] > 0.5


def test_scores_of_nothing_are_unknown():
    assert scores([])["mean_fid"] is None


def test_inception_reads_a_file_of_keras(tmp_path):
    with pytest.raises(UserError, match="does not hold InceptionV3's weights"):
        inception_features(str(tmp_path / "missing.h5"))


@pytest.mark.slow
def test_inception_features_are_those_of_the_network(tmp_path):
    network = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg")
    network.save_weights(tmp_path / "a.weights.h5")
    image = np.random.default_rng(0).integers(0, 256, (299, 299, 3)).astype("uint8")
    expected = network.predict_on_batch(image[None].astype("float32") / 127.5 - 1)[0]
    found = inception_features(str(tmp_path / "a.weights.h5"))(image)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_diagonals_are_edges_along_their_own_direction():
    rows, columns = np.mgrid[:64, :64]
    for ramp, strong in ((rows + columns, 2), (rows - columns + 63, 3)):
        image = np.repeat(ramp[..., None], 3, axis=-1).astype("uint8")
        edges = statistics(image)[15:19]  # after three thirds, the means and the deviations of three planes
        assert edges[strong] == pytest.approx(np.sqrt(2) * edges[0], rel=0.05)
        assert edges[5 - strong] < 0.1 * edges[strong]


@pytest.mark.parametrize(("channel", "luma"), [(0, 0.299), (1, 0.587), (2, 0.114)])
def test_luma_is_that_of_bt_601(channel, luma):
    image = np.zeros((8, 8, 3), "uint8")
    image[..., channel] = 255
    assert statistics(image)[0] == pytest.approx(luma)
