"""Training: exact resume, stopping, starting from other weights."""

import dataclasses
import importlib
import json

import keras
import numpy as np
import pytest

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.engine.progress import Progress
from kerazoo.engine.training.initialise import initialise
from kerazoo.engine.training.train import resume_training, train
from kerazoo.errors import UserError
from kerazoo.families.unetpp import UNetPlusPlus
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe
from kerazoo.run import open_run

module = importlib.import_module("kerazoo.engine.training.train")
QUIET = Progress(quiet=True)
CLOCKED = {"seconds", "images_per_second", "validation_seconds"}

SMALL = Recipe(
    family=UNetPlusPlus(classes=3, filters=(4, 8), norm=True, dropout=0.2),
    data=Cells(train=10, validation=2, test=1, size=(32, 32)),
    augmentation=Augmentation(crop=(32, 32), flip=True, brightness=0.2),
    epochs=3,
    batch_size=2,
    save_every=2,
)
VARIANTS = {
    "plain": SMALL,
    "accumulated": dataclasses.replace(
        SMALL, optimizer=Optimizer(name="sgd", learning_rate=0.05, accumulate=3)
    ),
    "plateau": dataclasses.replace(
        SMALL,
        optimizer=Optimizer(learning_rate=1e-6),
        schedule=Schedule(kind="plateau", patience=1, factor=0.5, warmup=0.5),
    ),
}


def weights(run):
    return [keras.ops.convert_to_numpy(v) for v in open_run(run.folder).network.weights]


def log(run):
    rows = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in CLOCKED} for row in rows]


@pytest.mark.parametrize(
    "variant", ["accumulated", *(pytest.param(name, marks=pytest.mark.slow) for name in ("plain", "plateau"))]
)
def test_interrupted_training_ends_like_an_undisturbed_one(variant, tmp_path, monkeypatch):
    recipe = VARIANTS[variant]
    whole = train(recipe, tmp_path / "whole", progress=QUIET)
    save, saved = module.resume.save, []

    def interrupted(folder, state, variables):
        save(folder, state, variables)
        saved.append(state.step)
        if len(saved) in (3, 6, 8):  # inside an epoch, at its end, inside the next
            raise KeyboardInterrupt

    monkeypatch.setattr(module.resume, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "broken", progress=QUIET)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            resume_training(tmp_path / "broken", progress=QUIET)
    broken = resume_training(tmp_path / "broken", progress=QUIET)

    assert saved == sorted(set(saved))  # no step was done twice
    assert log(broken) == log(whole)
    for found, expected in zip(weights(broken), weights(whole), strict=True):
        np.testing.assert_array_equal(found, expected)
    if variant == "plateau":
        assert log(whole)[-1]["learning_rate"] < 1e-6


def test_a_run_opens_at_any_moment(tmp_path, monkeypatch):
    def killed(folder, state, variables):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.resume, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, tmp_path / "run", progress=QUIET)
    assert open_run(tmp_path / "run").network.count_params() > 0


def test_damaged_resume_point_gives_way_to_the_one_before(tmp_path):
    run = train(SMALL, tmp_path / "run", progress=QUIET)
    expected, rows = weights(run), log(run)
    newest = max((run.folder / "resume").glob("step-*"))
    content = (newest / "arrays.npz").read_bytes()
    (newest / "arrays.npz").write_bytes(content[: len(content) // 2])
    (run.folder / "metrics.json").unlink()
    again = resume_training(run.folder, progress=QUIET)
    assert log(again) == rows
    for found, before in zip(weights(again), expected, strict=True):
        np.testing.assert_array_equal(found, before)


@pytest.mark.slow
def test_patience_stops_and_says_so(tmp_path):
    recipe = dataclasses.replace(
        SMALL, epochs=20, patience=2, optimizer=Optimizer(name="sgd", learning_rate=1e-9)
    )
    run = train(recipe, tmp_path / "run", progress=QUIET)
    scores = run.read_json("metrics.json")
    assert len(log(run)) < 20
    assert "has not improved for 2 validations" in scores["stopped"]
    assert scores["best_epoch"] == len(log(run)) - 2


def test_non_finite_gradients_stop_with_the_last_good_weights(tmp_path, monkeypatch):
    recipe = dataclasses.replace(
        SMALL, data=Cells(train=200, validation=2, test=1, size=(32, 32)), save_every=1000
    )
    prepare = UNetPlusPlus.prepare

    def poisoned(self, image, *, whole=True):
        x, placement = prepare(self, image, whole=whole)
        return (x if whole else np.full_like(x, np.nan)), placement

    monkeypatch.setattr(UNetPlusPlus, "prepare", poisoned)
    with pytest.raises(UserError, match="25 steps in a row"):
        train(recipe, tmp_path / "run", progress=QUIET)
    assert all(np.isfinite(array).all() for array in weights(open_run(tmp_path / "run")))


def test_start_from_a_run_with_other_classes(tmp_path):
    first = train(dataclasses.replace(SMALL, epochs=1), tmp_path / "run", progress=QUIET)
    family = dataclasses.replace(SMALL.family, classes=1)
    network = family.build()
    said = initialise(network, family, first)
    given = {v.path: keras.ops.convert_to_numpy(v) for v in first.network.weights}
    for variable in network.weights:
        if "head" not in variable.path:
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), given[variable.path])
    assert "head1" in said


