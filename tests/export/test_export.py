"""Artefacts: from any backend, of any family, equal to what prediction computes."""

import dataclasses
import importlib.util
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo import backend as backends
from kerazoo.cli import main
from kerazoo.data.generated.sources import Cells
from kerazoo.engine.export import export, report, summary
from kerazoo.engine.export.formats import NEEDS
from kerazoo.engine.export.verify import tolerance
from kerazoo.errors import UserError
from kerazoo.recipe import Recipe
from kerazoo.run import Run, create_run, open_run
from kerazoo.tasks.classification import Classification
from kerazoo.tasks.detection import Detection
from kerazoo.tasks.fewshot import FewShot
from kerazoo.tasks.pose import Pose
from kerazoo.tasks.verification import Verification
from tests.tiny import DEEP, TINY

EMBEDDINGS = {name for name, family in TINY.items() if isinstance(family, (FewShot, Verification))}
OBJECTS = {name for name, family in TINY.items() if isinstance(family, Detection)}
KEY_POINTS = {name for name, family in TINY.items() if isinstance(family, Pose)}
WITHOUT_PROBABILITIES = {"cyclegan", *KEY_POINTS, *OBJECTS, *EMBEDDINGS}  # tests of their own
FAMILIES = {name: family for name, family in TINY.items() if name not in WITHOUT_PROBABILITIES} | {
    "unetpp-fast": dataclasses.replace(TINY["unetpp"], mode="fast", level=1),
    "unetpp-bilinear": dataclasses.replace(TINY["unetpp"], up="bilinear_align_corners", classes=4),
    "unet-grey": dataclasses.replace(TINY["unet"], channels=1, mean=(100.0,)),
    "resnet-cifar-bgr": dataclasses.replace(
        TINY["resnet-cifar"], order="BGR", mean=(104.0, 117.0, 123.0), std=(64.0,)
    ),
    "fcn-fixed-bgr": dataclasses.replace(
        TINY["fcn"], upsampling="fixed", order="BGR", mean=(104.0, 117.0, 123.0), std=(64.0,)
    ),
}

missing = {name for names in NEEDS.values() for name in names if not importlib.util.find_spec(name)}
needs_packages = pytest.mark.skipif(bool(missing), reason=f"export needs {', '.join(sorted(missing))}")


def on_tensorflow(test):
    """Skip a test where the export would be a process of its own, or cannot be done at all."""
    elsewhere = pytest.mark.skipif(
        backends.name() != "tensorflow", reason="needs TensorFlow to be the backend"
    )
    return needs_packages(elsewhere(test))


def made_run(family, folder, gain=1.5) -> Run:
    """Return a run with random weights: fresh ones would score zero in FCN, normalise by 1 in batch norm."""
    network = family.build()
    random = np.random.default_rng(1)
    for variable in network.weights:
        spread = gain / np.sqrt(max(np.prod(variable.shape[:-1]), 1))
        value = random.normal(0, spread, variable.shape)
        positive = "variance" in variable.path or "gamma" in variable.path
        variable.assign(random.uniform(0.5, 1.5, variable.shape) if positive else value)
    return create_run(Recipe(family=family, data=Cells()), folder, network)


def random_run(name, folder) -> Run:
    deep = name in (*DEEP, "unet-encoder")
    return made_run(FAMILIES[name], folder, gain=1.0 if deep else 1.5)  # or logits reach hundreds


@pytest.fixture
def run(tmp_path) -> Run:
    return made_run(TINY["unetpp"], tmp_path / "cells-20260101-000000")


def predicted(run: Run, image: np.ndarray) -> np.ndarray:
    """Return the probabilities that `kerazoo predict` computes for one image."""
    family, forward = run.recipe.family, backends.forward(run.deployed)
    if isinstance(family, Classification):  # the exported graph resizes nothing
        fitting = dataclasses.replace(family, size=image.shape[:2], crop_pct=1.0)
        return next(fitting.infer(forward, [image])).probabilities
    x, placement = family.prepare(image)
    outputs = forward(x[None])
    return family.probabilities({name: value[0] for name, value in outputs.items()}, placement)


