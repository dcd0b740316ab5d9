"""Every mistake a user makes gets one line that names the file, exit code 2, and no run."""

import json
import os
import shutil
import struct
import subprocess
import zlib

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from tests.cli.runner import kerazoo

SMALL = ["--epochs", "1", "--batch-size", "2"]
SMALL += ["--set", "augmentation.crop=[32,32]", "--set", "family.filters=[2,4]"]


@pytest.fixture
def data(tmp_path):
    """A folder of five images with binary masks."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for index in range(5):
        mask = (rng.random((40, 48)) < 0.4).astype("uint8")
        image = (100 * mask + rng.integers(0, 50, mask.shape)).astype("uint8")
        cv2.imwrite(str(tmp_path / "data" / "images" / f"{index}.png"), image)
        cv2.imwrite(str(tmp_path / "data" / "masks" / f"{index}.png"), 255 * mask)
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path, data):
    """A finished run on that folder."""
    kerazoo("train", "unetpp-tiny", "--data", data, "--output", tmp_path / "run", *SMALL)
    return tmp_path / "run"


def complaint(*arguments):
    return kerazoo(*arguments, code=2)


def refused(data, tmp_path, *extra):
    """Train on `data`, expect a refusal without a run, and return the line."""
    line = complaint("train", "unetpp-tiny", "--data", data, "--output", tmp_path / "run", *SMALL, *extra)
    assert not (tmp_path / "run").exists()
    return line


def header(width, height):
    """A PNG that says it is this large and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def test_missing_folder(tmp_path):
    assert "nowhere" in refused(tmp_path / "nowhere", tmp_path)


def test_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(tmp_path / "empty", tmp_path)


def test_mask_without_image(data, tmp_path):
    (data / "images" / "3.png").unlink()
    assert "masks/3.png" in refused(data, tmp_path)


def test_image_without_mask(data, tmp_path):
    (data / "masks" / "3.png").unlink()
    assert "images/3.png" in refused(data, tmp_path)


def test_mask_of_another_size(data, tmp_path):
    cv2.imwrite(str(data / "masks" / "2.png"), np.zeros((40, 47), "uint8"))
    assert "2.png" in refused(data, tmp_path)


def test_mask_with_an_unknown_class(data, tmp_path):
    (data / "classes.json").write_text(
        json.dumps([{"name": "no", "value": 0}, {"name": "yes", "value": 255}])
    )
    cv2.imwrite(str(data / "masks" / "2.png"), np.full((40, 48), 7, "uint8"))
    line = refused(data, tmp_path)
    assert "masks/2.png" in line
    assert "7" in line


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("zero bytes", b""),
        ("a text file", b"hello, I am an image"),
        ("a bomb", header(50_000, 50_000)),
    ],
)
def test_what_is_no_image(name, content, data, tmp_path):
    (data / "images" / "2.png").write_bytes(content)
    assert "images/2.png" in refused(data, tmp_path)


def test_truncated_jpeg(data, tmp_path):
    image = cv2.imread(str(data / "images" / "2.png"))
    (data / "images" / "2.png").unlink()
    encoded = cv2.imencode(".jpg", image)[1].tobytes()
    (data / "images" / "2.jpg").write_bytes(encoded[: int(len(encoded) * 0.9)])
    assert "images/2.jpg" in refused(data, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--set", "family.filterz=[1]"], "did you mean 'family.filters'"),
        (["--set", "optimiser.rate=1"], "did you mean 'optimizer'"),
        (["--set", "epochs=many"], "epochs: input should be a valid integer"),
        (["--set", "family.classes=5"], "family: 2 names for 5 classes"),
        (["--set", "augmentation.crop=[32]"], "augmentation.crop"),
        (["--seed", "3000000000"], "seed: input should be less than"),
        (["--set", "monitor=miou"], "did you mean 'mean_iou'"),
        (["--set", "data.validation=0"], "no val samples"),
    ],
)
def test_settings(arguments, expected, data, tmp_path):
    assert expected in refused(data, tmp_path, *arguments)


def test_unknown_recipe(tmp_path):
    assert "did you mean 'unet'" in complaint("train", "umet", "--output", tmp_path / "run")


def test_window_a_valid_network_does_not_take(tmp_path):
    line = complaint(
        "train", "unet-valid-tiny", "--set", "augmentation.crop=[63,63]", "--output", tmp_path / "run"
    )
    assert "augmentation.crop" in line


