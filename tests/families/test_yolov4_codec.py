"""YOLOv4's targets and decoding: against golden files, plain loops, and one against the other."""

import json
from functools import partial

import numpy as np
import pytest

from kerazoo.families.yolov4 import YOLOv4
from kerazoo.families.yolov4.anchors import kmeans
from kerazoo.families.yolov4.codec import MOST, UNKNOWN, assigned, detections, predictions, targets
from kerazoo.families.yolov4.configuration import PRESETS, YOLOV4, YOLOV4_TINY, Heads
from kerazoo.structures.boxes import Boxes
from kerazoo.structures.placement import Framed, Window
from kerazoo.tasks.detection.overlaps import diou, iou
from kerazoo.tasks.detection.suppression import unsuppressed
from tests.cases.detection import sure_heads

HEADS = {"yolov4": YOLOV4, "tiny": YOLOV4_TINY}


def golden(shared, name):
    path = shared / f"parity/golden/{name}.npz"
    if not path.is_file():
        pytest.skip(f"no golden file at {path}")
    return dict(np.load(path)), json.loads(path.with_suffix(".json").read_text())


def truth(boxes, labels=None, unknown=(), size=(128, 192)):
    boxes = np.array(boxes, "float32").reshape(-1, 4)
    labels = np.zeros(len(boxes), "int32") if labels is None else np.array(labels, "int32")
    flags = np.isin(np.arange(len(boxes)), list(unknown))
    return Boxes(boxes, labels, flags, np.zeros(len(boxes), bool), size)


def plain(height, width):
    return Window(0, 0, width, height, width, height)


# --- decoding ----------------------------------------------------------------------------------------


def decoded(told, kind, image, heads):
    """Return golden boxes, objectness times classes, in our order, and ours."""
    names = [f"{kind}_s{stride}" for stride in heads.strides]
    outputs = {
        f"stride{stride}": told[f"{name}.head"][image].transpose(1, 2, 0)
        for stride, name in zip(heads.strides, names, strict=True)
    }
    ours = predictions(outputs, heads, (128, 160))
    joint = [told[f"{n}.objectness"][image][..., None] * told[f"{n}.classes"][image] for n in names]
    parts = [told[f"{n}.boxes"][image] for n in names], joint
    flat = [
        np.concatenate([p.transpose(1, 2, 0, 3).reshape(-1, p.shape[-1]) for p in each]) for each in parts
    ]
    return flat, ours


@pytest.mark.parametrize("kind", ["yolov4", "tiny"])
@pytest.mark.parametrize("image", [0, 1])
def test_decoding_equals_the_golden_file(shared, kind, image):
    told, _ = golden(shared, "yolo_decode")
    (boxes, scores), ours = decoded(told, kind, image, HEADS[kind])
    np.testing.assert_allclose(ours[0], boxes, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(ours[1], scores, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("yolov4", {"scale_x_y": (1.0, 1.0, 1.0)}),
        ("tiny", {"scale_x_y": (1.0, 1.0)}),
        ("tiny", {"masks": ((0, 1, 2), (3, 4, 5))}),
        ("yolov4", {"anchors": tuple((h, w) for w, h in YOLOV4.anchors)}),
    ],
)
def test_wrong_heads_are_far_off(shared, kind, wrong):
    told, _ = golden(shared, "yolo_decode")
    (boxes, _), ours = decoded(told, kind, 0, HEADS[kind]._replace(**wrong))
    assert np.abs(ours[0] - boxes).max() > 5e-3


@pytest.mark.parametrize("threshold", [0.45, 0.6])
def test_suppression_equals_the_golden_file(shared, threshold):
    told, _ = golden(shared, "diou_nms")
    overlaps = {"default": iou, "diounms": partial(diou, exponent=1.0), "greedynms": None}
    stored = {"default": "iou", "diounms": "diou", "greedynms": "diou06"}
    kept = {}
    for kind, overlap in overlaps.items():
        exponent = YOLOv4(nms_kind=kind, beta_nms=1.0).exponent()
        overlap = overlap or partial(diou, exponent=exponent)
        kept[kind] = np.zeros(told["scores"].shape, bool)
        for label in range(told["scores"].shape[1]):
            scores = told["scores"][:, label]
            stays = unsuppressed(told["boxes"], np.zeros(len(scores), int), scores, threshold, overlap)
            kept[kind][stays, label] = True
        np.testing.assert_array_equal(kept[kind], told[f"keep_{stored[kind]}_{threshold}"])
    assert (kept["greedynms"] != kept["default"]).any()
    assert (kept["greedynms"] != kept["diounms"]).any()


def test_presets_are_darknets():
    assert [PRESETS[name] for name in ("valid", "map", "test")] == [(0.001, 0.6), (0.005, 0.45), (0.25, 0.45)]
    assert YOLOv4(thresholds_of="test").thresholds().overlap == 0.45


# --- targets -------------------------------------------------------------------------------------------


