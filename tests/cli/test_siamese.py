"""A Siamese run from the command line: pairs compared, folders indexed and searched, mistakes told."""

import importlib
import importlib.util
import json
import shutil
import sys
import types

import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.data.generated.sources import Glyphs
from kerazoo.engine.export import report
from kerazoo.engine.export.formats import NEEDS
from kerazoo.image import read_image, write_image
from kerazoo.run import open_run
from kerazoo.tasks.verification.distances import EmbeddingDistance
from tests.cli.runner import kerazoo

indexing = importlib.import_module("kerazoo.engine.index")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run after an epoch, and a folder of twelve images of four characters."""
    place = tmp_path_factory.mktemp("siamese")
    characters = Glyphs(size=(40, 40)).classes("test")
    for label in range(4):
        for number in range(3):
            write_image(
                place / "images" / f"c{label}" / f"{number}.png", characters.image(label, number).image
            )
    small = ["--set", "data.episodes_per_epoch=[10,6,4]", "--set", "family.tower.width=4", "--epochs", 1]
    kerazoo("train", "siamese-tiny", "--output", place / "run", *small)
    return place


def test_two_images_are_compared_by_the_threshold_of_the_validation(place, tmp_path):
    a, b = place / "images/c0/0.png", place / "images/c1/0.png"
    printed = kerazoo("predict", place / "run", a, b, "--output", tmp_path / "p")
    (row,) = map(json.loads, (tmp_path / "p" / "predictions.jsonl").read_text().splitlines())
    (logged,) = map(json.loads, (place / "run" / "log.jsonl").read_text().splitlines())
    assert row["threshold"] == pytest.approx(logged["validation"]["threshold"], abs=1e-6)
    assert row["alike"] == (row["distance"] <= row["threshold"])
    assert (row["image"], row["other"]) == (str(a), str(b))
    assert f"{a} and {b} -> {row['files'][0]}: {'alike' if row['alike'] else 'different'}" in printed
    assert read_image(row["files"][0]).shape[1] > 400
    kerazoo("predict", place / "run", a, b, "--output", tmp_path / "q", "--set", "family.threshold=1000")
    assert json.loads((tmp_path / "q" / "predictions.jsonl").read_text())["alike"]


def test_evaluation_is_by_that_threshold_and_by_the_best(place):
    scores = json.loads(kerazoo("evaluate", place / "run", "--json"))
    assert scores["pairs"] == 48
    assert scores["episodes"] == 3
    assert 0 <= scores["accuracy"] <= 1
    assert scores["best_accuracy"] is not None
    assert (place / "run" / "evaluation-val.png").exists()
    assert "one_shot" in kerazoo("evaluate", place / "run", "--ways", 3, "--split", "test")


def test_a_pair_list_is_evaluated_on(place, tmp_path):
    lines = [f"c{n % 4}/0.png,c{n % 4}/1.png,1\nc{n % 4}/0.png,c{(n + 1) % 4}/1.png,0\n" for n in range(10)]
    (place / "images" / "pairs.csv").write_text("".join(lines))
    scores = json.loads(kerazoo("evaluate", place / "run", "--data", place / "images/pairs.csv", "--json"))
    assert (scores["pairs"], scores["episodes"]) == (20, 0)
    assert scores["one_shot"] is None
    moved = [line.replace("c", "/mnt/ann/c") for line in lines]
    (place / "images" / "moved.csv").write_text("".join(moved))
    result = CliRunner().invoke(main, ["evaluate", str(place / "run"), "--json",
                                       "--data", str(place / "images/moved.csv")])  # fmt: skip
    assert json.loads(result.stdout)["best_accuracy"] == scores["best_accuracy"]
    assert "its names begin with /mnt/ann/, which is not there" in result.stderr
    (place / "images" / "broken.csv").write_text("c0/0.png,c0/9.png,1")
    told = kerazoo("evaluate", place / "run", "--data", place / "images/broken.csv", code=2)
    assert "c0/9.png" in told
    told = kerazoo(
        "train", "siamese-tiny", "--data", place / "images/pairs.csv", "--output", tmp_path / "r", code=2
    )
    assert "nothing to train on" in told


def test_the_official_runs_are_evaluated_on(place, shared):
    scores = json.loads(
        kerazoo("evaluate", place / "run", "--data", shared / "data/omniglot_all_runs.zip", "--json")
    )
    assert scores["episodes"] == 20
    assert scores["one_shot"] > 0.1  # by chance 0.05


def test_an_index_is_searched(place, tmp_path):
    printed = kerazoo("index", place / "run", place / "images")
    assert str(place / "run" / "index.npz") in printed
    with np.load(place / "run" / "index.npz", allow_pickle=False) as found:
        assert found["embeddings"].shape[0] == 12
        assert found["embeddings"].dtype == "float32"
        assert found["files"].tolist()[:4] == ["c0/0.png", "c0/1.png", "c0/2.png", "c1/0.png"]
    queries = [place / "images/c2/1.png", place / "images/c3/0.png"]
    search = ["--index", place / "run" / "index.npz", "--top", 3, "--output", tmp_path / "p"]
    kerazoo("predict", place / "run", *queries, *search)
    rows = [json.loads(line) for line in (tmp_path / "p" / "predictions.jsonl").read_text().splitlines()]
    for row, query in zip(rows, ("c2/1.png", "c3/0.png"), strict=True):
        distances = [each["distance"] for each in row["nearest"]]
        assert row["nearest"][0]["file"] == query
        assert distances[0] < 1e-3
        assert distances == sorted(distances)
        assert len(distances) == 3
        assert read_image(row["files"][0]).shape[1] > 800
    kerazoo("predict", place / "run", queries[0], *search[:2], "--top", 50, "--output", tmp_path / "q")
    assert len(json.loads((tmp_path / "q" / "predictions.jsonl").read_text())["nearest"]) == 12


def test_a_search_outlives_its_images(place, tmp_path):
    for name in "ab":
        write_image(tmp_path / "some" / f"{name}.png", np.full((30, 30, 3), 200, "uint8"))
    kerazoo("index", place / "run", tmp_path / "some", "--output", tmp_path / "some.npz")
    (tmp_path / "some" / "b.png").unlink()
    query = [tmp_path / "some" / "a.png", "--index", tmp_path / "some.npz", "--output", tmp_path / "p"]
    kerazoo("predict", place / "run", *query)
    told = json.loads((tmp_path / "p" / "predictions.jsonl").read_text())
    assert [each["file"] for each in told["nearest"]] == ["a.png", "b.png"]


def test_mistakes_are_told_in_a_line(place, tmp_path):
    run, image = place / "run", place / "images/c0/0.png"
    nowhere = ["--output", tmp_path / "p"]
    assert "compares 2 different images" in kerazoo("predict", run, image, *nowhere, code=2)
    assert "there are 12" in kerazoo("predict", run, place / "images", *nowhere, code=2)
    (tmp_path / "broken.png").write_bytes(b"hello")
    assert "broken.png" in kerazoo("predict", run, image, tmp_path / "broken.png", *nowhere, code=2)
    assert "gone.png" in kerazoo("predict", run, image, tmp_path / "gone.png", *nowhere, code=2)
    assert "no test-time averaging" in kerazoo(
        "predict", run, image, image.with_name("1.png"), "--tta", *nowhere, code=2
    )
    assert "is not a folder" in kerazoo("index", run, tmp_path / "nothing", code=2)
    (tmp_path / "empty").mkdir()
    assert "no images in" in kerazoo("index", run, tmp_path / "empty", code=2)
    for name, content in (("a.npz", b"PK\3\4 no archive"), ("b.npz", b"")):
        (tmp_path / name).write_bytes(content)
        told = kerazoo("predict", run, image, "--index", tmp_path / name, *nowhere, code=2)
        assert f"{tmp_path / name} is no index" in told
    assert "is no index" in kerazoo("predict", run, image, "--index", tmp_path / "c.npz", *nowhere, code=2)
    np.savez(tmp_path / "e.npz", embeddings=np.array([{}]), files=["a"], folder="", run="")
    assert "is no index" in kerazoo("predict", run, image, "--index", tmp_path / "e.npz", *nowhere, code=2)


@pytest.fixture
def some(place, tmp_path):
    """A folder of four images and its index."""
    shutil.copytree(place / "images" / "c0", tmp_path / "some")
    shutil.copy(place / "images/c1/0.png", tmp_path / "some" / "3.png")
    kerazoo("index", place / "run", tmp_path / "some", "--output", tmp_path / "some.npz")
    return tmp_path / "some"


def changed(some, place):
    shutil.copy(place / "images/c2/0.png", some / "1.png")
    shutil.copy(place / "images/c3/0.png", some / "new.png")
    (some / "2.png").unlink()


def test_a_search_says_what_has_changed_and_shows_no_old_distances(some, place):
    changed(some, place)
    search = ["predict", place / "run", some / "0.png", "--index", some.with_suffix(".npz")]
    result = CliRunner().invoke(main, [*map(str, search), "--output", str(some.with_name("p"))])
    assert result.exit_code == 0
    expected = "1 changed since and not searched (1.png); 1 new and not searched (new.png); 1 gone (2.png)"
    assert f"{some}.npz is out of date: {expected}; update it with: kerazoo index" in result.stderr
    assert f"kerazoo index {place / 'run'} {some} --output {some}.npz --update" in result.stderr
    told = json.loads((some.with_name("p") / "predictions.jsonl").read_text())
    assert sorted(each["file"] for each in told["nearest"]) == ["0.png", "2.png", "3.png"]


def test_an_update_embeds_what_has_changed_and_nothing_else(some, place, monkeypatch):
    changed(some, place)
    (some / "broken.png").write_bytes(b"hello")
    read = []
    monkeypatch.setattr(indexing, "read_image", lambda path, how: read.append(path.name) or read_image(path))
    again = ["index", place / "run", some, "--output", f"{some}.npz", "--update"]
    kerazoo(*again, code=2)
    assert read == ["1.png", "broken.png", "new.png"]
    (some / "broken.png").unlink()
    assert f"index {some}.npz: 0 embedded, 4 as before, 0 gone" in kerazoo(*again)
    kerazoo("index", place / "run", some, "--output", some.with_name("fresh.npz"))
    with np.load(f"{some}.npz") as updated, np.load(some.with_name("fresh.npz")) as fresh:
        assert updated["files"].tolist() == fresh["files"].tolist() == ["0.png", "1.png", "3.png", "new.png"]
        np.testing.assert_allclose(updated["embeddings"], fresh["embeddings"], atol=1e-5)


def test_an_index_of_another_folder_is_not_updated(some, place):
    update = ["index", place / "run", place / "images", "--output", f"{some}.npz", "--update"]
    assert f"is of {some}, not of" in kerazoo(*update, code=2)
    for name in ("0", "1", "2", "3"):
        shutil.copy(place / "images/c3/0.png", some / f"{name}.png")
    search = ["predict", place / "run", some / "0.png", "--index", f"{some}.npz", "--output", f"{some}-p"]
    assert "every image of" in kerazoo(*search, code=2)


def test_broken_images_are_told_and_left_out(place, tmp_path):
    write_image(tmp_path / "some" / "a.png", np.zeros((30, 30, 3), "uint8"))
    (tmp_path / "some" / "b.png").write_bytes(b"hello")
    assert "b.png" in kerazoo(
        "index", place / "run", tmp_path / "some", "--output", tmp_path / "i.npz", code=2
    )
    with np.load(tmp_path / "i.npz") as found:
        assert found["files"].tolist() == ["a.png"]
    (tmp_path / "some" / "a.png").unlink()
    told = kerazoo("index", place / "run", tmp_path / "some", "--output", tmp_path / "j.npz", code=2)
    assert "no image in" in told
    assert not (tmp_path / "j.npz").exists()


def test_the_index_of_another_run_is_refused(place, tmp_path):
    small = [
        "--set",
        "data.episodes_per_epoch=[4,2,2]",
        "--set",
        "family.tower.width=4",
        "--epochs",
        1,
        "--seed",
        7,
    ]
    kerazoo("train", "siamese-tiny", "--output", tmp_path / "other", *small)
    kerazoo("index", tmp_path / "other", place / "images", "--output", tmp_path / "other.npz")
    told = kerazoo("predict", place / "run", place / "images/c0/0.png", "--index", tmp_path / "other.npz",
                   "--output", tmp_path / "p", code=2)  # fmt: skip
    assert "another run" in told


def test_a_class_of_one_image_stops_the_training(place, tmp_path):
    for n in range(4):
        write_image(tmp_path / "d" / "many" / f"{n}.png", np.full((28, 28, 3), n, "uint8"))
    write_image(tmp_path / "d" / "single" / "0.png", np.full((28, 28, 3), 9, "uint8"))
    told = kerazoo("train", "siamese-tiny", "--data", tmp_path / "d", "--output", tmp_path / "run", code=2)
    assert "image" in told
    assert not (tmp_path / "run").exists()


def test_only_siamese_runs_make_an_index(place, tmp_path):
    from kerazoo.families.resnet.cifar import ResNetCifar
    from kerazoo.recipe import load_recipe
    from kerazoo.run import create_run

    recipe = load_recipe("resnet20-cifar-tiny")
    assert isinstance(recipe.family, ResNetCifar)
    create_run(recipe, tmp_path / "cifar", recipe.family.build())
    assert "makes no embeddings" in kerazoo("index", tmp_path / "cifar", place / "images", code=2)


def test_faiss_answers_large_folders_as_numpy_does(monkeypatch):
    """With a stand-in that is as exact as FAISS's flat index."""
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(50, 6)).astype("float32")
    asked = []

    class Flat:
        def __init__(self, size):
            self.size = size

        def add(self, vectors):
            self.vectors = vectors

        def search(self, queries, top):
            asked.append(top)
            squares = np.square(queries[:, None] - self.vectors).sum(-1)
            places = np.argsort(squares, axis=1)[:, :top]
            return np.take_along_axis(squares, places, 1), places

    stand_in = types.ModuleType("faiss")
    stand_in.IndexFlatL2 = Flat
    stand_in.__spec__ = types.SimpleNamespace(name="faiss")
    by_numpy = indexing._searching(embeddings, EmbeddingDistance())(embeddings[3], 5)
    monkeypatch.setitem(sys.modules, "faiss", stand_in)
    monkeypatch.setattr(indexing, "FAISS_FROM", 50)
    by_faiss = indexing._searching(embeddings, EmbeddingDistance())(embeddings[3], 5)
    assert asked == [5]
    np.testing.assert_array_equal(by_faiss[0], by_numpy[0])
    np.testing.assert_allclose(by_faiss[1], by_numpy[1], rtol=1e-5, atol=1e-5)
    weighted = EmbeddingDistance(np.ones(6, "float32"))
    indexing._searching(embeddings, weighted)(embeddings[3], 5)
    assert asked == [5]  # FAISS knows no weighted L1


@pytest.mark.slow
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in NEEDS["onnx"]), reason="export needs its packages"
)
@pytest.mark.parametrize("format", ["savedmodel", "onnx"])
def test_the_tower_is_exported(place, tmp_path, format):  # noqa: A002
    run = open_run(place / "run")
    from kerazoo.engine.export import export

    told = report(export(run, format, tmp_path))
    assert set(told["outputs"]) == {"embedding"}
    assert told["family"]["threshold"] is not None
    assert told["largest_difference"] <= told["tolerance"]
