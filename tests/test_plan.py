"""The plan: what the user set stays, budgets, the learning rate for the batch; from the command line, too."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from kerazoo.engine import plan as planning
from kerazoo.engine.plan import Asked, Plan, is_given, plan_for, planned
from kerazoo.engine.plan.budget import Budget, length, minutes, read_budget, validations
from kerazoo.engine.plan.written import data_settings, recipe_text
from kerazoo.engine.training import memory
from kerazoo.engine.training.dry_run import Estimate
from kerazoo.errors import UserError
from kerazoo.recipe import load_recipe
from kerazoo.run import create_run
from kerazoo.settings import replace
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
    assert (recipe.batch_size, plan.recipe.batch_size) == (8, 10)
    assert plan.recipe.optimizer.learning_rate == pytest.approx(
        recipe.optimizer.learning_rate * 1.25**0.5, abs=1e-5
    )
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
    small = ("family.filters=[4,8]", "augmentation.crop=[32,32]", "batch_size=4")
    asked = Asked(small, str(folder))
    plan, known = plan_for("unetpp", asked, Budget(steps=40))
    assert known.splits == {"train": 8, "val": 2, "test": 0}
    assert (plan.recipe.epochs, plan.recipe.validate_every) == (20, 2)
    assert plan.recipe.schedule.warmup == pytest.approx(0.6)
    again, _ = plan_for("unetpp", asked, Budget(steps=40))
    assert again.recipe == plan.recipe
    assert plan.minutes > 0


def test_the_command_writes_a_recipe_that_trains_the_same(folder, tmp_path):
    file = tmp_path / "mine.py"
    small = ["--set", "family.filters=[4,8]", "--set", "augmentation.crop=[32,32]", "--set", "batch_size=4"]
    printed = kerazoo(
        "plan", "unetpp", "--data", folder, "--budget", "steps:4", "--write", file, *small, "--json"
    )
    decided = {each["setting"]: each["value"] for each in json.loads(printed)["decisions"]}
    assert decided["epochs"] == 2
    written = load_recipe(str(file))
    assert (written.epochs, written.batch_size) == (2, 4)
    assert list(written.family.mean) == decided["family.mean"]
    assert (written.family.filters, written.augmentation.crop) == ((4, 8), (32, 32))  # the user's own
    run = tmp_path / "run"
    trained = result_of("train", "unetpp", "--data", folder, "--budget", "steps:4", "--output", run, *small)
    assert "4 steps, an epoch has 2" in trained.stderr
    kept = json.loads((run / "plan.json").read_text())["decisions"]
    assert {each["setting"]: each["value"] for each in kept}["epochs"] == 2
    assert json.loads((run / "fingerprint.json").read_text())["heights"]["median"] == 70
    assert json.loads((run / "recipe.json").read_text())["epochs"] == 2


def test_a_written_recipe_is_the_planned_one(folder, tmp_path):
    plan = planned(load_recipe("unetpp"), CELLS, ())
    (tmp_path / "mine.py").write_text(recipe_text(plan, "unetpp", {}))
    assert load_recipe(str(tmp_path / "mine.py")) == plan.recipe


def test_a_run_s_weights_bring_what_they_go_with(folder, tmp_path):
    small = ("epochs=1", "family.filters=[4,8]", "augmentation.crop=[32,32]")
    recipe = replace(load_recipe("unetpp"), {"family.mean": (7.0,), "family.filters": (4, 8)})
    start = create_run(recipe, tmp_path / "start", recipe.family.build())
    plan, _ = plan_for("unetpp", Asked(small, str(folder)), init=start)
    assert plan.recipe.family.mean == (7.0,)
    assert plan.recipe.family.std == recipe.family.std
    kerazoo("train", "unetpp", "--data", folder, "--init", tmp_path / "start", "--epochs", 1,
            "--set", "augmentation.crop=[32,32]", "--output", tmp_path / "run")  # fmt: skip
    kept = json.loads((tmp_path / "run/recipe.json").read_text())["family"]
    assert (kept["mean"], kept["filters"]) == ([7.0], [4, 8])


def test_built_in_data_have_no_plan(tmp_path):
    result = result_of("train", "unetpp-tiny", "--plan", "on", "--output", tmp_path / "run")
    assert result.exit_code == 2
    assert "--data" in result.stderr


def test_settings_of_the_data_are_for_the_command():
    plan = Plan(load_recipe("cyclegan"), (Decision("data.size", (72, 72), "small"),), ())
    assert "data." not in recipe_text(plan, "cyclegan", {"data.void": 1})
    assert data_settings(plan, ["data.void=1", "epochs=3"]) == ["data.void=1", "data.size=[72,72]"]


def test_dark_images_of_sixteen_bits_are_brightened(folder):
    for path in (folder / "images").iterdir():
        deep = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype("uint16") * 8
        cv2.imwrite(str(path), deep)
    assert cv2.imread(str(folder / "images/3.png"), cv2.IMREAD_UNCHANGED).max() < 1024
    plan, known = plan_for("unetpp", Asked(("epochs=1",), str(folder)))
    assert plan.decisions[0][:2] == ("data.range", (0.0, 1023.0))
    assert plan.recipe.data.range == (0.0, 1023.0)
    assert known.range[1] > 200
    assert data_settings(plan, []) == ["data.range=[0.0,1023.0]"]
    theirs, known = plan_for("unetpp", Asked(("epochs=1", "data.range=[0,4095]"), str(folder)))
    assert theirs.recipe.data.range == (0.0, 4095.0)
    assert known.range[1] < 70


def test_data_that_are_broken_are_told(folder):
    (folder / "images" / "3.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"3\.png"):
        plan_for("unetpp", Asked(data=str(folder)), Budget(steps=4))


ESTIMATE = Estimate(
    images={"train": 80, "val": 20},
    batch=(8, 64, 64, 3),
    parameters=1,
    memory={},
    epochs=2,
    steps=20,
    timed_steps=5,
    step_seconds=0.5,
    first_step_seconds=10.0,
    timed_images=4,
    validation_seconds=30.0,
    validations=1,
    minutes=1.0,
)
"""Ten steps of half a second make an epoch."""


def settings_for(budget, **options):
    recipe = load_recipe("unetpp")  # batches of 8: ten steps in a pass
    decisions = length(ESTIMATE, budget, recipe, **options)
    return {decision.setting: decision.value for decision in decisions}


def test_the_length_follows_from_what_a_step_takes():
    # 85 % of 600 s are 510 s, without the first step 500: 1,000 steps, which are 100 passes.
    assert settings_for(Budget(seconds=600)) == {"passes": 5, "epochs": 20}
    assert settings_for(Budget(seconds=600), passes=1) == {"epochs": 100}
    assert settings_for(Budget(steps=240)) == {
        "passes": 2,
        "epochs": 12,
    }  # enough epochs to be validated after
    assert settings_for(Budget(steps=30)) == {"epochs": 3}
    assert settings_for(Budget(seconds=1)) == {"epochs": 1}
    assert settings_for(Budget(seconds=60)) == {"epochs": 4}  # 20 s but for the first step and a validation
    assert settings_for(Budget(seconds=10**9)) == {"passes": 5, "epochs": 100}
    assert settings_for(Budget(seconds=10**9), windows=4) == {"passes": 5, "epochs": 400}


def test_validations_take_a_share_of_the_time():
    def told(budget, epochs):
        return {each.setting: each.value for each in validations(ESTIMATE, budget, epochs)}

    # 15 % of 600 s are three validations of 30 s.
    assert told(Budget(seconds=600), 20) == {"validate_every": 7, "schedule.warmup": 0.6}
    assert told(Budget(seconds=10), 20)["validate_every"] == 20
    assert told(Budget(steps=100), 24)["validate_every"] == 2
    assert told(Budget(steps=100), 5)["validate_every"] == 1
    recipe = replace(load_recipe("unetpp"), {"epochs": 20, "passes": 5, "validate_every": 7})
    assert minutes(ESTIMATE, recipe) == pytest.approx((10 + 20 * 50 * 0.5 + 3 * 30) / 60)


def test_a_batch_that_does_not_fit_is_halved_once(monkeypatch):
    seen = []

    def estimate(recipe):
        seen.append(recipe.batch_size)
        if recipe.batch_size > 4:
            raise memory.OutOfMemory(10**10)
        return ESTIMATE

    monkeypatch.setattr(planning, "estimate", estimate)
    recipe = replace(load_recipe("unetpp"), {"augmentation.crop": (192, 192)})  # eight are a step
    given = {"family", "augmentation", "optimizer.learning_rate"}
    plan = planned(recipe, dataclasses.replace(CELLS, splits={"train": 80}), given, Budget(steps=240))
    assert seen == [8, 4]
    assert (plan.recipe.batch_size, plan.recipe.optimizer.accumulate) == (4, 2)
    assert plan.recipe.optimizer.learning_rate == recipe.optimizer.learning_rate
    assert [d.value for d in plan.decisions if d.setting == "batch_size"] == [4]
    with pytest.raises(memory.OutOfMemory, match="about 10 GB.*--batch-size"):
        planned(recipe, CELLS, {*given, "batch_size"}, Budget(steps=240))


def test_free_memory_is_the_least_of_what_the_system_and_the_container_have(tmp_path):
    assert memory.free_memory(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:       9000 kB\nMemAvailable:       5000 kB\n")
    assert memory.free_memory(tmp_path) == 5000 * 1024
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    for name, text in (("max", "max\n"), ("current", "1000\n")):
        (tmp_path / f"sys/fs/cgroup/memory.{name}").write_text(text)
    assert memory.free_memory(tmp_path) == 5000 * 1024
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("3000\n")
    assert memory.free_memory(tmp_path) == 2000


def test_what_does_not_fit_is_refused_before_it_is_tried(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10)
    monkeypatch.setattr(memory.backend, "has_gpu", lambda: False)
    memory.require(10)
    with pytest.raises(memory.OutOfMemory):
        memory.require(11)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 17179869184 bytes.",
        "OOM when allocating tensor with shape[8,64,512,512]",
    ],
)
def test_what_backends_say_of_a_full_gpu(text):
    assert memory.is_exhausted(RuntimeError(text))
    assert not memory.is_exhausted(RuntimeError("shapes differ"))
