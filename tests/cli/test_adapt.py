"""`kerazoo adapt`: a few images become a classifier that predicts and is exported."""

import importlib.util
import json

import keras
import numpy as np
import pytest

from kerazoo.data.generated.sources import Glyphs
from kerazoo.families.maml import MAML
from kerazoo.families.protonet import ProtoNet
from kerazoo.families.reptile import Reptile
from kerazoo.image import read_image, write_image
from kerazoo.recipe import Recipe
from kerazoo.run import create_run, open_run
from tests.cli.runner import result_of

DATA = Glyphs(characters=(2, 2, 4), drawings=9)
FAMILIES = {
    "protonet": ProtoNet(filters=16),
    "maml": MAML(filters=16, features="flatten", inner_learning_rate=0.1, test_steps=10),
    "reptile": Reptile(filters=16, inner_learning_rate=0.1),
}


@pytest.fixture(scope="module", params=FAMILIES)
def adapted(request, tmp_path_factory):
    """A run that was never trained, shown five drawings of three characters; the other four are held out."""
    folder, family = tmp_path_factory.mktemp(request.param), FAMILIES[request.param]
    keras.utils.set_random_seed(0)
    create_run(Recipe(family=family, data=DATA, monitor="accuracy"), folder / "run", family.build())
    classes = DATA.classes("test")
    for label in range(3):
        for number in range(9):
            part = "support" if number < 5 else "held"
            image = classes.image(label, number).image
            large = image.repeat(3, axis=0).repeat(3, axis=1)
            write_image(folder / part / f"letter{label}" / f"{number}.png", large)
    result = result_of("adapt", folder / "run", "--support", folder / "support", "--output", folder / "run2")
    assert result.exit_code == 0, result.output
    assert "letter0, letter1, letter2" in result.stdout
    return folder


def test_held_out_images_are_told(adapted):
    """Random features tell these letters apart, too, but nobody would by chance: one in three is."""
    result = result_of("predict", adapted / "run2", adapted / "held", "--output", adapted / "p")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (adapted / "p" / "predictions.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    right = [row["top"][0]["class"] in row["image"] for row in rows]
    assert np.mean(right) >= 0.75
    assert open_run(adapted / "run2").recipe.family.names == ("letter0", "letter1", "letter2")


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("onnxruntime"), reason="needs onnxruntime")
def test_its_onnx_gives_the_same_answers(adapted):
    import onnxruntime

    result = result_of("export", adapted / "run2", "--format", "onnx", "--output", adapted / "e")
    assert result.exit_code == 0, result.output
    session = onnxruntime.InferenceSession(str(adapted / "e" / "run2.onnx"))
    run = open_run(adapted / "run2")
    for path in sorted((adapted / "held").rglob("*.png")):
        seen = run.recipe.family.centre(read_image(path)).mean(axis=-1, keepdims=True)
        found = session.run(None, {"image": seen[None].astype("float32")})[0]
        expected = next(
            run.recipe.family.infer(run.network.predict_on_batch, [read_image(path)])
        ).probabilities
        np.testing.assert_allclose(found[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--support", "nowhere", "--output", "x"], "does not exist"),
        (["--support", "support/letter0", "--output", "x"], "holds 0 class"),
        (["--support", "support", "--output", "run"], "exists already"),
    ],
)
def test_what_cannot_be_adapted_to_is_told(adapted, arguments, told, monkeypatch):
    monkeypatch.chdir(adapted)
    result = result_of("adapt", "run", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (adapted / "x").exists()


def test_other_runs_and_unadapted_ones_are_refused(adapted):
    result = result_of("adapt", adapted / "run2", "--support", adapted / "support", "--output", adapted / "x")
    assert result.exit_code == 2
    assert "does not adapt" in result.stderr
    result = result_of("predict", adapted / "run", adapted / "held", "--output", adapted / "q")
    assert result.exit_code == 2
    assert "kerazoo adapt" in result.stderr
    assert not (adapted / "q").exists()
