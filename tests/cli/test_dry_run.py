"""`kerazoo train --dry-run`: what a training would take, and nothing written."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.engine.training.dry_run import activations
from tests.tiny import TINY

QUICK = ["--set", "family.filters=[2,4]", "--set", "data.train=8", "--set", "data.validation=2"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, in which runs would appear."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kerazoo(*arguments, code=0):
    result = CliRunner().invoke(main, ["train", *arguments, "--dry-run"])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stderr


def test_sizes_memory_and_minutes_are_printed_and_nothing_written(here):
    rows = dict(line.split(maxsplit=1) for line in kerazoo("unet-tiny", *QUICK).splitlines())
    assert rows["images"].strip() == "8 to train on, 2 to validate on"
    assert rows["input"].strip() == "64 x 64 x 3, batch of 4"
    assert rows["steps"].strip() == "8 in 4 epochs"
    assert rows["memory"].startswith("about ")
    assert rows["minutes"].startswith("about ")
    assert not list(here.iterdir())


def test_json_has_numbers(here):
    numbers = json.loads(kerazoo("unet-tiny", *QUICK, "--json", "--epochs", "2", "--batch-size", "2"))
    assert (numbers["images"], numbers["batch"]) == ({"train": 8, "val": 2}, [2, 64, 64, 3])
    assert (numbers["steps"], numbers["epochs"], numbers["validations"]) == (8, 2, 2)
    assert numbers["memory"]["gradients"] == 4 * numbers["parameters"]
    assert numbers["memory"]["optimizer"] >= 8 * numbers["parameters"]  # two moments of Adam
    assert (numbers["timed_steps"], numbers["timed_images"]) == (5, 2)
    longest = numbers["first_step_seconds"] + 8 * numbers["step_seconds"] + 2 * numbers["validation_seconds"]
    assert numbers["minutes"] == pytest.approx(longest / 60)


def test_it_checks_the_users_data(here):
    for folder in ("images", "masks"):
        (here / "data" / folder).mkdir(parents=True)
    for index in range(4):
        noise = np.random.default_rng(index).integers(0, 256, (64, 64, 3), np.uint8)
        cv2.imwrite(str(here / f"data/images/{index}.png"), noise)
        cv2.imwrite(str(here / f"data/masks/{index}.png"), noise[..., 0] % 2)
    before = sorted(here.rglob("*"))
    shown = kerazoo("unet-tiny", "--data", "data", "--set", "family.filters=[2,4]", "--json")
    assert sum(json.loads(shown)["images"].values()) == 4
    assert sorted(here.rglob("*")) == before
    (here / "data/images/0.png").write_bytes(b"no image")
    assert "0.png" in kerazoo("unet-tiny", "--data", "data", code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "runs/a"], "--dry-run is for a training that begins"),
        (["unet-tiny", "--output", "."], "already"),
        (["unet-tiny", "--set", "monitor=miou"], "did you mean 'mean_iou'"),
    ],
)
def test_what_cannot_be_trained_is_refused(here, arguments, message):
    assert message in kerazoo(*arguments, code=2)


def test_json_needs_a_dry_run():
    result = CliRunner().invoke(main, ["train", "unet-tiny", "--json"])
    assert result.exit_code == 2
    assert "--json is for --dry-run" in result.stderr


@pytest.mark.parametrize("name", TINY)
def test_activations_are_counted_in_every_network(name):
    network = TINY[name].build()
    channels = network.inputs[0].shape[-1]
    one = activations(network, (1, 64, 64, channels))
    assert one > 4 * 64 * 64 * channels
    assert activations(network, (2, 3, 64, 64, channels)) == 6 * one


def test_activations_are_the_outputs_of_all_layers():
    import keras

    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 1)(image)  # 4 x 4 x 8
    inner = keras.Input((None, None, 8))
    pooled = keras.Model(inner, keras.layers.MaxPooling2D()(inner))(x)  # 2 x 2 x 8
    network = keras.Model(image, pooled)
    assert activations(network, (5, 4, 4, 3)) == 5 * 4 * (4 * 4 * 8 + 2 * 2 * 8)
