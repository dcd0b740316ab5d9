"""The three backends side by side: the same first step, and a run of one scored the same on all."""

import json
import os
import subprocess
import sys

import pytest

from kerazoo import backend

FIRST_STEPS = """
import json, sys, keras
from kerazoo import backend
from kerazoo.data.loader import Feed, stream
from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule
from kerazoo.recipe import load_recipe

def losses(name, steps, optimizer, rate):
    recipe = load_recipe(name)
    keras.utils.set_random_seed(recipe.seed)
    network = recipe.family.build()
    model = recipe.family.objective(network)
    rates = learning_rate_schedule(rate, Schedule(kind="constant"), 10, 0)
    optimizer = Optimizer(name=optimizer).build(rates, mixed=False)
    model.compile(optimizer=optimizer, jit_compile=backend.jit_training())
    data = recipe.family.configure(recipe.data)
    batches = stream(data.samples("train"), recipe.family, recipe.augmentation, batch=4, seed=recipe.seed)
    for step in range(steps):
        logs = model.fit(
            backend.fit_input(Feed(batches, step, step + 1)()), steps_per_epoch=1, shuffle=False, verbose=0
        ).history
        yield sum(logs[name][0] for name in model.trackers)

print(json.dumps({case[0]: list(losses(*case)) for case in json.loads(sys.argv[1])}))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(len(backend.installed()) < 3, reason="needs TensorFlow, PyTorch and JAX side by side"),
]


def python(code, *arguments, on):
    """Run Python on a backend and return what it printed."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, "KERAS_BACKEND": on}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CASES = [  # recipe, steps, optimizer, learning rate
    ("unetpp-tiny", 3, "sgd", 1e-3),
    ("unet-valid-tiny", 3, "sgd", 1e-3),
    ("fcn8s-tiny", 3, "sgd", 1e-3),
    ("protonet-tiny", 3, "sgd", 1e-3),
    ("siamese-tiny", 3, "sgd", 1e-3),
    ("centernet-resnet18-tiny", 10, "sgd", 1e-3),
    ("yolov4-tiny-tiny", 10, "sgd", 1e-4),  # whose loss is a sum
    ("yolov4-twin", 2, "sgd", 1e-5),
    ("maml-tiny", 3, "sgd", 1e-2),
    ("reptile-tiny", 3, "sgd", 1e-1),
    # Adversarial training is chaotic at larger learning rates: in ten steps at 2e-4, rounding grew to
    # 2e-4 of the loss.
    ("cyclegan-tiny", 10, "adam", 2e-5),
]


def test_steps_from_the_same_seed_agree(subtests):
    """All recipes in one process per backend, since starting a backend takes longer than the steps."""
    losses = {
        name: json.loads(python(FIRST_STEPS, json.dumps(CASES), on=name).splitlines()[-1])
        for name in backend.BACKENDS
    }
    for recipe, steps, *_ in CASES:
        expected = losses["tensorflow"][recipe]
        assert len(expected) == steps
        for name in ("torch", "jax"):
            with subtests.test(recipe=recipe, backend=name):
                found = losses[name][recipe]
                assert found[0] == pytest.approx(expected[0], rel=1e-5)
                assert found == pytest.approx(expected, rel=1e-4)
                assert found[0] != found[1]


def test_a_run_trained_on_torch_scores_the_same_everywhere(tmp_path):
    cli = "from kerazoo.cli import main; main()"
    python(cli, "train", "unetpp-tiny", "--epochs", 2, "--output", tmp_path / "run", on="torch")
    scores = {
        name: json.loads(python(cli, "evaluate", tmp_path / "run", "--split", "test", "--json", on=name))
        for name in backend.BACKENDS
    }
    assert [score["backend"] for score in scores.values()] == list(backend.BACKENDS)
    for name in ("tensorflow", "jax"):
        assert scores[name]["mean_iou"] == pytest.approx(scores["torch"]["mean_iou"], abs=1e-4)
        assert scores[name]["iou"] == pytest.approx(scores["torch"]["iou"], abs=1e-4)
