"""U-Net's weight map against the formula written out, and its cache."""

import os
import time

import numpy as np
import pytest

from kerazoo.data.segmentation import border
from kerazoo.data.segmentation.border import BorderWeights, border_weights, cached_border_weights, two_nearest


def scattered(rng, height, width, count, radius=(2, 7)):
    y, x = np.mgrid[:height, :width]
    instances = np.zeros((height, width), "uint16")
    for label in rng.permutation(count) * 3 + 1:
        cy, cx, r = rng.integers(height), rng.integers(width), rng.integers(*radius)
        instances[((y - cy) ** 2 + (x - cx) ** 2 <= r * r) & (instances == 0)] = label
    return instances


def written_out(instances, w0, sigma):
    """Every distance of every background pixel to every pixel of every object."""
    weights = np.ones(instances.shape)
    y, x = np.nonzero(instances == 0)
    distances = [
        np.sqrt(((np.stack([y, x], 1)[:, None] - np.argwhere(instances == label)) ** 2).sum(-1).min(1))
        for label in np.unique(instances[instances > 0])
    ]
    if len(distances) >= 2:
        d1, d2 = np.sort(distances, axis=0)[:2]
        weights[y, x] += w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return weights


@pytest.mark.parametrize("seed", range(6))
def test_the_map_is_the_papers_formula(seed):
    rng = np.random.default_rng(seed)
    instances = scattered(rng, 40, 56, count=int(rng.integers(2, 14)))
    w0, sigma = (10.0, 5.0) if seed % 2 else (4.0, 1.5)
    weights = border_weights(instances, w0, sigma, balance=False)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, written_out(instances, w0, sigma), atol=1e-4)


def test_a_gap_of_one_pixel_between_two_objects():
    instances = np.zeros((9, 9), "int32")
    instances[:, :4], instances[:, 5:] = 1, 2
    weights = border_weights(instances, balance=False)
    np.testing.assert_allclose(weights[:, 4], 1 + 10 * np.exp(-4 / 50), rtol=1e-6)
    assert (np.delete(weights, 4, axis=1) == 1).all()


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_objects_have_no_border(count):
    instances = np.zeros((20, 20), "uint16")
    instances[5:9, 5:9] = 7 * count
    assert (border_weights(instances, balance=False) == 1).all()


def test_balance_gives_each_class_half():
    instances = scattered(np.random.default_rng(0), 60, 60, 8)
    weights = border_weights(instances, w0=0)
    inside = instances > 0
    np.testing.assert_allclose([weights[inside].sum(), weights[~inside].sum()], 1800, rtol=1e-5)
    assert (border_weights(np.zeros((4, 4), "uint16")) == 1).all()
    assert (border_weights(np.ones((4, 4), "uint16")) == 1).all()


def test_distances_do_not_depend_on_the_numbers():
    instances = scattered(np.random.default_rng(1), 50, 50, 9)
    renumbered = np.where(instances, 60_000 - instances, 0).astype("int64")
    for one, other in zip(two_nearest(instances, 20), two_nearest(renumbered, 20), strict=True):
        np.testing.assert_array_equal(one, other)


def test_three_hundred_nuclei_take_well_under_a_second():
    one = scattered(np.random.default_rng(2), 58, 58, 1, (15, 22)) > 0
    instances = np.kron(np.arange(1, 325).reshape(18, 18), one)[:1024, :1024].astype("uint16")
    start = time.perf_counter()
    border_weights(instances)
    assert time.perf_counter() - start < 1.0


def test_the_map_is_computed_once(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_CACHE", str(tmp_path))
    instances = scattered(np.random.default_rng(3), 50, 60, 9)
    first = cached_border_weights(instances, BorderWeights())
    np.testing.assert_allclose(first, border_weights(instances), rtol=1e-3)
    with monkeypatch.context() as patch:
        patch.setattr(border, "border_weights", None)  # calling it would fail
        np.testing.assert_array_equal(cached_border_weights(instances, BorderWeights()), first)
    other = cached_border_weights(instances, BorderWeights(sigma=3.0))
    assert not np.array_equal(other, first)
    assert len(list(tmp_path.rglob("*.npy"))) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY nonsense", b"PK\x03\x04", b"cposix\nsystem\n"])
def test_a_damaged_entry_is_computed_anew(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("KERAZOO_CACHE", str(tmp_path))
    instances = scattered(np.random.default_rng(4), 30, 30, 5)
    first = cached_border_weights(instances, BorderWeights())
    (entry,) = tmp_path.rglob("*.npy")
    whole = entry.read_bytes()
    entry.write_bytes(damage)
    np.testing.assert_array_equal(cached_border_weights(instances, BorderWeights()), first)
    assert entry.read_bytes() == whole


class Opened:
    """What a pickle would call."""

    def __reduce__(self):
        return (os.mkdir, (os.environ["KERAZOO_CACHE"] + "/executed",))


@pytest.mark.parametrize(
    "entry", [np.zeros((30, 30), "float32"), np.zeros((30, 31), "float16"), np.array([Opened()], object)]
)
def test_an_entry_of_another_kind_is_computed_anew_and_executes_nothing(tmp_path, monkeypatch, entry):
    monkeypatch.setenv("KERAZOO_CACHE", str(tmp_path))
    instances = scattered(np.random.default_rng(4), 30, 30, 5)
    first = cached_border_weights(instances, BorderWeights())
    (path,) = tmp_path.rglob("*.npy")
    np.save(path, entry, allow_pickle=True)
    np.testing.assert_array_equal(cached_border_weights(instances, BorderWeights()), first)
    assert not (tmp_path / "executed").exists()


def test_without_a_writable_cache_it_works_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAZOO_CACHE", str(tmp_path / "file"))
    instances = scattered(np.random.default_rng(5), 30, 30, 5)
    assert cached_border_weights(instances, BorderWeights()).shape == (30, 30)
