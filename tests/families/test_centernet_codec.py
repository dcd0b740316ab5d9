"""CenterNet's targets and decoding: against golden files, and one against the other."""

import time

import numpy as np
import pytest

from kerazoo.families.centernet.codec import (
    IGNORED,
    MOST,
    STRIDE,
    averaged,
    detections,
    gaussian_radius,
    in_cells,
    targets,
    to_cells,
    to_pixels,
)
from kerazoo.structures.boxes import Boxes
from kerazoo.structures.placement import Window
from kerazoo.tasks.detection.overlaps import iou


def golden(shared, name):
    path = shared / f"parity/golden/{name}.npz"
    if not path.is_file():
        pytest.skip(f"no golden file at {path}")
    return dict(np.load(path))


def truth(boxes, labels=None, crowd=(), difficult=(), size=(128, 192)):
    boxes = np.array(boxes, "float32").reshape(-1, 4)
    labels = np.zeros(len(boxes), "int32") if labels is None else np.array(labels, "int32")
    places = np.arange(len(boxes))
    return Boxes(boxes, labels, np.isin(places, list(crowd)), np.isin(places, list(difficult)), size)


def plain(height, width):
    """Return the window of an image that is the network's input itself."""
    return Window(0, 0, width, height, width, height)


def logits(probabilities):
    probabilities = probabilities.astype("float64")
    return np.log(probabilities) - np.log1p(-probabilities)


def sure_maps(y):
    """Return what a network that is sure of the targets would answer."""
    height, width, _ = y["heatmap"].shape
    size, offset = np.ones((2, height * width, 2), "float32")
    known = y["weights"] > 0
    size[y["cells"][known]], offset[y["cells"][known]] = y["size"][known], y["offset"][known]
    maps = {"size": size.reshape(height, width, 2), "offset": offset.reshape(height, width, 2)}
    return {"heatmap": np.where(y["heatmap"] == 1, 10, -10).astype("float32")} | maps


@pytest.mark.parametrize("radius", ["centernet", "iou"])
def test_targets_equal_the_golden_file(shared, radius):
    told = golden(shared, "centernet_targets")
    y = targets(truth(told["boxes"] * STRIDE, told["classes"]), plain(128, 192), 2, radius)
    expected = told[f"hm_{radius}"].transpose(1, 2, 0)
    np.testing.assert_allclose(y["heatmap"], expected, atol=1e-6)
    other = told["hm_iou" if radius == "centernet" else "hm_centernet"].transpose(1, 2, 0)
    assert np.abs(y["heatmap"] - other).max() > 0.3
    assert y["cells"][:5].tolist() == told["ind"].tolist()
    np.testing.assert_allclose(y["size"][:5], told["wh"], atol=1e-5)
    np.testing.assert_allclose(y["offset"][:5], told["reg"], atol=1e-5)
    assert y["weights"].tolist() == [1] * 5 + [0] * (MOST - 5)
    assert {name: array.dtype.name for name, array in y.items()} == {
        "heatmap": "float32", "cells": "int32", "size": "float32", "offset": "float32", "weights": "float32",
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["centernet", "iou"])
def test_the_radius_equals_the_golden_file(shared, mode):
    told = golden(shared, "centernet_targets")
    sides = np.ceil(told["boxes"][:, 2:] - told["boxes"][:, :2]).astype("float64")
    found = gaussian_radius(sides[:, 1], sides[:, 0], mode)
    np.testing.assert_allclose(found, told[f"raw_radius_{mode}_64"], rtol=1e-9)
    by_hand = {"centernet": 8.75, "iou": 2.61}[mode]
    assert gaussian_radius(np.array([32.0]), np.array([32.0]), mode) == pytest.approx(by_hand, abs=0.01)


def test_within_the_true_radius_boxes_overlap_enough():
    rng = np.random.default_rng(0)
    sides = rng.uniform(3, 90, (200, 2))
    radius = gaussian_radius(sides[:, 1], sides[:, 0], "iou")[:, None]
    box = np.concatenate([np.zeros_like(sides), sides], axis=1)
    shifts = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [-1, -1, 1, 1]])  # both corners alike, inwards, outwards
    overlaps = np.stack([iou(box, box + shift * radius) for shift in shifts])
    np.testing.assert_allclose(overlaps.min(axis=0), 0.7, atol=1e-9)


