"""MAML against finite differences in float64, and the authors' checkpoint against NumPy."""

import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.checkpoints.read import read
from kerazoo.errors import UserError
from kerazoo.families.conv4 import Conv4
from kerazoo.families.maml import MAML
from kerazoo.families.maml.importer import convert, family_settings
from kerazoo.objective import cross_entropy
from kerazoo.settings import replace
from kerazoo.tasks.fewshot import inner_loop
from kerazoo.tasks.fewshot.stateless import stateless_call
from tests.families import maml_reference as reference
from tests.tiny import TINY

FAMILY = MAML(filters=2, ways=3, queries=1, training_ways=3, training_queries=1, size=(16, 16))
RATE = 0.4


def episode():
    return np.random.default_rng(3).uniform(-1, 0, (1, 3, 2, 16, 16, 1)).astype("float32")


def network():
    made = FAMILY.build()
    rng = np.random.default_rng(5)
    for variable in made.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    return made


def named(made):
    return {v.path: keras.ops.convert_to_numpy(v).astype("float64") for v in made.trainable_variables}


def meta_gradient(family, made, x):
    """Return the outer loss' gradient by variable path."""
    variables = made.trainable_variables

    def loss(values):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            logits = family.answers(made, x, training=True)
        targets = keras.ops.one_hot(np.arange(3), 3)[None, :, None]
        return keras.ops.mean(cross_entropy(targets, logits))

    found = backends.gradients(loss, [keras.ops.convert_to_tensor(v.value) for v in variables])
    return {
        v.path: keras.ops.convert_to_numpy(keras.ops.stop_gradient(g)).astype("float64")
        for v, g in zip(variables, found, strict=True)
    }


def losses(x):
    """Return the inner and the outer loss of an episode as functions of the weights."""
    support, queries = x[0, :, 0].astype("float64"), x[0, :, 1].astype("float64")
    labels = np.arange(3)

    def inner(weights):
        return reference.cross_entropy(reference.forward(weights, support, "stride", "mean"), labels)

    def outer(weights):
        return reference.cross_entropy(reference.forward(weights, queries, "stride", "mean"), labels)

    return inner, outer


def directions(weights, count=2):
    rng = np.random.default_rng(9)
    return [{name: rng.normal(size=value.shape) for name, value in weights.items()} for _ in range(count)]


@pytest.fixture(scope="module")
def second_order():
    """Weights and meta-gradient, which JAX takes a while to compile."""
    keras.utils.set_random_seed(0)
    made = network()
    return named(made), meta_gradient(FAMILY, made, episode())


def test_second_order_meta_gradients_equal_finite_differences(second_order):
    (weights, found), (inner, outer) = second_order, losses(episode())
    size = np.sqrt(sum(np.square(g).sum() for g in found.values()))

    def after(moved):
        return outer(reference.gradient_descent(inner, moved, RATE))

    for way in directions(weights):
        expected = reference.along(after, weights, way, 1e-4)
        told = sum((found[name] * way[name]).sum() for name in weights)
        assert told == pytest.approx(expected, abs=2e-3 * size)


def test_first_order_meta_gradients_are_those_at_the_adapted_weights(second_order):
    (weights, second), (inner, outer) = second_order, losses(episode())
    family = replace(FAMILY, {"second_order": False})
    found = meta_gradient(family, network(), episode())
    expected = reference.slopes(outer, reference.gradient_descent(inner, weights, RATE))
    for name in weights:
        slack = 2e-4 * np.abs(expected[name]).max() + 1e-6
        np.testing.assert_allclose(found[name], expected[name], atol=slack, err_msg=name)
    assert any(np.abs(second[name] - expected[name]).max() > 1e-2 for name in weights)


def test_a_classifier_tells_one_image_what_the_network_tells_it_among_the_support():
    x, made = episode()[0, :, 0], network()
    weights = FAMILY.classifier_weights(made, x, np.arange(3))
    adapted = inner_loop.gradient_descent(
        [inner_loop.loss(made, x, np.arange(3), 3)],
        FAMILY.test_steps,
        inner_loop.current_weights(made),
        RATE,
        again=False,
    )
    among = keras.ops.convert_to_numpy(inner_loop.logits(made, adapted, x))
    classifier = Conv4(classes=3, **FAMILY.body()).build()
    for variable in classifier.weights:
        variable.assign(weights.pop(variable.path))
    assert weights == {}
    np.testing.assert_allclose(classifier.predict_on_batch(x)["logits"], among, atol=1e-4)


