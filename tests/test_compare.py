"""The verb compare: whose differences are seen, and which only chance may have made."""

import json

import keras
import numpy as np
import pytest

from kerazoo import backend
from kerazoo.engine.compare import Comparison, compare, difference
from kerazoo.engine.evaluate import evaluate
from kerazoo.errors import UserError
from kerazoo.image import read_image
from kerazoo.recipe import load_recipe
from kerazoo.run import create_run
from kerazoo.settings import replace
from tests.cli.runner import kerazoo, result_of


def test_a_difference_is_seen_where_its_interval_leaves_zero_out():
    rng = np.random.default_rng(1)
    clear, chance = (
        difference(0.1 + 0.02 * rng.standard_normal(40)),
        difference(0.2 * rng.standard_normal(40)),
    )
    assert clear.low < clear.mean < clear.high
    assert clear.mean == pytest.approx(0.1, abs=0.01)
    # The interval of a mean is close to 1.96 deviations of the mean on either side.
    assert clear.high - clear.low == pytest.approx(2 * 1.96 * 0.02 / np.sqrt(40), rel=0.25)
    told = Comparison((), "iou", "val", (), (), (), (), np.zeros((0, 0)), smaller=False)
    assert [told.verdict(each) for each in (clear, chance, None)] == ["better", *["no difference seen"] * 2]
    assert told._replace(smaller=True).verdict(clear) == "worse"


def test_images_without_a_score_count_for_nothing():
    assert difference(np.array([np.nan, 0.5, np.nan, 0.5])) == (0.5, 0.5, 0.5, 2)
    assert difference(np.full(3, np.nan)) is None


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    recipe = replace(load_recipe("unetpp-tiny"), {"data.validation": 5})
    made = []
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        made.append(create_run(recipe, place / f"seed{seed}", recipe.family.build()))
    return made


def test_totals_are_those_of_evaluate_and_a_run_equals_itself(runs, tmp_path):
    found = compare([runs[0], runs[0], runs[1]], tmp_path / "out")
    assert found.totals[2] == pytest.approx(evaluate(runs[1])["mean_iou"])
    assert found.differences[0][:3] == (0, 0, 0)
    assert found.scores.shape == (3, 5)
    assert found.differences[1].mean == pytest.approx((found.scores[2] - found.scores[0]).mean())
    told = json.loads((tmp_path / "out/comparison.json").read_text())
    assert told["differences"][0]["verdict"] == "no difference seen"
    assert [each["scores"][1] for each in told["images"]] == pytest.approx(found.scores[1].tolist())
    assert read_image(tmp_path / "out/comparison.png").shape[1] > 5 * 200  # image, truth, three predictions


def test_the_command(runs, tmp_path):
    folders = [run.folder for run in runs]
    printed = kerazoo("compare", *folders, "--output", tmp_path / "out", "--backend", backend.name())
    assert "mean_iou" in printed
    assert str(tmp_path / "out" / "comparison.png") in printed
    again = result_of("compare", *folders, "--output", tmp_path / "out")
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)


def test_what_cannot_be_compared(runs, tmp_path):
    with pytest.raises(UserError, match="nothing to compare"):
        compare(runs[:1], tmp_path / "out")
    recipe = load_recipe("siamese-tiny")
    other = create_run(recipe, tmp_path / "other", recipe.family.build())
    with pytest.raises(UserError, match="other"):
        compare([runs[0], other], tmp_path / "out")
    assert not (tmp_path / "out").exists()