def served(run: Run, image: np.ndarray) -> np.ndarray:
    """Return the same, from the model that is exported."""
    channels = run.recipe.family.channels
    x = image if channels == 3 else (image @ np.float32([0.299, 0.587, 0.114]))[..., None]
    model = run.recipe.family.serving(run.deployed)
    return keras.ops.convert_to_numpy(model({"image": x[None].astype("float32")})["probabilities"])[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_served_model_is_what_prediction_computes(name, tmp_path):
    run = random_run(name, tmp_path / "run")
    image = np.random.default_rng(2).integers(0, 256, (45, 70, 3), "uint8")
    expected = predicted(run, image)
    assert expected.std() > 1e-3  # or the comparison would prove nothing
    np.testing.assert_allclose(served(run, image), expected, rtol=0, atol=2e-6)


@on_tensorflow
def test_a_network_of_one_size_is_exported_with_it(tmp_path):
    family = dataclasses.replace(TINY["conv4"], features="flatten", size=(40, 32))
    known = report(export(made_run(family, tmp_path / "run"), "onnx"))
    assert known["sizes"] == ["40x32"]
    assert known["inputs"] == {"image": [None, 40, 32, 3]}


@on_tensorflow
def test_prototypes_are_exported_as_embeddings_of_any_size(tmp_path):
    known = report(export(made_run(TINY["protonet"], tmp_path / "run"), "onnx"))
    assert list(known["outputs"]) == ["embedding"]
    assert known["inputs"] == {"image": [None, None, None, 1]}


KINDS = ["savedmodel", "onnx", "litert", "keras"]
WHOLLY = ("unetpp", "resnet-cifar")
SAVEDMODEL_ONLY = ("hrnet-cls", "unetpp-fast", "unet-grey", "resnet-cifar-bgr")
"""Whose operations are those of others: hrnet, unetpp, unet and resnet-cifar are exported in every format."""
QUICK = [
    (name, kind) for name in TINY if name not in DEEP for kind in (KINDS if name in WHOLLY else ["onnx"])
]


@on_tensorflow
@pytest.mark.parametrize("kind", ["savedmodel", "onnx"])
def test_a_translator_in_either_direction(kind, tmp_path):
    family = dataclasses.replace(TINY["cyclegan"], direction="BtoA")
    run = create_run(Recipe(family=family, data=Cells()), tmp_path / "run", family.build())
    image = np.random.default_rng(2).integers(0, 256, (45, 70, 3), "uint8")
    served = family.serving(run.deployed)({"image": image[None].astype("float32")})
    assert list(served) == ["BtoA"]
    expected = next(family.infer(backends.forward(run.deployed), [image])).images["BtoA"]
    found = keras.ops.convert_to_numpy(served["BtoA"])[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.51)  # `infer` rounds to whole levels
    assert report(export(run, kind))["largest_difference"] <= family.tolerance


@on_tensorflow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, marks=[] if (name, kind) in QUICK else pytest.mark.slow)
        for name in FAMILIES
        for kind in (KINDS if name not in SAVEDMODEL_ONLY else ["savedmodel"])
    ],
)
def test_every_family_in_every_format(name, kind, tmp_path):
    run = random_run(name, tmp_path / "run")
    path = export(run, kind)
    told = report(path)
    assert path.exists()
    assert told["format"] == kind
    assert told["largest_difference"] <= 1e-5
    assert told["sizes"] == ["97x131", "256x256"]
    assert [case["batch"] for case in told["differences"]] == [1, 2, 1, 2]
    assert told["classes"] == list(run.recipe.family.class_names())
    batch_and_pixels = [None] if isinstance(run.recipe.family, Classification) else [None, None, None]
    assert told["outputs"] == {"probabilities": [*batch_and_pixels, run.recipe.family.classes]}
    assert sorted(p.name for p in path.parent.glob(".*") if p.suffix != ".lock") == []


READ_OFF = {
    "openpose": {
        "peaks": [None, 18, 24, 3],
        "limbs": [None, 19, 24, 24],
        "heatmaps": [None, None, None, 19],
        "fields": [None, None, None, 38],
    },
    "hrnet-pose": {"keypoints": [None, 17, 3], "heatmaps": [None, 16, 16, 17]},
}


