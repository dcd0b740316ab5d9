"""Published weights from the command line: what becomes a run, and what does not."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from kerazoo.checkpoints.catalogue import KNOWN
from kerazoo.engine.training.initialise import initialise
from kerazoo.families.encoders import Encoder
from kerazoo.families.resnet import ResNet
from kerazoo.families.resnet.importer import TORCHVISION, table
from kerazoo.families.unet import UNet
from kerazoo.files.recipes import recipe_files
from kerazoo.run import open_run
from tests.cli.runner import kerazoo, result_of
from tests.serving import serving

RECIPE = """
from kerazoo.data.generated.sources import Shapes
from kerazoo.families.resnet import ResNet
from kerazoo.recipe import Recipe
recipe = Recipe(
    family=ResNet(depth=18, width=4, classes=10, size=(32, 32), mean=(123.675, 116.28, 103.53),
                  std=(58.395, 57.12, 57.375)),
    data=Shapes(train=8, validation=10, test=0), epochs=1, batch_size=4, monitor="accuracy",
)
"""


def refused(run, *arguments):
    """Expect exit code 2, one line and no run; return the line."""
    line = kerazoo(*arguments, code=2)
    assert not run.exists()
    assert not list(run.parent.glob(f".*{run.name}"))
    return line


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "small.py").write_text(RECIPE)
    return tmp_path / "small.py"


@pytest.fixture
def network():
    """A small ResNet with random weights and statistics."""
    network = ResNet(depth=18, width=4, classes=10).build()
    rng = np.random.default_rng(0)
    for variable in network.weights:
        variable.assign(rng.uniform(0.2, 0.5, variable.shape) * rng.choice([1, 1, 1, -0.5], variable.shape))
    for variable in network.weights:
        if "variance" in variable.path:
            variable.assign(keras.ops.abs(variable))
    return network


@pytest.fixture
def state(network):
    """That network as torchvision and timm name and lay it out."""
    values = {v.path: keras.ops.convert_to_numpy(v) for v in network.weights}
    found = {"bn1.num_batches_tracked": np.array(7)}
    for path, (key, _) in table(TORCHVISION, 18).items():
        array = values[path]
        array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
        found[key] = np.ascontiguousarray(array)
    return found


@pytest.fixture
def published(tmp_path, state):
    save_file(state, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def image(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (300, 260, 3)).astype("uint8")
    cv2.imwrite(str(tmp_path / "image.png"), image)
    return tmp_path / "image.png"


def same(run, network):
    x = np.random.default_rng(1).normal(size=(1, 64, 64, 3)).astype("float32")
    expected = network.predict_on_batch(x)["logits"]
    np.testing.assert_allclose(run.network.predict_on_batch(x)["logits"], expected, rtol=1e-6)


def top(output):
    row = json.loads((Path(output) / "predictions.jsonl").read_text())
    return [each["class"] for each in row["top"]]


# --- what becomes a run ------------------------------------------------------------------


def test_a_file_becomes_a_run_that_predicts_with_names(recipe, published, network, image, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(f"thing {i}" for i in range(10)) + "\n")
    options = ["--names", "names.txt", "--set", "family.crop_pct=0.95", "--set", "data.validation=20"]
    kerazoo("convert", recipe, published, "--output", "run", *options)
    run = open_run("run")
    same(run, network)
    family = run.recipe.family
    assert (family.class_names()[7], family.crop_pct, family.size) == ("thing 7", 0.95, (224, 224))
    assert (family.mean, family.order) == ((123.675, 116.28, 103.53), "RGB")
    assert (run.recipe.weights, run.recipe.data.validation) == (str(published), 20)
    kerazoo("predict", "run", image, "--output", "p")
    assert set(top("p")) <= {f"thing {i}" for i in range(10)}
    scores = json.loads(kerazoo("evaluate", "run", "--json"))
    assert scores["images"] == 20


def test_an_address_after_a_transfer_that_broke_off(recipe, state, network, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch files need PyTorch")
    (tmp_path / "served").mkdir()
    file = tmp_path / "served" / "resnet18.pth"
    torch.save({"state_dict": {f"module.{k}": torch.tensor(v) for k, v in state.items()}}, file)
    size = file.stat().st_size
    run = tmp_path / "run"
    with serving(file.parent) as server:
        address = f"{server.address}/resnet18.pth#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}"
        server.break_after = [size // 2]
        line = refused(run, "convert", recipe, address, "--output", run)
        assert "what arrived is kept" in line
        wrong = address[:-1] + ("0" if address[-1] != "0" else "1")
        assert "has the sha256" in refused(run, "convert", recipe, wrong, "--output", run)
        kerazoo("convert", recipe, address, "--output", run)
        assert [first for _, first, _ in server.sent] == [0, 0, size // 2]
    same(open_run(run), network)
    kerazoo("convert", recipe, address, "--output", tmp_path / "offline")


@pytest.mark.slow
def test_a_file_on_the_hub(recipe, published, network, tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [str(Path(sys.executable).with_name("kerazoo")), "convert", str(recipe)]
    command += ["hf://timm/tiny/model.safetensors", "--output"]
    with serving(published.parent) as server:
        environment["HF_ENDPOINT"] = server.address
        subprocess.run([*command, "run"], env=environment, check=True, timeout=300)
    same(open_run("run"), network)
    subprocess.run([*command, "offline"], env=environment | {"HF_HUB_OFFLINE": "1"}, check=True, timeout=300)


def test_a_recipe_without_a_run_predicts_with_its_weights(recipe, published, image, cache):
    assert "no run under runs/" in kerazoo("predict", recipe, image, code=2)
    kerazoo("predict", recipe, image, "--weights", published, "--output", "a")
    (run,) = cache.glob("runs/*/small")
    made = (run / "recipe.json").stat().st_mtime_ns
    recipe.write_text(RECIPE.replace("epochs=1", f"epochs=1, weights={str(published)!r}"))
    assert json.loads(kerazoo("evaluate", recipe, "--json"))["images"] == 10
    assert len(list(cache.glob("runs/*/small"))) == 2  # another recipe
    recipe.write_text(RECIPE)
    kerazoo("predict", recipe, image, "--weights", published, "--output", "b")
    assert top("a") == top("b")
    assert (run / "recipe.json").stat().st_mtime_ns == made


def test_a_run_comes_before_published_weights(recipe, published, image):
    recipe.write_text(RECIPE.replace("epochs=1", "epochs=1, weights='gone.safetensors'"))
    assert "gone.safetensors" in kerazoo("predict", recipe, image, code=2)
    kerazoo("convert", recipe, published, "--output", "runs/small-20260101-000000")
    kerazoo("predict", recipe, image)


@pytest.mark.slow
def test_a_recipe_without_a_run_is_exported(recipe, published):
    pytest.importorskip("tensorflow")
    recipe.write_text(RECIPE.replace("epochs=1", f"epochs=1, weights={str(published)!r}"))
    told = json.loads(kerazoo("export", recipe, "--output", "exported", "--json"))
    assert told["largest_difference"] <= told["tolerance"]
    assert Path(told["path"]).relative_to("exported").parts == ("small", "1")


def test_training_starts_from_published_weights(recipe, published, network, tmp_path):
    told = result_of(
        "train",
        recipe,
        "--weights",
        published,
        "--output",
        "run",
        "--set",
        "optimizer.learning_rate=1e-30",
        code=0,
    )
    assert f"weights from {published}\n" in told.stderr
    kernel = keras.ops.convert_to_numpy(network.get_layer("stem").kernel)
    trained = keras.ops.convert_to_numpy(open_run("run").network.get_layer("stem").kernel)
    np.testing.assert_allclose(trained, kernel, rtol=1e-6)
    assert open_run("run").recipe.weights == str(published)
    line = refused(tmp_path / "other", "train", recipe, "--weights", published, "--output", "other",
                   "--set", "family.depth=34")  # fmt: skip
    assert "were trained with family.depth=18" in line
    line = refused(
        tmp_path / "other", "train", recipe, "--weights", published, "--init", "run", "--output", "other"
    )
    assert "--init and --weights" in line


@pytest.mark.parametrize("channels", [3, 1])
def test_an_encoder_starts_from_a_classifier(published, network, channels):
    family = UNet(
        channels=channels, encoder=Encoder(name="resnet18", width=4), filters=(4, 4, 8, 8, 8), norm=True
    )
    unet = family.build()
    said = initialise(unet, family, str(published))
    assert "new: head, merge1_conv1" in said
    ours = keras.ops.convert_to_numpy(unet.get_layer("stem").kernel)
    theirs = keras.ops.convert_to_numpy(network.get_layer("stem").kernel)
    np.testing.assert_allclose(
        ours, theirs if channels == 3 else theirs.sum(axis=2, keepdims=True), rtol=1e-6
    )
    deep = "stage4_unit2_conv2_bn"
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(unet.get_layer(deep).moving_variance),
        keras.ops.convert_to_numpy(network.get_layer(deep).moving_variance),
    )


def test_of_two_networks_one_is_named_and_what_is_left_out_is_told(recipe, state, network, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch files need PyTorch")
    lightning = {f"model.{key}": torch.tensor(value) for key, value in state.items()}
    lightning |= {"criterion.weight": torch.ones(10), "val_acc.tp": torch.zeros(10)}
    other = {key: torch.zeros_like(value) for key, value in lightning.items()}
    torch.save({"one": {"net": lightning}, "two": {"net": other}, "best": np.float64(0.5)}, "a.ckpt")
    line = refused(tmp_path / "run", "convert", recipe, "a.ckpt", "--output", "run")
    assert "a.ckpt: the checkpoint holds several networks: one:net:model, two:net:model; choose one" in line
    told = result_of("convert", recipe, "a.ckpt", "--part", "one", "--output", "run", code=0).stderr
    assert "left out: one:net:criterion.weight, one:net:val_acc.tp\n" in told
    same(open_run("run"), network)


# --- what does not ----------------------------------------------------------------------


class Command:
    """A pickle that runs a command when loaded carelessly."""

    def __reduce__(self):
        return os.system, ("touch executed",)


def hostile(kind, state, path):
    torch = pytest.importorskip("torch", reason="PyTorch files need PyTorch")
    tensors = {key: torch.tensor(value) for key, value in state.items()}
    if kind == "lacks keys":
        del tensors["layer2.1.bn1.weight"]
    elif kind == "swapped shapes":
        tensors["layer2.0.conv1.weight"] = tensors["layer2.0.conv1.weight"].transpose(0, 1).contiguous()
    elif kind == "code":
        tensors["evil"] = Command()
    elif kind == "inflated":
        tensors["fc.weight"] = torch.ones(1).expand(10**9, 10**3)
    torch.save(torch.nn.Linear(2, 2) if kind == "a module" else tensors, path)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if kind == "bare code":
        path.write_bytes(__import__("pickle").dumps(Command(), protocol=2))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("code", "none was loaded or executed"),
        ("bare code", "none was loaded or executed"),
        ("a module", "save model.state_dict()"),
        ("cut", "damaged"),
        ("inflated", "claims more values than are stored"),
        ("lacks keys", "1 missing (layer2.1.bn1.weight)"),
        ("swapped shapes", "1 of another shape (stage2_unit1_conv1/kernel (3, 3, 4, 8) not (3, 3, 8, 4))"),
    ],
)
def test_hostile_files(kind, told, recipe, state, image, tmp_path, cache):
    hostile(kind, state, tmp_path / "evil.pth")
    line = refused(tmp_path / "run", "convert", recipe, "evil.pth", "--output", "run")
    assert "evil.pth" in line
    assert told in line
    kerazoo("predict", recipe, image, "--weights", "evil.pth", code=2)
    assert not list(cache.glob("runs/*/*"))
    assert not (tmp_path / "executed").exists()


def test_wrong_options(recipe, published, tmp_path):
    (tmp_path / "names.txt").write_text("one\ntwo\n")
    (tmp_path / "gap.txt").write_text("one\n\ntwo\n")
    for options, told in (
        (["--names", "names.txt"], "family: 2 names for 10 classes"),
        (["--names", "gap.txt"], "gap.txt: line 2 is empty"),
        (["--names", "none.txt"], "none.txt: no such file"),
        (["--part", "netG"], "has no part 'netG'; it has bn1, conv1, fc, layer1 and 3 more"),
        (["--layout", "torchvison"], "did you mean 'torchvision'"),
        (["--layout", "timm-resnetv2"], "not in the layout timm-resnetv2"),
        (["--set", "family.depth=34"], "missing"),
    ):
        line = refused(tmp_path / "run", "convert", recipe, published, "--output", "run", *options)
        assert told in line
    assert "hf://nowhere" in refused(tmp_path / "run", "convert", recipe, "hf://nowhere", "--output", "run")
    assert "no such run" in kerazoo("evaluate", "runs/none", code=2)


# --- the list ---------------------------------------------------------------------------


def test_known_weights_are_listed():
    table = kerazoo("checkpoints", "resnet50")
    line = next(line for line in table.splitlines() if "resnet50.tv_in1k" in line)
    assert " ".join(line.split()) == (
        "hf://timm/resnet50.tv_in1k/model.safetensors 102 ImageNet top-1 % 76.130 torchvision, bsd-3-clause"
    )
    assert "--set family.crop_pct=0.965" in table
    assert "parity fixtures" in table
    rows = json.loads(kerazoo("checkpoints", "--json"))
    assert len(rows) == len(KNOWN)
    assert "did you mean 'resnet50'" in kerazoo("checkpoints", "resnet5", code=2)


def test_known_weights_are_for_recipes_there_are():
    assert {each.recipe for each in KNOWN} <= set(recipe_files())
