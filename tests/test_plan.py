"""The plan: what the user set stays, budgets, the learning rate for the batch; from the command line, too."""

import json

import cv2
import numpy as np
import pytest

from kerazoo.engine.plan import (
    Asked,
    Budget,
    Plan,
    as_recipe,
    data_settings,
    is_given,
    plan_for,
    planned,
    read_budget,
)
from kerazoo.errors import UserError
from kerazoo.recipe import load_recipe
from kerazoo.structures.fingerprint import Decision
from tests.cli.runner import kerazoo, result_of
from tests.tasks.test_planning import CELLS


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("90s", Budget(seconds=90)),
        ("1.5m", Budget(seconds=90)),
        ("2h", Budget(seconds=7200)),
        ("steps:5000", Budget(steps=5000)),
    ],
)
def test_budgets(text, budget):
    assert read_budget(text) == budget


@pytest.mark.parametrize("text", ["", "30", "m", "0m", "-1m", "1d", "steps:0", "steps:1.5", "30 m"])
def test_no_budgets(text):
    with pytest.raises(UserError, match="is no time"):
        read_budget(text)


def test_what_the_user_set_stays_with_all_its_parts():
    assert is_given("family.mean", {"family.mean"})
    assert is_given("family.losses.dice", {"family.losses"})
    assert is_given("family.losses", {"family.losses.dice"})
    assert not is_given("family.mean", {"family.means", "family.me", "augmentation.crop"})
    recipe = load_recipe("unetpp")
    plan = planned(recipe, CELLS, {"family.mean", "batch_size"})
    assert plan.recipe.family.mean == recipe.family.mean
    assert plan.recipe.batch_size == recipe.batch_size
    assert {each.setting for each in plan.kept} == {"family.mean", "batch_size"}
    assert plan.recipe.family.std == (50.0, 1.0, 70.0)


def test_the_learning_rate_goes_with_the_root_of_the_batch():
    recipe = load_recipe("unetpp")
    plan = planned(recipe, CELLS, ())
    assert (recipe.batch_size, plan.recipe.batch_size) == (8, 2)
    assert plan.recipe.optimizer.learning_rate == pytest.approx(recipe.optimizer.learning_rate / 2)
    assert planned(recipe, CELLS, {"optimizer"}).recipe.optimizer == recipe.optimizer


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for number in range(10):
        mask = np.zeros((70, 90), "uint8")
        mask[20:40, 10 + number : 50] = 1
        image = (mask[..., None] * 100 + rng.integers(0, 20, (70, 90, 3))).astype("uint8")
        cv2.imwrite(str(tmp_path / "data/images" / f"{number}.png"), image)
        cv2.imwrite(str(tmp_path / "data/masks" / f"{number}.png"), mask)
    return tmp_path / "data"


def test_steps_become_epochs_and_the_plan_is_the_same_twice(folder):
    small = ("family.filters=[4,8]", "augmentation.crop=[32,32]")
    asked = Asked(small, str(folder))
    plan, known = plan_for("unetpp", asked, Budget(steps=40))
    assert known.splits == {"train": 8, "val": 2, "test": 0}
    assert plan.recipe.batch_size == 4  # half of the eight to train on
    assert (plan.recipe.epochs, plan.recipe.validate_every) == (20, 2)
    assert plan.recipe.schedule.warmup == pytest.approx(0.6)
    again, _ = plan_for("unetpp", asked, Budget(steps=40))
    assert again.recipe == plan.recipe
    assert plan.minutes > 0


def test_the_command_writes_a_recipe_that_trains_the_same(folder, tmp_path):
    file = tmp_path / "mine.py"
    small = ["--set", "family.filters=[4,8]", "--set", "augmentation.crop=[32,32]"]
    printed = kerazoo(
        "plan", "unetpp", "--data", folder, "--budget", "steps:4", "--write", file, *small, "--json"
    )
    decided = {each["setting"]: each["value"] for each in json.loads(printed)["decisions"]}
    assert decided["epochs"] == 2
    written = load_recipe(str(file))
    assert (written.epochs, written.batch_size) == (2, decided["batch_size"])
    assert list(written.family.mean) == decided["family.mean"]
    assert (written.family.filters, written.augmentation.crop) == ((4, 8), (32, 32))  # the user's own
    run = tmp_path / "run"
    trained = result_of("train", "unetpp", "--data", folder, "--budget", "steps:4", "--output", run, *small)
    assert "4 steps, 2 in an epoch" in trained.stderr
    kept = json.loads((run / "plan.json").read_text())["decisions"]
    assert {each["setting"]: each["value"] for each in kept}["epochs"] == 2
    assert json.loads((run / "fingerprint.json").read_text())["heights"]["median"] == 70
    assert json.loads((run / "recipe.json").read_text())["epochs"] == 2


def test_a_written_recipe_is_the_planned_one(folder, tmp_path):
    plan = planned(load_recipe("unetpp"), CELLS, ())
    (tmp_path / "mine.py").write_text(as_recipe(plan, "unetpp", {}))
    assert load_recipe(str(tmp_path / "mine.py")) == plan.recipe


def test_built_in_data_have_no_plan(tmp_path):
    result = result_of("train", "unetpp-tiny", "--plan", "on", "--output", tmp_path / "run")
    assert result.exit_code == 2
    assert "--data" in result.stderr


def test_settings_of_the_data_are_for_the_command():
    plan = Plan(load_recipe("cyclegan"), (Decision("data.size", (72, 72), "small"),), ())
    assert "data." not in as_recipe(plan, "cyclegan", {"data.void": 1})
    assert data_settings(plan, ["data.void=1", "epochs=3"]) == ["data.void=1", "data.size=[72,72]"]


def test_data_that_are_broken_are_told(folder):
    (folder / "images" / "3.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"3\.png"):
        plan_for("unetpp", Asked(data=str(folder)), Budget(steps=4))