def test_decoding_equals_the_golden_file(shared):
    told = golden(shared, "centernet_decode")
    for image in range(2):
        maps = {
            "heatmap": logits(told["hm"][image]).transpose(1, 2, 0),
            "size": told["wh"][image].transpose(1, 2, 0),
            "offset": told["reg"][image].transpose(1, 2, 0),
        }
        found, expected = in_cells(maps), told["detections"][image]
        np.testing.assert_allclose(found.boxes, expected[:, :4], atol=1e-4)
        np.testing.assert_allclose(found.scores, expected[:, 4], atol=1e-6)
        assert found.labels.tolist() == expected[:, 5].astype(int).tolist()
        peaks = np.sort(told["peaks"][image].ravel())[::-1]
        everything = in_cells(maps, top=10_000).scores
        np.testing.assert_allclose(everything, peaks[: len(everything)], atol=1e-6)
        assert peaks[len(everything)] == 0
        swapped = in_cells(maps | {"offset": maps["offset"][..., ::-1]})
        assert np.abs(swapped.boxes - expected[:, :4]).max() > 0.1


def test_equal_neighbours_are_both_objects():
    heatmap = np.full((8, 8, 2), -5.0)
    heatmap[3, 3:5, 1] = 2.0
    heatmap[3, 4, 0] = 1.0
    maps = {"heatmap": heatmap, "size": np.full((8, 8, 2), 2.0), "offset": np.full((8, 8, 2), 0.5)}
    found = in_cells(maps, top=3)
    assert found.labels.tolist() == [1, 1, 0]
    assert found.boxes.tolist() == [[2.5, 2.5, 4.5, 4.5], [3.5, 2.5, 5.5, 4.5], [3.5, 2.5, 5.5, 4.5]]


def test_boxes_keep_to_edges_through_a_window():
    window = Window(10, 20, 200, 100, 400, 200)  # two input pixels per pixel, half a cell
    boxes = np.array([[10.0, 20, 210, 120], [12, 20, 14, 24]])
    np.testing.assert_allclose(to_cells(boxes, window), [[0, 0, 100, 50], [1, 0, 2, 2]])
    np.testing.assert_allclose(to_pixels(to_cells(boxes, window), window), boxes)


def test_boxes_are_clipped_to_the_image_and_those_outside_left_out():
    heatmap = np.full((20, 20, 1), -5.0)
    heatmap[[2, 2, 15], [2, 12, 4], 0] = 3, 2, 1
    maps = {"heatmap": heatmap, "size": np.full((20, 20, 2), 6.0), "offset": np.full((20, 20, 2), 0.5)}
    found = detections(maps, plain(80, 80), (40, 60), top=3)
    assert found.boxes.tolist() == [[0, 0, 22, 22], [38, 0, 60, 22]]
    assert found.boxes.dtype == np.float32


def scene(seed):
    """Return a truth of up to 40 boxes of 3 classes in an image of some size, and a window around it."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(100, 600, 2))
    count = int(rng.integers(0, 41))
    sides = rng.uniform(0.5, 2, (count, 2)) * rng.uniform(4, min(height, width) / 3, (count, 1))
    corners = rng.uniform(-0.1, 0.95, (count, 2)) * (width, height)
    boxes = np.concatenate([corners, corners + sides], axis=1).clip(0, (width, height, width, height))
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2] > 1).all(axis=1)]
    scale = rng.uniform(0.7, 1.5)
    columns, rows = (int(np.ceil(side * scale / 32) * 32) for side in (width, height))
    left, top = -rng.uniform(0, columns / scale - width), -rng.uniform(0, rows / scale - height)
    window = Window(left, top, columns / scale, rows / scale, columns, rows)
    return truth(boxes, rng.integers(0, 3, len(boxes)), size=(height, width)), window


def found_again(seed):
    """Return how many boxes of a scene share their centre's cell with another; all others must be found."""
    known, window = scene(seed)
    y = targets(known, window, 3)
    found = detections(sure_maps(y), window, known.size)
    sure = found.scores > 0.9
    cells = y["cells"][: len(known.boxes)]
    alone = np.bincount(cells, minlength=cells.max(initial=0) + 1)[cells] == 1
    assert sure.sum() == len({*zip(cells.tolist(), known.labels.tolist(), strict=True)})
    off = np.abs(found.boxes[sure][:, None] - known.boxes[alone]).max(axis=-1)
    off = np.where(found.labels[sure][:, None] == known.labels[alone], off, np.inf)
    assert (off.min(axis=0, initial=np.inf) < 0.1).all()  # pixels
    return int((~alone).sum()), len(alone)