@on_tensorflow
@pytest.mark.parametrize("kind", ["savedmodel", "onnx"])
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in DEEP else ()) for name in sorted(KEY_POINTS)],
)
def test_key_points_come_out_with_the_maps_they_were_read_from(name, kind, tmp_path):
    told = report(export(made_run(TINY[name], tmp_path / "run", gain=0.6), kind))
    assert told["format"] == kind
    assert told["largest_difference"] <= 1e-5
    assert [case["batch"] for case in told["differences"]] == [1, 2, 1, 2]
    assert told["classes"] == list(TINY[name].class_names())
    assert told["outputs"] == READ_OFF[name]


@on_tensorflow
@pytest.mark.parametrize("kind", ["savedmodel", "onnx"])
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_objects_come_out_in_the_pixels_of_the_image(name, kind, tmp_path):
    told = report(export(made_run(TINY[name], tmp_path / "run", gain=0.8), kind))
    assert told["format"] == kind
    assert told["largest_difference"] <= 1e-5
    assert [case["batch"] for case in told["differences"]] == [1, 2, 1, 2]
    assert told["classes"] == list(TINY[name].class_names())
    top = TINY[name].top
    shapes = {"boxes": [None, top, 4], "scores": [None, top], "classes": [None, top], "count": [None]}
    assert told["outputs"] == shapes


@on_tensorflow
def test_savedmodel_is_laid_out_for_serving(run):
    import tensorflow as tf

    first, second = export(run, "savedmodel"), export(run, "savedmodel")
    assert first == run.folder / "export" / run.folder.name / "1"
    assert second == first.with_name("2")
    loaded = tf.saved_model.load(str(first))
    assert list(loaded.signatures) == ["serving_default"]
    signature = loaded.signatures["serving_default"]
    (_, inputs) = signature.structured_input_signature
    assert inputs["image"].shape.as_list() == [None, None, None, 3]
    assert {k: v.shape.as_list() for k, v in signature.structured_outputs.items()} == {
        "probabilities": [None, None, None, 1]
    }
    assert "docker run" in summary(first)
    assert report(first)["files"].keys() == report(second)["files"].keys() > {"saved_model.pb"}


@on_tensorflow
def test_onnx_names_its_inputs_and_outputs(run, tmp_path):
    import onnxruntime

    path = export(run, "onnx", tmp_path / "out")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    assert (image.name, image.shape) == ("image", ["batch", "height", "width", 3])
    assert [output.name for output in session.get_outputs()] == ["probabilities"]
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["class_names"]) == list(run.recipe.family.class_names())


