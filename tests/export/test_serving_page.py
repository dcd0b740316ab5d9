"""The Python of docs/serving.md gives the answers of `kerazoo predict`."""

import dataclasses
import json
import re
import types
from pathlib import Path

import numpy as np
import pytest

from kerazoo.data.segmentation.mask_files import read_mask
from kerazoo.engine.export import export
from kerazoo.image import write_image
from tests.cli.test_predict import predicted, rows
from tests.export.test_export import made_run, on_tensorflow
from tests.tiny import TINY

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
FORMATS = {"savedmodel": "request.json", "onnx": "NAME.onnx", "litert": "NAME.tflite", "keras": "NAME.keras"}
FAMILIES = {
    "classes": dataclasses.replace(TINY["resnet-cifar"], size=(24, 32), interpolation="bicubic"),
    "masks": TINY["unetpp"],
    "grey": dataclasses.replace(TINY["unet"], channels=1, mean=(100.0,)),
}


def answered(kind):
    """Run the page's lines for a format in the present folder, and return the probabilities."""
    first, own = SNIPPETS[0], next(text for text in SNIPPETS[1:] if FORMATS[kind] in text)
    scope: dict = {}
    exec(first.replace("NAME.onnx", "NAME/1" if kind == "savedmodel" else FORMATS[kind]), scope)
    exec(own, scope)
    if kind == "savedmodel":  # a server is not at hand: what it would run, on what it would be sent
        import tensorflow as tf

        sent = np.array(json.loads(Path("request.json").read_text())["instances"], "float32")
        serve = tf.saved_model.load("NAME/1").signatures["serving_default"]
        return serve(image=tf.constant(sent))["probabilities"].numpy()[0], scope["names"]
    return scope["probabilities"][0], scope["names"]


@pytest.fixture
def _litert(monkeypatch):
    """Have TensorFlow's interpreter under the name of the package that it moves to."""
    import sys

    import tensorflow as tf

    module = types.ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = tf.lite.Interpreter
    monkeypatch.setitem(sys.modules, "ai_edge_litert", types.ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)


def test_every_snippet_is_asked():
    assert len(SNIPPETS) == 1 + len(FORMATS)


@on_tensorflow
@pytest.mark.usefixtures("_litert")
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("classes", kind) for kind in FORMATS),
        ("masks", "onnx"),
        *(pytest.param("masks", kind, marks=pytest.mark.slow) for kind in FORMATS if kind != "onnx"),
        pytest.param("grey", "onnx", marks=pytest.mark.slow),
    ],
)
def test_the_page_gives_the_answers_of_predict(name, kind, tmp_path, monkeypatch):
    run = made_run(FAMILIES[name], tmp_path / "NAME")
    write_image(tmp_path / "photo.png", np.random.default_rng(4).integers(0, 256, (70, 50, 3), "uint8"))
    export(run, kind, tmp_path)
    predicted(run.folder, tmp_path / "photo.png", "--output", tmp_path / "p")
    monkeypatch.chdir(tmp_path)
    probabilities, names = answered(kind)
    if name == "classes":
        (row,) = rows(tmp_path / "p")
        expected = [(each["class"], each["probability"]) for each in row["top"]]
        order = np.argsort(-probabilities)
        assert [names[label] for label in order] == [each for each, _ in expected]
        assert probabilities[order] == pytest.approx([share for _, share in expected], abs=2e-6)
    else:
        labels = probabilities.argmax(-1) if probabilities.shape[-1] > 1 else probabilities[..., 0] > 0.5
        assert np.array_equal(labels, read_mask(tmp_path / "p" / "photo_mask.png").pixels)
