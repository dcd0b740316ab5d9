"""The loss of CenterNet against plain loops in NumPy, on each backend."""

import keras
import numpy as np
import pytest
from keras import ops

from kerazoo import backend
from kerazoo.families.centernet.codec import IGNORED, targets
from kerazoo.families.centernet.objective import CenterNetObjective, distance, penalty_reduced_focal
from kerazoo.structures.boxes import Boxes
from kerazoo.structures.placement import Window

CLASSES = 3


def truths():
    """Return the targets of three images, of 3, 0 and 2 objects, as a batch."""
    boxes = [[[4, 4, 20, 24], [30, 10, 50, 30], [5, 5, 21, 25]], [], [[0, 0, 48, 32], [40, 20, 44, 26]]]
    labels = [[0, 2, 1], [], [1, 1]]
    ys = []
    for own, label in zip(boxes, labels, strict=True):
        flags = np.zeros(len(own), bool)
        boxes_of = np.array(own, "float32").reshape(-1, 4)
        truth = Boxes(boxes_of, np.array(label, "int32"), flags, flags, (32, 64))
        ys.append(targets(truth, Window(0, 0, 64, 32, 64, 32), CLASSES))
    return {name: np.stack([y[name] for y in ys]) for name in ys[0]}


def outputs(seed=0, prefix=""):
    rng = np.random.default_rng(seed)
    return {
        f"{prefix}heatmap": rng.normal(-1, 4, (3, 8, 16, CLASSES)).astype("float32"),
        f"{prefix}size": rng.uniform(0, 9, (3, 8, 16, 2)).astype("float32"),
        f"{prefix}offset": rng.uniform(0, 1, (3, 8, 16, 2)).astype("float32"),
    }


def focal_by_loops(heat, logits, alpha=2, beta=4):
    """Return the focal loss cell by cell in float64."""
    loss, count = 0.0, 0
    for y, logit in zip(heat.ravel().astype("float64"), logits.ravel().astype("float64"), strict=True):
        p = min(max(1 / (1 + np.exp(-logit)), 1e-4), 1 - 1e-4)
        if y == 1:
            loss, count = loss - (1 - p) ** alpha * np.log(p), count + 1
        else:
            loss -= (1 - y) ** beta * p**alpha * np.log(1 - p)
    return loss / max(count, 1)


def distance_by_loops(maps, y, head, divisor):
    """Return the L1 loss object by object; `divisor` is of a number of objects."""
    total, count = 0.0, 0
    for image, place in zip(*np.nonzero(y["weights"]), strict=True):
        row, column = divmod(int(y["cells"][image, place]), maps.shape[2])
        total += np.abs(maps[image, row, column].astype("float64") - y[head][image, place]).sum()
        count += 1
    return total / divisor(count)


def terms(y, found, **settings):
    inputs = keras.Input((8, 16, 1))
    network = keras.Model(inputs, {"heatmap": keras.layers.Conv2D(1, 1)(inputs)})
    objective = CenterNetObjective(network, **settings)
    tensors = ({name: ops.convert_to_tensor(value) for name, value in each.items()} for each in (y, found))
    return {name: float(value) for name, value in objective.terms(None, *tensors, training=True).items()}


@pytest.fixture
def y():
    return truths()


@pytest.mark.parametrize(("mode", "divisor"), [("published", lambda n: 2 * n + 1e-4), ("paper", lambda n: n)])
def test_terms_equal_plain_loops(y, mode, divisor):
    found = outputs()
    told = terms(y, found, divisor=mode)
    assert list(told) == ["heatmap", "size", "offset"]
    assert told["heatmap"] == pytest.approx(focal_by_loops(y["heatmap"], found["heatmap"]), rel=1e-5)
    assert told["size"] == pytest.approx(0.1 * distance_by_loops(found["size"], y, "size", divisor), rel=1e-5)
    assert told["offset"] == pytest.approx(distance_by_loops(found["offset"], y, "offset", divisor), rel=1e-5)
    assert (y["weights"] > 0).sum() == 5


