"""The tiny recipes, from the command line to images; and what `list` and `show` print."""

import json

import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.families.reptile import Reptile
from kerazoo.files.recipes import is_tiny, recipe_files, twin_name
from kerazoo.recipe import load_recipe
from kerazoo.tasks.fewshot import FewShot
from kerazoo.tasks.segmentation import Segmentation
from kerazoo.tasks.verification import Verification
from tests.cli.runner import kerazoo

TINY = [name for name in recipe_files() if is_tiny(name)]


@pytest.mark.parametrize(
    "name",
    ["unetpp-tiny", *(pytest.param(name, marks=pytest.mark.slow) for name in TINY if name != "unetpp-tiny")],
)
def test_tiny_recipes_train_evaluate_and_predict(name, tmp_path):
    run = tmp_path / "run"
    printed = kerazoo("train", name, "--epochs", 2, "--output", run)
    for needed in (str(run), "kerazoo predict", "kerazoo evaluate", "kerazoo export"):
        assert needed in printed
    for file in ("recipe.json", "model.weights.h5", "log.jsonl", "metrics.json", "curves.png", "samples.png"):
        assert (run / file).stat().st_size > 0
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    family = load_recipe(name).family
    if not isinstance(family, Reptile):  # whose loss is a distance that need not fall
        assert rows[1]["loss"] < rows[0]["loss"]
    scores = json.loads(kerazoo("evaluate", run, "--json"))
    # Not bitwise: PyTorch's sums differ by 2e-7 between one thread and two, and MKL takes fewer on a
    # busy machine, so a pixel whose two best classes tie may flip.
    recipe = load_recipe(name)
    best = json.loads((run / "metrics.json").read_text())["best"]
    assert scores[recipe.score] == pytest.approx(best, abs=1e-4)
    if isinstance(family, FewShot):  # tests/cli/test_adapt.py goes on
        return
    tiles = ["--tile", 96] if isinstance(family, Segmentation) else []
    asked = [run / "samples.png", run / "curves.png"][: 2 if isinstance(family, Verification) else 1]
    kerazoo("predict", run, *asked, "--output", tmp_path / "p", *tiles)
    assert (tmp_path / "p" / f"{'_'.join(path.stem for path in asked)}_overlay.png").exists()


def test_every_recipe_has_a_tiny_twin():
    names = [name for name in recipe_files() if not is_tiny(name)]
    assert {twin_name(name, names) for name in names} == set(TINY)


def test_show():
    assert "family.filters=[3, 5]" in kerazoo("show", "unetpp", "--set", "family.filters=[3,5]").splitlines()
    assert json.loads(kerazoo("show", "unetpp", "--json"))["epochs"] > 1


@pytest.mark.slow
def test_fine_tuning_with_other_classes(tmp_path):
    kerazoo("train", "unetpp-tiny", "--epochs", 1, "--output", tmp_path / "a")
    printed = kerazoo(
        "train", "unetpp-tiny", "--epochs", 1, "--init", tmp_path / "a", "--output", tmp_path / "b",
        "--set", "family.losses.focal=1",
    )  # fmt: skip
    assert str(tmp_path / "b") in printed


@pytest.mark.slow
def test_training_longer_is_not_resuming(tmp_path):
    run = tmp_path / "run"
    kerazoo("train", "unetpp-tiny", "--epochs", 1, "--output", run)
    result = CliRunner().invoke(main, ["train", "--resume", str(run)])
    assert result.exit_code == 2
    assert "--epochs" in result.stderr
    kerazoo("train", "--resume", run, "--epochs", 2)
    assert len((run / "log.jsonl").read_text().splitlines()) == 2


def test_a_published_checkpoint_becomes_a_run_that_predicts(tmp_path):
    import numpy as np

    from kerazoo.run import open_run

    def conv(key, out, into, kernel):
        rng = np.random.default_rng(len(arrays))
        arrays[f"{key}.weight"] = rng.normal(0, 0.1, (out, into, kernel, kernel)).astype("float32")
        arrays[f"{key}.bias"] = np.zeros(out, "float32")

    arrays: dict = {}
    filters = (4, 8, 16)
    for i in range(3):
        for j in range(3 - i):
            into = (filters[i - 1] if i else 3) if j == 0 else j * filters[i] + filters[i + 1]
            for step, width in ((1, into), (2, filters[i])):
                conv(f"conv{i}_{j}.conv{step}", filters[i], width, 3)
                for part, value in {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}.items():
                    arrays[f"conv{i}_{j}.bn{step}.{part}"] = np.full(filters[i], value, "float32")
    conv("final1", 1, 4, 1)
    conv("final2", 1, 4, 1)
    np.savez(tmp_path / "nested.npz", **arrays)
    kerazoo("convert", "unetpp-tiny", tmp_path / "nested.npz", "--output", tmp_path / "run")
    family = open_run(tmp_path / "run").recipe.family
    assert (family.filters, family.classes, family.up) == (filters, 1, "bilinear_align_corners")
    kerazoo("train", "unetpp-tiny", "--epochs", 1, "--output", tmp_path / "other")
    kerazoo("predict", tmp_path / "run", tmp_path / "other" / "samples.png", "--output", tmp_path / "p")
    assert (tmp_path / "p" / "samples_mask.png").exists()