def test_checkpoint_of_another_architecture(tmp_path):
    np.savez(
        tmp_path / "other.npz",
        **{"conv0_0.conv1.weight": np.zeros((4, 3, 3, 3), "float32"), "stem": np.zeros(3)},
    )
    line = complaint("convert", "unetpp-tiny", tmp_path / "other.npz", "--output", tmp_path / "run")
    assert "stem" in line or "conv0_0" in line
    assert not (tmp_path / "run").exists()


def test_checkpoint_in_no_known_layout(tmp_path):
    np.savez(tmp_path / "some.npz", a=np.zeros(3))
    line = complaint("convert", "unet-tiny", tmp_path / "some.npz", "--output", tmp_path / "run")
    assert "not in the layout smp: its keys are a" in line


def test_recipe_with_a_family_of_its_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import dataclasses\n"
        "from kerazoo.families.unetpp import UNetPlusPlus\n"
        "from kerazoo.recipe import load_recipe\n"
        "from kerazoo.settings import settings\n"
        "@settings\n"
        "class Mine(UNetPlusPlus):\n"
        "    pass\n"
        "recipe = dataclasses.replace(load_recipe('unetpp-tiny'), family=Mine(classes=3, filters=(2, 4)))\n"
    )
    line = complaint("train", tmp_path / "mine.py", "--output", tmp_path / "run")
    assert "module that can be imported" in line


def test_predictions_do_not_land_among_the_images(run, data):
    folder = data / "images"
    assert "choose another --output" in complaint("predict", run, folder, "--output", folder)


def test_not_a_run(tmp_path, data):
    assert str(data) in complaint("predict", data, data / "images", "--output", tmp_path / "p")


@pytest.mark.parametrize("damage", ["cut", "garbage", "gone"])
def test_damaged_weights(damage, run, data, tmp_path):
    weights = run / "model.weights.h5"
    content = weights.read_bytes()
    weights.unlink()
    if damage != "gone":
        weights.write_bytes(content[: len(content) // 2] if damage == "cut" else b"garbage" * 100)
    line = complaint("predict", run, data / "images", "--output", tmp_path / "p")
    assert "model.weights.h5" in line


def test_recipe_of_a_run_edited_by_hand(run, data, tmp_path):
    text = (run / "recipe.json").read_text()
    for broken, expected in (
        (text.replace("kerazoo.families.unetpp:UNetPlusPlus", "subprocess:Popen"), "outside kerazoo"),
        (text[: len(text) // 2], "is no JSON"),
        (text.replace('"epochs": 1', '"epochs": "x"'), "epochs"),
    ):
        (run / "recipe.json").write_text(broken)
        line = complaint("predict", run, data / "images", "--output", tmp_path / "p")
        assert "recipe.json" in line
        assert expected in line


def test_a_bad_image_stops_nothing(run, data, tmp_path):
    (data / "images" / "0.png").write_bytes(b"hello")
    line = complaint("predict", run, data / "images", "--output", tmp_path / "p")
    assert "images/0.png" in line
    rows = [json.loads(row) for row in (tmp_path / "p" / "predictions.jsonl").read_text().splitlines()]
    assert len(rows) == 5
    assert sum("error" in row for row in rows) == 1
    assert len(list((tmp_path / "p").glob("*_mask.png"))) == 4


def test_output_that_cannot_be_written(data, tmp_path):
    (tmp_path / "file").write_text("in the way")
    line = complaint("train", "unetpp-tiny", "--data", data, "--output", tmp_path / "file" / "run", *SMALL)
    assert "file/run" in line


def test_run_that_exists(run, data, tmp_path):
    assert "exists already" in complaint("train", "unetpp-tiny", "--data", data, "--output", run, *SMALL)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting needs root")
@pytest.mark.parametrize("options", ["size=60k", "size=200k", "ro"])
def test_full_and_read_only_disks(options, data, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        line = complaint("train", "unetpp-tiny", "--data", data, "--output", disk / "run", *SMALL[:4])
        assert str(disk) in line
        assert [path for path in disk.rglob("*") if path.is_file() and path.name.startswith(".")] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_built_in_data_is_not_read_through_and_still_refused_where_it_does_not_do(tmp_path):
    asked = ["train", "protonet-tiny", "--output", str(tmp_path / "run"), "--ways", "60"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "Error: built-in characters (train) has 12 classes, an episode 60 ways; add classes, or set "
        "family.training_ways to fewer"
    ]
    assert not (tmp_path / "run").exists()