def test_wrong_variants_are_far_off(y):
    found = outputs()
    told = terms(y, found)
    right = pytest.approx(told["heatmap"], rel=1e-4)  # ten times what is right
    assert focal_by_loops(y["heatmap"], found["heatmap"], alpha=1) != right
    assert focal_by_loops(y["heatmap"], found["heatmap"], beta=2) != right
    assert focal_by_loops(y["heatmap"] - 1e-6, found["heatmap"]) != right  # no centres
    paper = terms(y, found, divisor="paper")
    assert paper["size"] == pytest.approx(2 * told["size"], rel=1e-4)
    swapped = terms(y, found | {"offset": found["offset"][..., ::-1].copy()})
    assert swapped["offset"] != pytest.approx(told["offset"], rel=1e-2)
    turned = terms(y | {"cells": y["cells"] // 16 + 8 * (y["cells"] % 16)}, found)  # column by column
    assert turned["offset"] != pytest.approx(told["offset"], rel=1e-2)
    assert terms(y, found, size_weight=1.0, offset_weight=0.5) == {
        "heatmap": told["heatmap"],
        "size": pytest.approx(10 * told["size"], rel=1e-5),
        "offset": pytest.approx(told["offset"] / 2, rel=1e-5),
    }


def test_several_stacks_are_averaged(y):
    first, last = outputs(1, "stack1_"), outputs(2)
    both = terms(y, first | last)
    alone = [terms(y, outputs(seed)) for seed in (1, 2)]
    for name, value in both.items():
        assert value == pytest.approx(np.mean([each[name] for each in alone]), rel=1e-5)


def test_a_network_that_is_sure_and_right_has_hardly_a_loss(y):
    height, width = y["heatmap"].shape[1:3]
    maps = {name: np.zeros((3, height * width, 2), "float32") for name in ("size", "offset")}
    for image, place in zip(*np.nonzero(y["weights"]), strict=True):
        for name, array in maps.items():
            array[image, y["cells"][image, place]] = y[name][image, place]
    found = {name: array.reshape(3, height, width, 2) for name, array in maps.items()}
    found["heatmap"] = np.where(y["heatmap"] == 1, 20.0, -20.0).astype("float32")
    told = terms(y, found)
    assert told["heatmap"] < 1e-4
    assert told["offset"] < 0.05
    found["heatmap"] = -found["heatmap"]
    assert terms(y, found)["heatmap"] > 100


def test_ignored_cells_teach_nothing(y):
    found = outputs()
    heat = y["heatmap"].copy()
    region = np.s_[:, 5:, 10:]
    heat[region] = np.where(heat[region] < 1, IGNORED, 1)
    louder = found["heatmap"].copy()
    louder[region] = np.where(heat[region] < 1, 5.0, louder[region])
    quiet, loud = (
        float(penalty_reduced_focal(ops.convert_to_tensor(heat), ops.convert_to_tensor(logits)))
        for logits in (found["heatmap"], louder)
    )
    assert loud == pytest.approx(quiet, abs=1e-6)
    plain = float(penalty_reduced_focal(ops.convert_to_tensor(y["heatmap"]), ops.convert_to_tensor(louder)))
    assert plain > quiet + 1


def test_batches_without_objects_have_finite_losses_and_gradients(y):
    empty = {name: ops.convert_to_tensor(np.zeros_like(value)) for name, value in y.items()}
    found = {name: ops.convert_to_tensor(value) for name, value in outputs().items()}

    def loss(values):
        heat = penalty_reduced_focal(empty["heatmap"], values[0])
        for mode in ("published", "paper"):
            heat += distance(values[1], empty["size"], empty["cells"], empty["weights"], mode)
        return heat

    values = [found["heatmap"] * 20, found["size"]]
    assert np.isfinite(float(loss(values)))
    for gradient in backend.gradients(loss, values, again=False):
        assert np.isfinite(ops.convert_to_numpy(gradient)).all()


def test_gradients_equal_differences(y):
    found = outputs()
    heat, logits = ops.convert_to_tensor(y["heatmap"]), found["heatmap"]
    (gradient,) = backend.gradients(
        lambda v: penalty_reduced_focal(heat, v[0]), [ops.convert_to_tensor(logits)], again=False
    )
    gradient = ops.convert_to_numpy(gradient)
    rng = np.random.default_rng(0)
    for _ in range(6):
        place = tuple(int(rng.integers(side)) for side in logits.shape)
        if abs(logits[place]) > 8:  # clamped
            continue
        step = np.zeros(logits.shape)
        step[place] = 1e-4
        up, down = (focal_by_loops(y["heatmap"], logits.astype("float64") + s) for s in (step, -step))
        assert gradient[place] == pytest.approx((up - down) / 2e-4, abs=1e-5)


def test_training_lowers_every_term(y):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 16, 4))
    heads = {"heatmap": CLASSES, "size": 2, "offset": 2}
    network = keras.Model(
        inputs,
        {name: keras.layers.Conv2D(n, 3, padding="same", name=name)(inputs) for name, n in heads.items()},
    )
    objective = CenterNetObjective(network)
    objective.compile(optimizer=keras.optimizers.Adam(0.05), jit_compile=False)
    x = np.concatenate([y["heatmap"], np.ones((3, 8, 16, 1), "float32")], axis=-1)
    history = objective.fit(x, y, batch_size=3, epochs=40, verbose=0).history
    for name in heads:
        assert history[name][-1] < 0.8 * history[name][0], name