def by_loops(known, size, heads, iou_thresh):
    """Return what is assigned where, object by object: `{(head, row, column, anchor): [object, ...]}`."""
    places, (height, width) = {}, size
    for number, (left, top, right, bottom) in enumerate(known.boxes.astype("float64")):
        w, h = right - left, bottom - top
        overlaps = []
        for aw, ah in heads.anchors:
            common = min(w, aw) * min(h, ah)
            overlaps.append(common / (w * h + aw * ah - common))
        best = int(np.argmax(overlaps))
        for head, (stride, mask) in enumerate(zip(heads.strides, heads.masks, strict=True)):
            column = min(int((left + right) / 2 / width * (width // stride)), width // stride - 1)
            row = min(int((top + bottom) / 2 / height * (height // stride)), height // stride - 1)
            for anchor, index in enumerate(mask):
                if index == best or overlaps[index] > iou_thresh:
                    places.setdefault((head, row, column, anchor), []).append(number)
    return places


def scene(seed, size=(128, 192), classes=3, count=None):
    """Return a truth of some boxes, of which many share a cell."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 13)) if count is None else count
    centres = rng.uniform(0.05, 0.95, (count, 2)) * size[::-1]
    centres[1::2] = centres[: count - count % 2 : 2] + rng.uniform(-3, 3, (count // 2, 2))
    halves = np.exp(rng.uniform(np.log(3), np.log(60), (count, 2)))
    boxes = np.concatenate([centres - halves, centres + halves], axis=1).clip(0, size[::-1] * 2)
    return truth(boxes, rng.integers(0, classes, count), size=size)


@pytest.mark.parametrize("kind", ["yolov4", "tiny"])
@pytest.mark.parametrize("iou_thresh", [0.213, 1.0])
def test_targets_equal_plain_loops(kind, iou_thresh):
    shared_places = 0
    for seed in range(50):
        known, heads = scene(seed), HEADS[kind]
        y = targets(known, plain(128, 192), heads, iou_thresh)
        places = by_loops(known, (128, 192), heads, iou_thresh)
        found = {}
        for head, name in enumerate(heads.names()):
            objectness = y[f"{name}_objectness"]
            assert {(head, *map(int, p)) for p in np.argwhere(objectness > 0)} == {
                p for p in places if p[0] == head
            }
            for number, anchor in np.argwhere(y[f"{name}_weights"] > 0).tolist():
                row, column = divmod(int(y[f"{name}_cells"][number]), objectness.shape[1])
                place = (head, row, column, anchor)
                found.setdefault(place, []).append(number)
                own = places[place]
                classes = [int(known.labels[each]) for each in own]
                assert y[f"{name}_weights"][number, anchor] == pytest.approx(1 / len(set(classes)))
                assert y[f"{name}_first"][number, anchor] == (own[0] == number)
                distinct = classes.index(int(known.labels[number])) == own.index(number)
                assert y[f"{name}_distinct"][number, anchor] == distinct
        assert found == places
        shared_places += sum(len(numbers) > 1 for numbers in places.values())
    assert shared_places > 20


def test_crowds_are_assigned_nowhere_and_teach_nothing():
    known = truth([[0, 0, 64, 64], [100, 60, 140, 110]], [0, 1], unknown=[0])
    y = targets(known, plain(128, 192), YOLOV4)
    assert y["boxes"].any(axis=1).sum() == 1
    assert (y["stride8_objectness"][:8, :8] == UNKNOWN).all()
    assert not (y["stride8_objectness"][8:] == UNKNOWN).any()
    assert y["labels"][0] == 1
    assert y["boxes"].shape == (MOST, 4)


def test_more_objects_than_are_learned():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 100, (MOST + 7, 2))
    y = targets(truth(np.concatenate([corners, corners + 20], axis=1)), plain(128, 192), YOLOV4)
    assert y["boxes"].all(axis=1).sum() == MOST


def test_yolov3_assigns_the_best_anchor_alone():
    sizes = np.array([[30.0, 33.0], [140, 100]])
    assert assigned(sizes, np.array(YOLOV4.anchors), 1.0).sum() == 2
    assert assigned(sizes, np.array(YOLOV4.anchors), 0.213).sum() > 6


# --- one against the other ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["yolov4", "tiny"])
def test_what_is_encoded_is_decoded(kind):
    heads, size = HEADS[kind], (128, 192)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        centres = np.stack([rng.permutation(4) * 48 + 24, rng.integers(30, 98, 4)], axis=1)
        halves = rng.uniform(5, 22, (4, 2))
        known = truth(np.concatenate([centres - halves, centres + halves], axis=1), rng.integers(0, 3, 4))
        y = targets(known, plain(*size), heads)
        framed = Framed(plain(*size), size)
        found = detections(sure_heads(y, heads, 3, size), framed, heads, PRESETS["test"], 0.6, 100)
        assert len(found.boxes) == 4
        apart = np.abs(found.boxes[:, None] - known.boxes).max(axis=-1)
        apart = np.where(found.labels[:, None] == known.labels, apart, np.inf)
        assert (apart.min(axis=0) < 0.01).all()


def test_boxes_end_at_the_image():
    heads = Heads((8,), ((40, 40),) * 3, ((0, 1, 2),), (1.2,))
    maps = np.full((4, 4, 18), -20.0)
    maps[0, 0, :6] = [0, 0, 0, 0, 9, 9]
    framed = Framed(Window(0, 0, 64, 16, 32, 32), (16, 64))
    found = detections({"stride8": maps}, framed, heads, PRESETS["valid"], 0.6, 100)
    np.testing.assert_allclose(found.boxes, [[0, 0, 48, 12]], atol=1e-5)
    assert found.boxes.dtype == np.float32


# --- anchors --------------------------------------------------------------------------------------------


def test_kmeans_finds_the_shapes_that_boxes_have():
    rng = np.random.default_rng(0)
    shapes = np.array([[12.0, 16], [40, 28], [72, 146]])
    boxes = np.concatenate([shape * np.exp(rng.normal(0, 0.05, (40, 2))) for shape in shapes])
    found = kmeans(rng.permutation(boxes), 3)
    np.testing.assert_allclose(found, shapes, rtol=0.05)
    np.testing.assert_array_equal(found, kmeans(boxes[::-1], 3))


def test_kmeans_of_fewer_boxes_than_shapes():
    assert kmeans(np.array([[10.0, 20.0]]), 3).tolist() == [[10, 20]] * 3
