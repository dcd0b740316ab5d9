"""The loss of YOLOv4 and its gradient against plain float64 loops, on each backend."""

import keras
import numpy as np
import pytest
from keras import ops

from kerazoo import backend
from kerazoo.families.yolov4.codec import UNKNOWN, targets
from kerazoo.families.yolov4.configuration import YOLOV4, YOLOV4_TINY
from kerazoo.families.yolov4.objective import TERMS, Rules, YOLOv4Objective, balanced
from tests.families.test_yolov4_codec import by_loops, plain, scene, truth

SIZE, CLASSES = (128, 192), 3
HEADS = {"yolov4": YOLOV4, "tiny": YOLOV4_TINY}


def logistic(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


# --- scenes --------------------------------------------------------------------------------------------


def outputs_for(known, heads, seed):
    """Return random logits `{name: (h, w, 3, 5 + C)}`; some tell an object's box where it is not assigned."""
    rng, height, width = np.random.default_rng(seed + 1000), *SIZE
    maps = {}
    for head, (name, stride) in enumerate(zip(heads.names(), heads.strides, strict=True)):
        rows, columns, scale = height // stride, width // stride, heads.scale_x_y[head]
        logits = rng.normal(-1, 1.5, (rows, columns, 3, 5 + CLASSES))
        logits[..., 2:4] = rng.normal(0, 0.5, (rows, columns, 3, 2))
        for left, top, right, bottom in known.boxes.astype("float64"):
            x, y = (left + right) / 2 / width * columns, (top + bottom) / 2 / height * rows
            column, row = min(int(x), columns - 1), min(int(y), rows - 1)
            share = (np.array([x - column, y - row]) + (scale - 1) / 2) / scale
            for anchor in np.flatnonzero(rng.random(3) < 0.6):
                shape = np.array(heads.anchors[heads.masks[head][anchor]])
                told = [np.log(share / (1 - share)), np.log(np.array([right - left, bottom - top]) / shape)]
                logits[row, column, anchor, :4] = np.concatenate(told) + rng.normal(0, 0.1, 4)
        maps[name] = logits.astype("float32")
    return maps


# --- the loops -----------------------------------------------------------------------------------------


def corners(box):
    x, y, w, h = box
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def overlap(one, other):
    (l1, t1, r1, b1), (l2, t2, r2, b2) = corners(one), corners(other)
    common = max(min(r1, r2) - max(l1, l2), 0) * max(min(b1, b2) - max(t1, t2), 0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def complete(box, other, alpha=None):
    """Return CIoU (Zheng et al. 2020, eq. 8 to 11) and its alpha."""
    (l1, t1, r1, b1), (l2, t2, r2, b2) = corners(box), corners(other)
    diagonal = (max(r1, r2) - min(l1, l2)) ** 2 + (max(b1, b2) - min(t1, t2)) ** 2
    apart = (box[0] - other[0]) ** 2 + (box[1] - other[1]) ** 2
    v = 4 / np.pi**2 * (np.arctan(other[2] / other[3]) - np.arctan(box[2] / box[3])) ** 2
    iou = overlap(box, other)
    alpha = v / (1 - iou + v) if alpha is None else alpha
    return iou - apart / diagonal - alpha * v, alpha


def slopes(box, other):
    """Return the gradient of 1 - CIoU by the box, alpha taken for a constant."""
    _, alpha = complete(box, other)
    found = []
    for axis in range(4):
        step = np.zeros(4)
        step[axis] = 1e-6
        up, down = (complete(box + sign * step, other, alpha)[0] for sign in (1, -1))
        found.append((down - up) / 2e-6)
    return np.array(found)


def decode(logits, heads, head, row, column, anchor, cells):
    scale = heads.scale_x_y[head]
    centre = (logistic(logits[:2]) * scale - (scale - 1) / 2 + (column, row)) / cells[::-1]
    shape = np.array(heads.anchors[heads.masks[head][anchor]]) / SIZE[::-1]
    return np.concatenate([centre, np.exp(logits[2:4]) * shape])


def class_loss(logits, wanted, rules):
    """Return the loss of each class."""
    loss = softplus(logits) - wanted * logits
    if rules.counters_per_class:
        rare = [(1 - 0.999) / (1 - 0.999**count) for count in rules.counters_per_class]
        loss = loss * rare / np.mean(rare)
    sure = np.exp(-(softplus(logits) - wanted * logits))
    return loss * (1 - sure) ** rules.focal_gamma if rules.focal_gamma else loss


def loss_by_loops(known, maps, heads, rules, iou_thresh):
    """Return the terms of one image, their gradients by the logits, and how many anchors were ignored."""
    places = by_loops(known, SIZE, heads, iou_thresh)
    edges = known.boxes.astype("float64") / (SIZE[::-1] * 2)
    boxes = np.concatenate([(edges[:, :2] + edges[:, 2:]) / 2, edges[:, 2:] - edges[:, :2]], axis=1)
    terms, gradients, ignored = dict.fromkeys(TERMS, 0.0), {}, 0
    for head, name in enumerate(heads.names()):
        logits = maps[name].astype("float64")
        gradient, cells = np.zeros_like(logits), logits.shape[:2]
        for row, column, anchor in np.ndindex(logits.shape[:3]):
            own, delta = logits[row, column, anchor], gradient[row, column, anchor]
            numbers = places.get((head, row, column, anchor), [])
            told = decode(own, heads, head, row, column, anchor, cells)
            if not numbers:
                best = max((overlap(told, box) for box in boxes), default=0)
                if best > rules.ignore_thresh and logistic(own[5:]).max() > 0.25:
                    ignored += 1
                    continue
            terms["objectness"] += softplus(own[4]) - bool(numbers) * own[4]
            delta[4] = logistic(own[4]) - bool(numbers)
            if not numbers:
                continue
            classes = {int(known.labels[number]) for number in numbers}
            wanted = np.isin(np.arange(CLASSES), list(classes)) * (1 - rules.label_smooth_eps)
            wanted = wanted + rules.label_smooth_eps / 2
            terms["classes"] += class_loss(own[5:], wanted, rules).sum()
            step = 1e-6
            up, down = (class_loss(own[5:] + sign * step, wanted, rules) for sign in (1, -1))
            delta[5:] = (up - down) / (2 * step)
            for number in numbers:
                terms["box"] += rules.iou_normalizer * (1 - complete(told, boxes[number])[0]) / len(classes)
                # As darknet: no slope of the logistic, no anchor.
                pull = rules.iou_normalizer * slopes(told, boxes[number])
                pull[2:] *= np.exp(own[2:4])
                delta[:4] += np.clip(pull, -rules.max_delta, rules.max_delta) / len(classes)
        gradients[name] = gradient
    return terms, gradients, ignored


def objective(heads, rules):
    image = keras.Input((None, None, 1))
    return YOLOv4Objective(keras.Model(image, {"none": image}), heads, rules)


def found_by_objective(y, maps, heads, rules):
    """Return the terms of a batch and their gradients by the logits, in NumPy."""
    model = objective(heads, rules)
    y = {name: ops.convert_to_tensor(value) for name, value in y.items()}
    x = ops.zeros((len(y["boxes"]), 1))
    flat = [ops.convert_to_tensor(value.reshape(*value.shape[:3], -1)) for value in maps.values()]

    def terms(values):
        return model.terms(x, y, dict(zip(maps, values, strict=True)), training=True)

    gradients = backend.gradients(lambda values: sum(terms(values).values()), flat, again=False)
    shaped = (ops.convert_to_numpy(g).reshape(m.shape) for g, m in zip(gradients, maps.values(), strict=True))
    return {name: float(value) for name, value in terms(flat).items()}, dict(zip(maps, shaped, strict=True))


def batch(heads, seeds, iou_thresh):
    scenes = [scene(seed, SIZE, CLASSES) for seed in seeds]
    ys = [targets(known, plain(*SIZE), heads, iou_thresh) for known in scenes]
    each = [outputs_for(known, heads, seed) for known, seed in zip(scenes, seeds, strict=True)]
    y, maps = ({name: np.stack([one[name] for one in many]) for name in many[0]} for many in (ys, each))
    return scenes, each, y, maps


@pytest.mark.parametrize(
    ("kind", "iou_thresh", "rules"),
    [
        ("yolov4", 0.213, Rules()),
        ("tiny", 0.213, Rules(iou_normalizer=1.0, max_delta=2.0)),
        ("yolov4", 1.0, Rules(ignore_thresh=0.5, label_smooth_eps=0.1)),
        ("tiny", 0.1, Rules(focal_gamma=2.0, counters_per_class=(5, 100, 4000))),
    ],
)
def test_loss_and_gradient_equal_plain_loops(kind, iou_thresh, rules):
    """On 50 random scenes together, to 1e-5."""
    heads, seeds = HEADS[kind], range(50)
    scenes, each, y, maps = batch(heads, seeds, iou_thresh)
    found, gradients = found_by_objective(y, maps, heads, rules)
    told = [loss_by_loops(*pair, heads, rules, iou_thresh) for pair in zip(scenes, each, strict=True)]
    for term in TERMS:
        assert found[term] == pytest.approx(np.mean([terms[term] for terms, *_ in told]), rel=1e-5)
    for name, gradient in gradients.items():
        expected = np.stack([own[name] for _, own, _ in told]) / len(seeds)
        np.testing.assert_allclose(gradient, expected, atol=1e-5 * np.abs(expected).max())
    assert sum(ignored for *_, ignored in told) > 20


def test_wrong_rules_are_far_off():
    heads = HEADS["yolov4"]
    scenes, each, y, maps = batch(heads, range(3), 0.213)
    found, gradients = found_by_objective(y, maps, heads, Rules())
    other = [loss_by_loops(*pair, heads, Rules(), 1.0)[0] for pair in zip(scenes, each, strict=True)]
    assert found["box"] != pytest.approx(np.mean([terms["box"] for terms in other]), rel=0.01)
    eager, _ = found_by_objective(y, maps, heads, Rules(ignore_thresh=1.0))
    assert eager["objectness"] > found["objectness"] + 0.1
    plain_scale, _ = found_by_objective(y, maps, heads._replace(scale_x_y=(1.0,) * 3), Rules())
    assert plain_scale["box"] != pytest.approx(found["box"], rel=1e-3)
    _, clipped = found_by_objective(y, maps, heads, Rules(max_delta=0.01))
    assert np.abs(clipped["stride8"][..., :4]).max() < np.abs(gradients["stride8"][..., :4]).max()


def test_unknown_regions_teach_nothing():
    known = truth([[0, 0, 64, 64], [100, 60, 140, 110]], [0, 1], unknown=[0])
    heads = HEADS["tiny"]
    y = {name: value[None] for name, value in targets(known, plain(*SIZE), heads).items()}
    maps = {name: value[None] for name, value in outputs_for(known, heads, 0).items()}
    _, gradients = found_by_objective(y, maps, heads, Rules(ignore_thresh=1.0))
    for name in heads.names():
        unknown = y[f"{name}_objectness"] == UNKNOWN
        assert unknown.any()
        assert not gradients[name][unknown].any()
        assert gradients[name][~unknown][..., 4].all()


def test_images_without_objects_have_finite_losses_and_gradients():
    heads = HEADS["yolov4"]
    y = {name: value[None] for name, value in targets(truth([]), plain(*SIZE), heads).items()}
    maps = {name: 40 * value[None] for name, value in outputs_for(truth([]), heads, 0).items()}
    found, gradients = found_by_objective(y, maps, heads, Rules())
    assert found["box"] == found["classes"] == 0
    assert np.isfinite(list(found.values())).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_a_step_of_the_optimizer_moves_boxes_towards_objects():
    heads = HEADS["tiny"]
    *_, y, maps = batch(heads, range(4), 0.213)
    first, gradients = found_by_objective(y, maps, heads, Rules())
    moved = {name: value - 0.05 * gradients[name] for name, value in maps.items()}
    after, _ = found_by_objective(y, moved, heads, Rules())
    assert all(after[name] < first[name] for name in TERMS)


def test_balanced_weights_are_by_effective_numbers():
    weights = balanced((10, 1000, 100_000))
    assert weights.mean() == pytest.approx(1)
    assert weights[0] / weights[1] == pytest.approx((1 - 0.999**1000) / (1 - 0.999**10), rel=1e-5)
    assert weights[1] / weights[2] < 1.6
    assert balanced(()) == 1
