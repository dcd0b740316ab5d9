"""Which backend runs, decided before keras is imported, and what it is fed."""

import itertools
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.errors import UserError

CHOOSE = "from kerazoo import backend; print(backend.set_backend({}))"


def chosen(tmp_path, argument="", configured=None, **variables):
    """Return what a fresh interpreter chooses, with this keras.json and these variables."""
    if configured:
        (tmp_path / "keras.json").write_text(json.dumps({"backend": configured}))
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(tmp_path)} | variables
    command = [sys.executable, "-c", CHOOSE.format(argument)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_the_order_of_wishes(tmp_path):
    first, last = backends.installed()[0], backends.installed()[-1]
    assert chosen(tmp_path) == first
    assert chosen(tmp_path, configured=last) == last
    assert chosen(tmp_path, configured="not_installed") == first
    assert chosen(tmp_path, configured="not_installed", KERAS_BACKEND=last) == last
    assert chosen(tmp_path, argument=repr(first), KERAS_BACKEND=last) == first


@pytest.mark.skipif("jax" not in backends.installed(), reason="needs JAX")
def test_jax_keeps_what_it_compiles_in_the_cache_folder(tmp_path):
    code = "import os; from kerazoo import backend; backend.set_backend('jax'); "
    code += "print(os.environ.get('JAX_COMPILATION_CACHE_DIR'))"

    def folder(**variables):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("JAX_COMPIL")}
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, env=environment | variables, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert folder(KERAZOO_CACHE=str(tmp_path / "cache")).startswith(str(tmp_path / "cache" / "jax-"))
    assert folder(JAX_COMPILATION_CACHE_DIR="mine") == "mine"
    (tmp_path / "file").touch()
    assert folder(KERAZOO_CACHE=str(tmp_path / "file" / "cache")) == "None"


def test_the_running_backend_stays(backend):
    assert backends.set_backend() == backends.set_backend(backend) == backend


def test_another_backend_is_refused_once_keras_runs(backend, monkeypatch):
    monkeypatch.setattr(backends, "installed", lambda: backends.BACKENDS)
    other = next(name for name in backends.BACKENDS if name != backend)
    with pytest.raises(UserError, match=f"already runs on {backend}"):
        backends.set_backend(other)


@pytest.mark.parametrize(
    ("choice", "installed", "line"),
    [
        ("theano", ["jax"], "unknown backend 'theano'; choose one of: tensorflow, torch, jax"),
        ("torch", ["jax"], "the backend torch is not installed; pip install 'kerazoo\\[torch\\]'"),
        (None, [], "no backend is installed; pip install"),
    ],
)
def test_what_cannot_run_is_told(monkeypatch, choice, installed, line):
    monkeypatch.setattr(backends, "installed", lambda: installed)
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    with pytest.raises(UserError, match=line):
        backends.set_backend(choice)


def test_devices_and_versions(backend):
    assert all(":" in device for device in backends.devices())
    assert backend in backends.versions()


@pytest.mark.gpu
def test_a_gpu_is_used():
    assert "gpu" in str(getattr(keras.ops.ones(1), "device", "")).lower().replace("cuda", "gpu")


def test_batches_reach_fit_as_they_are_and_by_nothing_that_tunes_itself(backend):
    batches = [(np.full((2, 3), n, "float32"), {"y": np.full(2, n, "int32")}) for n in range(5)]
    fit_input = backends.fit_input(batches)
    if backend == "tensorflow":
        assert fit_input.options().autotune.enabled is False
        fit_input = fit_input.as_numpy_iterator()
    for found, expected in itertools.zip_longest(fit_input, batches):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1]["y"], expected[1]["y"])


@pytest.mark.parametrize("kind", [list, iter])
def test_fit_takes_any_series_of_batches(kind):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    batches = kind([(np.ones((2, 3), "float32"), np.ones((2, 1), "float32"))] * 4)
    model.fit(backends.fit_input(batches), steps_per_epoch=4, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 4


def test_a_network_answers_any_number_of_images_as_it_answers_one(backend):
    image = keras.Input((None, None, 1))
    network = keras.Model(image, {"y": keras.layers.Conv2D(2, 3)(image)})
    forward = backends.forward(network)
    x = np.random.default_rng(0).normal(size=(5, 6, 7, 1)).astype("float32")
    together = forward(x)["y"]
    assert together.shape == (5, 4, 5, 2)
    np.testing.assert_allclose(together, np.concatenate([forward(each[None])["y"] for each in x]), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_noticed(value):
    many = [np.zeros((3, 3, 2, 4), "float32"), np.full(5, 3e38, "float32"), np.float32(-1e38)]
    assert bool(backends.all_finite([keras.ops.convert_to_tensor(each) for each in many]))
    many[1][2] = value
    assert not bool(backends.all_finite([keras.ops.convert_to_tensor(each) for each in many]))


@pytest.mark.skipif(backends.name() != "torch", reason="only PyTorch has an order of its own")
@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_an_optimizers_variables_lie_in_memory_like_the_kernels(name):
    from kerazoo.layers import Conv2D
    from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule

    layer = Conv2D(5, 3)
    layer.build((None, None, None, 4))
    optimizer = Optimizer(name=name).build(learning_rate_schedule(1.0, Schedule(), 10, 0), mixed=False)
    optimizer.build([layer.kernel])
    moments = [v.value for v in optimizer.variables if tuple(v.shape) == tuple(layer.kernel.shape)]
    assert moments
    assert {moment.stride() for moment in moments} == {layer.kernel.value.stride()}
