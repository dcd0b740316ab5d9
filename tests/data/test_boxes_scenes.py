"""Built-in scenes: the same for the same seed, boxes that fit, and no simple way to tell the shapes."""

import time

import numpy as np
import pydantic
import pytest

from kerazoo import settings
from kerazoo.data.check import check
from kerazoo.data.generated import scenes
from kerazoo.data.generated.scenes import draw_scene
from kerazoo.data.generated.sources import Scenes
from kerazoo.structures.boxes import box_areas

KINDS = Scenes().kinds


def plain(monkeypatch):
    """Draw on flat black without strokes, light and noise."""
    monkeypatch.setattr(scenes, "draw_ground", lambda rng, size: np.zeros((*size, 3), "uint8"))
    monkeypatch.setattr(scenes, "add_camera_effects", lambda rng, image: image)
    monkeypatch.setattr(scenes, "_draw_strokes", lambda rng, image: None)


def test_splits_have_their_counts_and_share_no_image():
    source = Scenes(train=12, validation=5, test=4, size=(64, 96), empty=0.0)
    parts = [source.samples(split) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [12, 5, 4]
    every = [sample for part in parts for sample in part]
    assert len({sample.image.tobytes() for sample in every}) == len({sample.name for sample in every}) == 21
    first = every[0]
    assert first.image.shape == (64, 96, 3)
    assert (first.image.dtype, first.truth.boxes.dtype, first.truth.labels.dtype) == (
        "uint8",
        "float32",
        "int32",
    )
    assert first.truth.size == (64, 96)
    assert Scenes(size=48).samples("val")[0].image.shape == (48, 48, 3)
    assert settings.from_plain(settings.to_plain(source)) == source


def test_the_seed_and_the_index_decide_everything():
    few, many = Scenes(train=3).samples("train")[2], Scenes(train=30).samples("train")[2]
    np.testing.assert_array_equal(few.image, many.image)
    np.testing.assert_array_equal(few.truth.boxes, many.truth.boxes)
    assert not np.array_equal(few.image, Scenes(seed=1).samples("train")[2].image)


@pytest.mark.parametrize("seed", range(8))
def test_a_box_fits_what_is_drawn(monkeypatch, seed):
    plain(monkeypatch)
    scene = draw_scene(np.random.default_rng(seed), (100, 120), KINDS, 1)
    rows, columns = np.nonzero(scene.image.max(axis=2) > 0)
    drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(scene.boxes[0] - drawn).max() <= 1  # pixels at the edge are hardly covered
    assert scene.areas[0] == pytest.approx((scene.image.max(axis=2) > 0).sum(), rel=0.25)


def test_what_hides_another_shape_makes_its_box_smaller(monkeypatch):
    plain(monkeypatch)
    outline = [np.array([(0, 0), (1, 0), (1, 1), (0, 1)], "float64")]
    shapes = [scenes._Shape(0, [outline[0] * 40 + 10]), scenes._Shape(1, [outline[0] * (20, 40) + (30, 10)])]
    monkeypatch.setattr(scenes, "_place", lambda *arguments: shapes)
    scene = draw_scene(np.random.default_rng(0), (100, 100), KINDS, 2)
    np.testing.assert_allclose(scene.boxes, [[10, 10, 30, 50], [30, 10, 50, 50]], atol=0.3)
    np.testing.assert_allclose(scene.areas, [800, 800], rtol=0.05)


def test_scenes_have_small_and_large_hidden_and_cut_shapes_and_none():
    samples = list(Scenes(train=200).samples("train"))
    counts = [len(sample.truth.boxes) for sample in samples]
    assert 0.03 < np.mean(np.array(counts) == 0) < 0.2
    assert max(counts) == 6
    boxes = np.concatenate([sample.truth.boxes for sample in samples])
    sides = np.sqrt(box_areas(boxes))
    assert sides.min() > 8
    assert np.quantile(sides, 0.1) < 18
    assert np.quantile(sides, 0.9) > 40
    assert boxes.min() == 0
    assert boxes.max() == 128
    assert ((boxes == 0) | (boxes == 128)).any(axis=1).mean() > 0.2
    seen = np.concatenate([sample.truth.areas for sample in samples]) / box_areas(boxes)
    assert seen.min() > 0.25
    labels = np.concatenate([sample.truth.labels for sample in samples])
    assert np.bincount(labels, minlength=5).min() > 0.15 * len(labels)
    report = check(Scenes(train=30, validation=3, test=3))
    assert report.problems == ()
    assert list(report.counts) == list(KINDS)


def test_sizes_shapes_and_colours_do_not_tell_the_kind():
    """The nearest of other boxes, by colour, or by size and shape, is hardly better than luck."""
    samples = list(Scenes(train=300, empty=0.0).samples("train"))
    boxes = np.concatenate([sample.truth.boxes for sample in samples])
    labels = np.concatenate([sample.truth.labels for sample in samples])
    middles = np.array([
        sample.image[(box[1::2].sum() / 2).astype(int), (box[::2].sum() / 2).astype(int)]
        for sample in samples for box in sample.truth.boxes
    ], "float32")  # fmt: skip
    sides = np.log(boxes[:, 2:] - boxes[:, :2])
    for features in (middles, sides):
        distance = np.square(features[:, None] - features).sum(axis=2)
        np.fill_diagonal(distance, np.inf)
        assert (labels[distance.argmin(axis=1)] == labels).mean() < 0.4


def test_crowded_scenes_leave_out_what_finds_no_place():
    scene = draw_scene(np.random.default_rng(0), (40, 40), KINDS, 50)
    assert 0 < len(scene.boxes) < 50
    assert (box_areas(scene.boxes) > 0).all()
    empty = draw_scene(np.random.default_rng(0), (40, 40), KINDS, 0)
    assert (empty.boxes.shape, empty.labels.shape, empty.areas.shape) == ((0, 4), (0,), (0,))


def test_wrong_settings_are_refused():
    for wrong in ({"objects": (3, 2)}, {"kinds": ()}, {"kinds": ("star", "star")}, {"kinds": ("house",)}):
        with pytest.raises(pydantic.ValidationError):
            Scenes(**wrong)


def test_scenes_are_quick_to_draw():
    samples = Scenes().samples("train")
    samples[0]
    start = time.process_time()
    for index in range(30):
        samples[index]
    assert (time.process_time() - start) / 30 < 0.02  # 2.5 ms on a busy machine
