"""Classification from the command line: a folder per class, arrays, and what is told when they are wrong."""

import json
import pickle

import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.image import write_image
from kerazoo.run import open_run
from tests.cli.runner import kerazoo

RECIPE = """
from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Shapes
from kerazoo.families.resnet.cifar import ResNetCifar
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=ResNetCifar(classes=10, depth=8, width=4, size=(16, 16)),
    data=Shapes(train=20, validation=10, test=10, size=16),
    augmentation=Augmentation(crop=(16, 16), flip=True),
    optimizer=Optimizer(learning_rate=1e-2),
    epochs=1,
    batch_size=4,
    monitor="accuracy",
)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A recipe file, a folder of red, green and blue images, and a run on them."""
    place = tmp_path_factory.mktemp("colours")
    (place / "tiny.py").write_text(RECIPE)
    rng = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        for index in range(8):
            image = rng.integers(0, 120, (20, 18, 3), "uint8")
            image[..., channel] += 130
            write_image(place / "data" / name / f"{index}.png", image)
    kerazoo("train", place / "tiny.py", "--data", place / "data", "--epochs", 4, "--output", place / "run")
    return place


def test_classes_come_from_the_folders_and_stay_with_the_run(place):
    recipe = open_run(place / "run").recipe
    assert recipe.family.names == recipe.data.classes == ("blue", "green", "red")
    for image in ("samples.png", "confusion.png", "curves.png"):
        assert (place / "run" / image).stat().st_size > 0
    scores = json.loads((place / "run" / "metrics.json").read_text())
    assert scores["last"]["validation"]["images"] == 6


def test_evaluate_prints_recall_and_draws_the_confusion_matrix(place):
    printed = kerazoo("evaluate", place / "run")
    for told in ("accuracy", "top_5", "mean_recall", "blue", "recall", "count"):
        assert told in printed
    scores = json.loads(kerazoo("evaluate", place / "run", "--json", "--tta"))
    assert set(scores["recall"]) == {"red", "green", "blue"}
    assert np.sum(scores["confusion"]) == 6
    for file in ("evaluation-val.json", "evaluation-val.png", "evaluation-val-confusion.png"):
        assert (place / "run" / file).stat().st_size > 0


def test_other_data_keep_the_labels_of_the_run(place, tmp_path):
    for index in range(3):
        image = np.zeros((20, 20, 3), "uint8")
        image[..., 0] = 200 + index
        write_image(tmp_path / "other" / "test" / "red" / f"{index}.png", image)
    scores = json.loads(
        kerazoo("evaluate", place / "run", "--data", tmp_path / "other", "--split", "test", "--json")
    )
    assert scores["count"] == {"blue": 0, "green": 0, "red": 3}
    write_image(tmp_path / "other" / "test" / "pink" / "0.png", image)
    told = kerazoo("evaluate", place / "run", "--data", tmp_path / "other", "--split", "test", code=2)
    assert "pink' is none of the classes 'blue', 'green', 'red'" in told


def test_predict_prints_the_best_and_writes_labelled_images(place, tmp_path):
    images = place / "data" / "red"
    printed = kerazoo("predict", place / "run", images, "--output", tmp_path / "p").splitlines()
    assert len(printed) == 8
    rows = [json.loads(line) for line in (tmp_path / "p" / "predictions.jsonl").read_text().splitlines()]
    for line, row in zip(printed, rows, strict=True):
        assert [len(row["top"]), len(row["files"])] == [3, 1]
        assert sum(each["probability"] for each in row["top"]) == pytest.approx(1, abs=1e-4)
        best = row["top"][0]
        assert f"{row['files'][0]}: {best['class']} {best['probability']:.1%}, " in line
        assert row["files"][0].endswith("_overlay.png")
    assert "leave --tile out" in kerazoo(
        "predict", place / "run", images, "--output", tmp_path / "q", "--tile", 8, code=2
    )


def test_the_check_counts_images_and_names_what_is_broken(place, tmp_path):
    printed = kerazoo("data", "check", place / "tiny.py", "--data", place / "data")
    assert "33.33% of the images" in printed
    assert "no problems" in printed
    for index in range(3):
        write_image(tmp_path / "d" / "a" / f"{index}.png", np.zeros((4, 4, 3), "uint8"))
        write_image(tmp_path / "d" / "b" / f"{index}.png", np.full((4, 4, 3), index, "uint8"))
    (tmp_path / "d" / "a" / "1.png").write_bytes(b"hello")
    result = CliRunner().invoke(
        main, ["data", "check", str(place / "tiny.py"), "--data", str(tmp_path / "d")]
    )
    assert result.exit_code == 2
    assert "a/1.png is not an image" in result.stdout
    told = kerazoo("train", place / "tiny.py", "--data", tmp_path / "d", "--output", tmp_path / "run", code=2)
    assert "a/1.png" in told
    assert not (tmp_path / "run").exists()


def test_arrays_are_trained_on(place, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        f"x_{name}": rng.integers(0, 256, (n, 16, 16), "uint8") for name, n in (("train", 20), ("test", 4))
    }
    np.savez(tmp_path / "d.npz", **arrays, y_train=np.arange(20) % 2, y_test=np.arange(4) % 2)
    kerazoo("train", place / "tiny.py", "--data", tmp_path / "d.npz", "--output", tmp_path / "run",
            "--set", 'data.classes=["odd","even"]', "--set", "family.mixup=0.2")  # fmt: skip
    assert open_run(tmp_path / "run").recipe.family.names == ("odd", "even")
    assert json.loads(kerazoo("evaluate", tmp_path / "run", "--split", "test", "--json"))["images"] == 4


def test_pickles_and_strange_files_are_refused(place, tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps({"data": 1}))
    (tmp_path / "notes.txt").write_text("hello")
    for path, expected in (("cifar-10-batches-py", "binary version"), ("notes.txt", "no arrays")):
        told = kerazoo(
            "train", place / "tiny.py", "--data", tmp_path / path, "--output", tmp_path / "r", code=2
        )
        assert expected in told
        assert str(tmp_path / path) in told
        assert not (tmp_path / "r").exists()


def test_images_of_several_sizes_need_a_crop(place, tmp_path):
    for name in "ab":
        for index in range(6):
            write_image(tmp_path / "d" / name / f"{index}.png", np.zeros((8 + index, 9, 3), "uint8"))
    told = kerazoo("train", place / "tiny.py", "--data", tmp_path / "d", "--output", tmp_path / "run",
                   "--set", "augmentation.crop=null", code=2)  # fmt: skip
    assert "set augmentation.crop" in told