@on_tensorflow
@pytest.mark.slow  # a fresh interpreter
@pytest.mark.parametrize(
    ("name", "output", "shape"),
    [
        ("unetpp", "probabilities", "(1, 33, 40, 1)"),
        ("openpose", "limbs", "(1, 19, 24, 24)"),
        ("hrnet-pose", "keypoints", "(1, 17, 3)"),
    ],
)
def test_keras_archive_opens_with_the_layers_alone(name, output, shape, tmp_path):
    path = export(made_run(TINY[name], tmp_path / "run", gain=0.6), "keras")
    code = f"""import kerazoo.layers, keras, numpy
model = keras.saving.load_model({str(path)!r}, compile=False)
print(model.predict({{"image": numpy.zeros((1, 33, 40, 3), "float32")}}, verbose=0)[{output!r}].shape)"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == shape


@on_tensorflow
def test_a_file_replaces_the_previous_one(run):
    accurate = export(run, "onnx")
    before = report(accurate)["files"][accurate.name]
    recipe = dataclasses.replace(run.recipe, family=FAMILIES["unetpp-fast"])
    assert export(Run(run.folder, recipe), "onnx") == accurate
    after = report(accurate)["files"][accurate.name]
    assert after["bytes"] < before["bytes"]
    assert accurate.stat().st_size == after["bytes"]
    assert report(accurate)["family"]["mode"] == "fast"


@on_tensorflow
def test_mixed_precision_stays_in_training(run):
    keras.config.set_dtype_policy("mixed_bfloat16")
    told = report(export(run, "onnx"))
    assert told["largest_difference"] <= 1e-5
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


FAULTS = {
    "off": lambda y: {"probabilities": y + np.float32(1e-3)},
    "shape": lambda y: {"probabilities": y[:, :1]},
    "name": lambda y: {"output_0": y},
    "nan": lambda y: {"probabilities": np.where(y == y.max(), np.nan, y)},
}


@on_tensorflow
@pytest.mark.parametrize(("kind", "fault"), [("savedmodel", "off"), *(("keras", fault) for fault in FAULTS)])
def test_a_wrong_artefact_is_not_kept(run, monkeypatch, kind, fault):
    from kerazoo.engine.export import keras_archive, savedmodel

    module = {"savedmodel": savedmodel, "keras": keras_archive}[kind]
    good = module.forward

    def wrong(path):
        forward = good(path)
        return lambda images: FAULTS[fault](forward(images)["probabilities"])

    monkeypatch.setattr(module, "forward", wrong)
    with pytest.raises(UserError, match="differs from the Keras model|has the outputs"):
        export(run, kind)
    assert [path for path in (run.folder / "export").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("factor", "allowed"), [(1e-3, 1e-5), (1e3, 16 * 2**-23 * 1e3)])
def test_tolerance_grows_with_the_logits(factor, allowed):
    image = keras.Input((None, None, 3))
    network = keras.Model(image, {"logits": keras.ops.clip(image * 1e6, -factor, factor)})
    assert tolerance(TINY["unet"], network) == pytest.approx(allowed)


def test_unknown_format(run):
    with pytest.raises(UserError, match="unknown format 'tensorrt'; choose one of: savedmodel, onnx"):
        export(run, "tensorrt")


def test_missing_packages_are_named_with_their_remedy(run, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name))
    with pytest.raises(UserError, match=r"onnx needs .*tf2onnx.*; pip install 'kerazoo\[export\]'"):
        export(run, "onnx")


@on_tensorflow
def test_a_folder_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        export(run, "onnx", tmp_path / "file")


# --- in a process of its own ------------------------------------------------------------


@needs_packages
@pytest.mark.slow
@pytest.mark.parametrize(
    ("trained_on", "kind"), [("torch", "savedmodel"), ("torch", "litert"), ("jax", "onnx")]
)
def test_a_run_of_another_backend(trained_on, kind, tmp_path):
    if trained_on not in backends.installed():
        pytest.skip(f"{trained_on} is not installed")
    code = f"""
from pathlib import Path
from kerazoo.engine.export import export
from tests.export.test_export import FAMILIES, made_run
print(export(made_run(FAMILIES["unet-valid"], Path({str(tmp_path)!r}) / "cells-1"), {kind!r}))"""
    env = {"KERAS_BACKEND": trained_on, "PATH": "", "HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    (name,) = json.loads((tmp_path / "cells-1/export/export.json").read_text())
    assert report(tmp_path / "cells-1/export" / name)["largest_difference"] <= 1e-5
    assert open_run(tmp_path / "cells-1").read_json("environment.json")["backend"] == trained_on


@needs_packages
@pytest.mark.slow
def test_the_command(run, monkeypatch):
    monkeypatch.setattr(backends, "devices", lambda: ["gpu:0"])  # never in this process
    arguments = ["export", str(run.folder), "--set", "family.mode=fast", "--set", "family.level=2"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    path = run.folder / "export" / run.folder.name / "1"
    assert f"savedmodel {path}\nlargest difference from Keras" in result.output
    assert "tensorflow/serving" in result.output
    assert report(path)["family"] | {"mode": "fast", "level": 2} == report(path)["family"]

    told = CliRunner().invoke(main, [*arguments, "--format", "onnx", "--json"])
    assert json.loads(told.output)["path"] == str(run.folder / "export" / f"{run.folder.name}.onnx")


@needs_packages
@pytest.mark.slow
def test_errors_of_the_other_process_are_told_in_one_line(run, monkeypatch):
    monkeypatch.setattr(backends, "devices", lambda: ["gpu:0"])
    weights = run.folder / "model.weights.h5"
    shutil.copy(run.folder / "recipe.json", weights)
    with pytest.raises(UserError, match="model.weights.h5 is not what was written"):
        export(run, "savedmodel")


def test_nothing_is_imported_from_the_current_folder(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    from kerazoo.engine.export.worker import write_in_subprocess

    (tmp_path / "json.py").write_text("raise SystemExit('a stranger was executed')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not a run|missing|recipe"):
        write_in_subprocess(
            Run(tmp_path / "none", Recipe(family=TINY["unetpp"], data=Cells())),
            "savedmodel",
            tmp_path / "out",
        )
