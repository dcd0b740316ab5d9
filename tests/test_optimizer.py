"""Schedules as Keras sees them against their formulas."""

import keras
import numpy as np
import pytest

from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule

STEPS = np.array([0, 1, 9, 10, 11, 50, 60, 75, 99, 100, 150])


def rates(schedule, rate=0.1, updates=100, warmup=0):
    keras_schedule = learning_rate_schedule(rate, schedule, updates, warmup)
    return np.array([float(keras.ops.convert_to_numpy(keras_schedule(step))) for step in STEPS])


def test_cosine():
    progress = np.minimum(STEPS / 100, 1)
    expected = 0.1 * (0.2 + 0.8 * 0.5 * (1 + np.cos(np.pi * progress)))
    np.testing.assert_allclose(rates(Schedule(kind="cosine", final=0.2)), expected, rtol=1e-5)


def test_poly():
    expected = 0.1 * (1 - np.minimum(STEPS / 100, 1)) ** 0.9
    np.testing.assert_allclose(rates(Schedule(kind="poly")), expected, rtol=1e-5, atol=1e-8)


def test_step():
    found = rates(Schedule(kind="step", milestones=(0.6, 0.75), factor=0.1))
    expected = 0.1 * np.where(STEPS >= 75, 0.01, np.where(STEPS >= 60, 0.1, 1.0))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_warmup_is_linear_and_delays_the_rest():
    found = rates(Schedule(kind="cosine"), warmup=10)
    np.testing.assert_allclose(found[:3], 0.1 * np.array([0.1, 0.2, 1.0]), rtol=1e-5)
    progress = np.clip((STEPS[3:] - 10) / 90, 0, 1)
    np.testing.assert_allclose(found[3:], 0.05 * (1 + np.cos(np.pi * progress)), rtol=1e-4, atol=1e-8)


def test_long_trainings_are_tabulated_closely():
    schedule = learning_rate_schedule(0.1, Schedule(kind="cosine"), 10**6, 0)
    for step in (1, 123_456, 999_000):
        expected = 0.05 * (1 + np.cos(np.pi * step / 10**6))
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_optimizers_are_guarded(name):
    """A batch that gives NaN changes no weight; the ones after it train as if it had not been."""
    optimizer = Optimizer(name=name, clip_norm=1.0, weight_decay=0.01, accumulate=2)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizer.build(learning_rate_schedule(0.1, Schedule(), 10, 0), mixed=False), loss="mse")
    for _ in range(2):
        model.train_on_batch(np.array([[np.nan, 1, 1]], "float32"), np.zeros((1, 1), "float32"))
    np.testing.assert_array_equal(model.get_weights()[0], 1.0)
    for _ in range(2):
        model.train_on_batch(np.ones((1, 3), "float32"), np.zeros((1, 1), "float32"))
    assert (model.get_weights()[0] < 1).all()


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_some_variables_learn_at_another_rate(name):
    inputs = keras.Input((1,))
    outputs = [
        keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name=n)(inputs)
        for n in ("slow", "fast")
    ]
    model = keras.Model(inputs, keras.layers.Add()(outputs))
    rates = learning_rate_schedule(0.01, Schedule(kind="constant"), updates=10, warmup=0)
    settings = Optimizer(name=name, momentum=0.0)
    model.compile(
        settings.build(rates, mixed=False, factors={"fast/kernel": 4.0}), loss="mse", jit_compile=False
    )
    x = np.ones((4, 1), "float32")
    model.fit(x, 0 * x, batch_size=4, epochs=1, verbose=0)
    moved = {v.path: 1 - float(keras.ops.convert_to_numpy(v)[0, 0]) for v in model.weights}
    assert moved["slow/kernel"] > 0
    assert moved["fast/kernel"] == pytest.approx(4 * moved["slow/kernel"], rel=1e-4)