def test_what_is_encoded_is_decoded():
    shared, total = np.sum([found_again(seed) for seed in range(100)], axis=0)
    assert total > 1000
    assert shared < 0.05 * total


@pytest.mark.slow
def test_what_is_encoded_is_decoded_a_thousand_times():
    shared, total = np.sum([found_again(seed) for seed in range(1000)], axis=0)
    assert total > 10_000
    assert shared < 0.05 * total


def test_a_wrong_half_pixel_would_be_seen():
    known, window = scene(3)
    y = targets(known, window._replace(left=window.left + 0.5), 3)
    found = detections(sure_maps(y), window, known.size)
    off = np.abs(found.boxes[found.scores > 0.9][:, None] - known.boxes).max(axis=-1).min(axis=0)
    assert np.median(off) > 0.4


def test_objects_meet_in_the_higher_of_two_gaussians():
    one, other = [20, 20, 60, 60], [28, 20, 68, 60]
    both = targets(truth([one, other]), plain(128, 192), 1)["heatmap"]
    each = [targets(truth([box]), plain(128, 192), 1)["heatmap"] for box in (one, other)]
    np.testing.assert_array_equal(both, np.maximum(*each))
    assert (both == 1).sum() == 2
    assert (np.minimum(*each) > 0).any()


@pytest.mark.parametrize("flag", ["crowd", "difficult"])
def test_crowds_and_difficult_objects_teach_nothing(flag):
    boxes = [[16, 16, 80, 80], [40, 40, 60, 60], [100, 20, 140, 60]]
    y = targets(truth(boxes, [0, 0, 1], **{flag: [0]}), plain(128, 192), 2)
    region = y["heatmap"][4:20, 4:20, 0]
    assert (region == 1).sum() == 1
    assert (region >= IGNORED).all()
    assert (y["heatmap"] == np.float32(IGNORED)).sum() == 16 * 16 - 1
    assert not y["heatmap"][4:20, 4:20, 1].any()
    assert y["weights"].sum() == 2


def test_more_objects_than_are_learned_are_all_centres():
    x, y = np.meshgrid(np.arange(15) * 12, np.arange(10) * 12)
    corners = np.stack([x.ravel(), y.ravel()], axis=1)
    boxes = np.concatenate([corners, corners + 10], axis=1)
    found = targets(truth(boxes), plain(128, 192), 1)
    assert (found["heatmap"] == 1).sum() == 150
    assert found["weights"].sum() == MOST


def test_images_without_objects_and_boxes_outside_have_empty_targets():
    for known in (truth([]), truth([[200, 10, 210, 20]], size=(128, 300))):
        y = targets(known, plain(128, 192), 2)
        assert not any(array.any() for array in y.values())
        assert y["heatmap"].shape == (32, 48, 2)
    assert len(detections(sure_maps(y), plain(128, 192), (128, 192)).scores) == 100  # of no worth


def test_the_mirror_image_is_averaged_in_heat_and_size():
    rng = np.random.default_rng(0)
    maps, other = (
        {
            "heatmap": rng.normal(0, 2, (6, 8, 3)).astype("float32"),
            "size": rng.uniform(1, 9, (6, 8, 2)).astype("float32"),
            "offset": rng.random((6, 8, 2)).astype("float32"),
        }
        for _ in range(2)
    )
    found = averaged(maps, other)
    heat = [1 / (1 + np.exp(-each)) for each in (maps["heatmap"], other["heatmap"][:, ::-1])]
    np.testing.assert_allclose(1 / (1 + np.exp(-found["heatmap"])), np.mean(heat, axis=0), atol=1e-6)
    np.testing.assert_allclose(found["size"], (maps["size"] + other["size"][:, ::-1]) / 2, rtol=1e-6)
    assert found["offset"] is maps["offset"]
    turned = {name: value[:, ::-1] for name, value in maps.items()}
    np.testing.assert_allclose(averaged(maps, turned)["heatmap"], maps["heatmap"], atol=1e-4)


def test_coding_is_quick():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 400, (100, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 100, (100, 2))], axis=1)
    known = truth(boxes, rng.integers(0, 80, 100), size=(512, 512))
    maps = {
        "heatmap": rng.normal(size=(128, 128, 80)).astype("float32"),
        "size": np.ones((128, 128, 2)),
        "offset": np.ones((128, 128, 2)),
    }
    begin = time.process_time()
    targets(known, plain(512, 512), 80)
    detections(maps, plain(512, 512), (512, 512))
    assert time.process_time() - begin < 2  # 0.1 s