@pytest.mark.slow
def test_start_from_a_run_of_another_network_is_refused(tmp_path):
    first = train(dataclasses.replace(SMALL, epochs=1), tmp_path / "run", progress=QUIET)
    for change, told in (
        ({"filters": (5, 9)}, r"family.filters=\[4, 8\]"),
        ({"order": "BGR"}, 'family.order="RGB"'),
    ):
        family = dataclasses.replace(SMALL.family, **change)
        with pytest.raises(UserError, match=told):
            initialise(family.build(), family, first)


@pytest.mark.slow
def test_remembered_seed_gives_the_same_training(tmp_path):
    first = train(SMALL, tmp_path / "a", progress=QUIET)
    second = train(SMALL, tmp_path / "b", progress=QUIET)
    other = train(dataclasses.replace(SMALL, seed=1), tmp_path / "c", progress=QUIET)
    assert log(first) == log(second) != log(other)


@pytest.mark.slow
def test_a_kill_before_the_first_step_keeps_the_weights_started_from(tmp_path, monkeypatch):
    first = train(dataclasses.replace(SMALL, epochs=1), tmp_path / "first", progress=QUIET)
    whole = train(SMALL, tmp_path / "whole", init=first, progress=QUIET)

    def killed(folder, state, variables):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module.resume, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(SMALL, tmp_path / "broken", init=first, progress=QUIET)
    broken = resume_training(tmp_path / "broken", progress=QUIET)
    assert log(broken) == log(whole)


@pytest.mark.slow
def test_accumulation_does_not_hurry_the_schedule(tmp_path):
    plain = train(dataclasses.replace(SMALL, batch_size=1), tmp_path / "a", progress=QUIET)
    accumulating = Optimizer(accumulate=4)
    slow = train(
        dataclasses.replace(SMALL, batch_size=1, optimizer=accumulating), tmp_path / "b", progress=QUIET
    )
    assert [row["learning_rate"] for row in log(slow)] == pytest.approx(
        [row["learning_rate"] for row in log(plain)]
    )
    assert log(plain)[0]["learning_rate"] > log(plain)[1]["learning_rate"] > 0


@pytest.mark.slow
def test_non_finite_gradients_stop_trainings_of_short_epochs_too(tmp_path):
    recipe = dataclasses.replace(SMALL, epochs=40, optimizer=Optimizer(name="sgd", learning_rate=1e38))
    with pytest.raises(UserError, match="25 steps in a row"):
        train(recipe, tmp_path / "run", progress=QUIET)


@pytest.mark.slow
def test_a_run_that_stopped_early_can_be_trained_longer(tmp_path):
    still = Optimizer(name="sgd", learning_rate=1e-12)
    run = train(
        dataclasses.replace(
            SMALL,
            family=dataclasses.replace(SMALL.family, norm=False),
            epochs=6,
            patience=1,
            optimizer=still,
        ),
        tmp_path / "run",
        progress=QUIET,
    )
    rows = len(log(run))
    assert rows < 6
    resume_training(run.folder, epochs=8, progress=QUIET)
    assert len(log(run)) > rows


def test_images_of_different_sizes_need_a_crop(tmp_path):
    from kerazoo.data.segmentation.folders import Folder
    from kerazoo.image import write_image

    for index, side in enumerate((32, 32, 40, 36)):
        write_image(tmp_path / "data" / "images" / f"{index}.png", np.zeros((side, side, 3), "uint8"))
        mask = np.zeros((side, side), "uint8")
        mask[:4] = 255
        write_image(tmp_path / "data" / "masks" / f"{index}.png", mask)
    family = dataclasses.replace(SMALL.family, classes=1)
    data = Folder(path=str(tmp_path / "data"))
    recipe = dataclasses.replace(SMALL, data=data, family=family, augmentation=Augmentation(), batch_size=3)
    with pytest.raises(UserError, match="augmentation.crop"):
        train(recipe, tmp_path / "run", progress=QUIET)
    assert not (tmp_path / "run").exists()
