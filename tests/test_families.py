"""The contract, asked of every family."""

import json

import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo import settings
from kerazoo.data.augment import Augmentation
from kerazoo.data.loader import Feed, stream
from kerazoo.files.recipes import recipe_files
from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule
from kerazoo.recipe import load_recipe
from kerazoo.run import load_weights, save_weights
from tests.cases import case_of
from tests.cases.case import answers, check_scores, scores_of
from tests.tiny import DEEP, TINY

LATER = {*DEEP} - ({"hrnet"} if backends.name() != "jax" else set())
"""Slow tests: one HRNet stands for three where it is not a minute's work to compile."""

PARAMETERS = [pytest.param(name, marks=pytest.mark.slow if name in LATER else ()) for name in TINY]


@pytest.fixture(params=PARAMETERS, scope="module")
def family(request):
    return TINY[request.param]


@pytest.fixture(scope="module")
def case(family):
    return case_of(family)


def batches(case, batch=4, seed=0):
    augmentation = Augmentation(crop=case.window())
    return stream(case.training_samples(), case.family, augmentation, batch=batch, seed=seed)


def compiled(family, rate=3e-3, eagerly=False):
    network = family.build()
    model = family.objective(network)
    rates = learning_rate_schedule(rate, Schedule(kind="constant"), updates=100, warmup=0)
    jit = backends.jit_training()
    model.compile(Optimizer().build(rates, mixed=False), jit_compile=jit, run_eagerly=eagerly)
    model.optimizer.build(model.trainable_variables)  # inside the step TensorFlow takes minutes for HRNet's
    return network, model


def outputs(network, x):
    """Return a network's outputs; on TensorFlow without a graph, which takes seconds to make."""
    if backends.name() == "jax":
        return network.predict_on_batch(x)
    return {name: keras.ops.convert_to_numpy(y) for name, y in network(x, training=False).items()}


def fit(model, stream, start, stop):
    return model.fit(
        backends.fit_input(Feed(stream, start, stop)()),
        steps_per_epoch=stop - start,
        shuffle=False,
        verbose=0,
    ).history


def test_outputs_are_named_logits_of_the_labelled_window(case):
    (x, y) = batches(case)[0]
    for name, logits in outputs(case.family.build(), case.network_input(x)).items():
        assert isinstance(name, str)
        assert logits.shape == case.output_shape(y, name)
        assert logits.dtype == "float32"
        several = logits.shape[-1] > 1
        shares = (0 <= logits).all() and (not several or np.allclose(logits.sum(-1), 1, atol=1e-4))
        assert not shares or logits.max() > 1 or not logits.any()  # no probabilities


def test_height_width_and_batch_are_unknown(family):
    network = family.build()
    assert tuple(network.inputs[0].shape) == (None, None, None, family.channels)


def test_images_of_any_size_are_answered(family, case):
    forward = backends.forward(family.deploy(family.build()))
    samples = [case.samples(1, size)[0] for size in ((61, 47), (33, 96))]
    together = answers(family, forward, (sample.image for sample in samples))
    for sample, result in zip(samples, together, strict=True):
        (alone,) = answers(family, forward, [sample.image])
        # Of the same size, but any number of people.
        assert case.answer(result).shape[-2:] == case.answer(sample.truth).shape[-2:]
        assert case.agree(alone, result)
        assert family.draw(sample.image, result).dtype == np.uint8
        assert json.loads(json.dumps(family.describe(result)))


def test_fit_lowers_the_loss_and_moves_every_weight_and_broken_steps_leave_no_trace(case):
    """One test, since compiling takes longest."""
    network, model = compiled(case.family)
    data = batches(case)
    before = values(network.trainable_variables)
    first = fit(model, data, 0, 1)
    for _ in range(6):
        last = fit(model, data, 0, 1)
    if "way" not in model.trackers:  # Reptile's grows before it shrinks; tests/families/test_reptile.py
        assert sum(last[name][0] for name in model.trackers) < 0.95 * sum(
            first[name][0] for name in model.trackers
        )
    after = values(network.trainable_variables)
    assert [path for path, old in before.items() if np.array_equal(after[path], old)] == []

    before, applied = values(network.variables), int(model.optimizer.inner_optimizer.iterations)
    x, y = data[1]
    broken = backends.fit_input([(np.full_like(x, np.nan), y)])
    logs = model.fit(broken, steps_per_epoch=1, shuffle=False, verbose=0).history
    assert int(model.optimizer.inner_optimizer.iterations) == applied
    assert all(np.isfinite(logs[name][0]) for name in model.trackers)
    after = values(network.variables)
    for path, old in before.items():
        if "float" in str(old.dtype):
            np.testing.assert_array_equal(after[path], old, err_msg=path)


def values(variables):
    return {variable.path: keras.ops.convert_to_numpy(variable).copy() for variable in variables}


def test_settings_survive_json(family):
    assert settings.from_plain(json.loads(json.dumps(settings.to_plain(family)))) == family


def test_weights_survive_a_file(family, case, tmp_path):
    x = case.network_input(batches(case)[0][0])
    network = family.build()
    save_weights(network, tmp_path / "a.weights.h5")
    other = family.build()
    for variable in other.weights:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    load_weights(other, tmp_path / "a.weights.h5")
    found = outputs(other, x)
    for name, logits in outputs(network, x).items():
        np.testing.assert_array_equal(found[name], logits)


def test_decode_of_encoded_truth_is_the_truth(case):
    for sample in case.samples(3, (61, 47)):
        assert case.agree(case.decoded(sample.image, sample.truth), sample.truth)


def test_the_truth_scores_best_and_wrong_results_badly(case):
    check_scores(case, case.pairs())


def test_scores_of_wrong_results_do_not_pass_for_those_of_the_truth(case):
    """The test before this one fails wherever `evaluate` is fed something wrong."""
    pairs = case.pairs()
    right = [result for _, result in pairs]
    for fault, results in case.wrong(pairs).items():
        wrong = [(truth, result) for (truth, _), result in zip(pairs, results, strict=True)]
        assert not all(case.agree(*both) for both in zip(results, right, strict=True)), fault
        with pytest.raises(AssertionError, match="of the truth"):
            check_scores(case, wrong)
    with pytest.raises(AssertionError, match="of results that are"):
        check_scores(case, pairs, lambda task, _: scores_of(task, pairs))  # blind for what it is given


@pytest.mark.parametrize("name", recipe_files())
def test_scores_that_recipes_watch_are_asked_for_here(name):
    recipe = load_recipe(name)
    assert recipe.monitor in case_of(recipe.family).monitors


ONCE = ("unet", "unet-valid", "unet-encoder", "resnet-cifar", "conv4", "siamese-triplet", "siamese-l1", "fcn")
"""Whose layers and losses in mixed precision are those of others: slow tests."""


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(name, marks=pytest.mark.slow if name in (*LATER, *ONCE) else ())
        for name in TINY
        if name not in ("hrnet-cls", "hrnet-pose")  # whose body is hrnet's
    ],
    indirect=True,
)
def test_mixed_precision_trains(family, case):
    keras.config.set_dtype_policy("mixed_bfloat16")
    network, model = compiled(family, eagerly=backends.name() == "tensorflow")  # graphs: the test before
    logs = fit(model, batches(case), 0, 2)
    assert all(np.isfinite(logs[name][0]) for name in model.trackers)
    assert all("float32" in str(v.dtype) for v in network.trainable_variables)