def test_other_numbers_of_ways_start_from_the_mean():
    other = inner_loop.with_ways(network(), FAMILY.network(5))
    kernel, bias = other.trainable_variables[-2:]
    assert kernel.shape == (2, 5)
    assert np.ptp(keras.ops.convert_to_numpy(kernel), axis=1).max() == 0
    assert np.ptp(keras.ops.convert_to_numpy(bias)) == 0


def checkpoint():
    rng = np.random.default_rng(0)
    arrays = {f"model/conv{n}": rng.normal(size=(3, 3, 3 if n == 1 else 4, 4)) for n in range(1, 5)}
    arrays |= {f"model/Variable{f'_{n}' if n else ''}": rng.normal(size=4) for n in range(4)}
    arrays |= {f"model/{n}/beta": rng.normal(size=4) for n in range(4)}
    arrays |= {"model/w5": rng.normal(size=(100, 5)), "model/b5": rng.normal(size=5)}
    return {name: array.astype("float32") for name, array in arrays.items()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda a: a.pop("model/b5"), "lacks model/b5"),
        (lambda a: a.update({"model/extra": a["model/b5"]}), "unknown keys model/extra"),
        (lambda a: a.update({"model/w5": a["model/w5"][:90]}), "shapes"),
    ],
)
def test_a_checkpoint_that_is_not_theirs_is_refused(change, told):
    arrays = checkpoint()
    change(arrays)
    with pytest.raises(UserError, match=told):
        family_settings(arrays)


def converted(arrays):
    family = MAML().for_checkpoint(arrays)
    made = family.build()
    for variable in made.weights:
        variable.assign(convert(arrays)[variable.path])
    return family, made


def reference_logits(arrays, x):
    weights = {path: array.astype("float64") for path, array in convert(arrays).items()}
    weights |= {f"conv{n + 1}/bias": arrays[f"model/Variable{f'_{n}' if n else ''}"] for n in range(4)}
    return reference.forward(weights, x.astype("float64"), "max", "flatten")


def test_a_checkpoint_of_theirs_computes_what_numpy_does():
    arrays = checkpoint()
    family, made = converted(arrays)
    assert (family.size, family.ways, family.filters, family.channels) == ((84, 84), 5, 4, 3)
    x = np.random.default_rng(1).uniform(0, 1, (3, 84, 84, 3)).astype("float32")
    expected = reference_logits(arrays, x)
    np.testing.assert_allclose(
        made.predict_on_batch(x)["logits"], expected, atol=1e-4 * np.abs(expected).max()
    )


def test_the_authors_miniimagenet_network_computes_what_numpy_does(shared):
    arrays = read(shared / "data" / "maml_miniimagenet_5w1s" / "model59000.index")
    assert sum(array.size for array in arrays.values()) == 32_773
    family, made = converted(arrays)
    assert (family.ways, family.filters) == (5, 32)
    x = np.random.default_rng(1).uniform(0, 1, (5, 84, 84, 3)).astype("float32")
    expected = reference_logits(arrays, x)
    np.testing.assert_allclose(
        made.predict_on_batch(x)["logits"], expected, atol=1e-4 * np.abs(expected).max()
    )


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("family", ["maml", "reptile"])
def test_the_network_with_other_weights_is_kerass_stateless_call(family, precision):
    keras.config.set_dtype_policy(precision)
    network = TINY[family].build()
    rng = np.random.default_rng(0)
    drawn = (rng.normal(0, 0.3, variable.shape) for variable in network.trainable_variables)
    weights = [keras.ops.convert_to_tensor(weight.astype("float32")) for weight in drawn]
    x = keras.ops.convert_to_tensor(rng.normal(size=(6, 28, 28, 1)).astype("float32"))
    expected = network.stateless_call(weights, [], x, training=True)[0]["logits"]
    found = stateless_call(network, weights, x)["logits"]
    assert (keras.ops.convert_to_numpy(found) == keras.ops.convert_to_numpy(expected)).all()
    assert keras.ops.convert_to_numpy(keras.ops.std(expected)) > 0.01
