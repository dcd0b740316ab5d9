"""What a training that goes on refuses: changed data, another process, damaged files."""

import dataclasses
import importlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.data.segmentation.folders import Folder
from kerazoo.engine.progress import Progress
from kerazoo.engine.training import resume
from kerazoo.engine.training.train import resume_training, train
from kerazoo.errors import UserError
from kerazoo.families.unetpp import UNetPlusPlus
from kerazoo.image import write_image
from kerazoo.recipe import Recipe
from kerazoo.run import create_run, open_run, training_lock

QUIET = Progress(quiet=True)


def pair(folder, name, seed):
    rng = np.random.default_rng(seed)
    mask = (rng.random((16, 16)) < 0.5).astype("uint8") * 255
    write_image(folder / "masks" / f"{name}.png", mask)
    write_image(folder / "images" / f"{name}.png", rng.integers(0, 256, (16, 16, 3), "uint8"))


def interrupted(recipe, folder, saves):
    """Train until so many resume points were written."""
    save, saved = resume.save, []

    def counting(*arguments, **options):
        save(*arguments, **options)
        saved.append(1)
        if len(saved) == saves:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(resume, "save", counting)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, folder, progress=QUIET)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A folder with data and a run on them that stopped after 5 steps, inside the second epoch of 4."""
    place = tmp_path_factory.mktemp("stopped")
    for index in range(10):
        pair(place / "data", str(index), index)
    recipe = Recipe(
        family=UNetPlusPlus(classes=1, filters=(2, 4)),
        data=Folder(path=str(place / "data")),
        augmentation=Augmentation(),
        epochs=3,
        batch_size=2,
        save_every=1,
    )
    interrupted(recipe, place / "run", 6)
    return place


@pytest.fixture
def place(stopped, tmp_path):
    """A copy of all that, of which nothing knows."""
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    recipe = tmp_path / "run" / "recipe.json"
    recipe.write_text(recipe.read_text().replace(str(stopped), str(tmp_path)))
    return tmp_path


def steps(run):
    return [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]


def state(run):
    return max(run.glob("resume/step-*/state.json"))


def removed(data):
    for kind in ("images", "masks"):
        (data / kind / "3.png").unlink()


def added(data):
    for number in range(10, 14):
        pair(data, str(number), number)


def renamed(data):
    for kind in ("images", "masks"):
        (data / kind / "3.png").rename(data / kind / "33.png")


def repainted(data):
    image = np.zeros((16, 16, 3), "uint8")
    write_image(data / "images" / "3.png", image)


def relabelled(data):
    shutil.copy(data / "masks" / "4.png", data / "masks" / "3.png")


def turned(data):
    classes = [{"name": "background", "value": 255}, {"name": "foreground", "value": 0}]
    (data / "classes.json").write_text(json.dumps(classes))


CHANGES = {
    removed: "2 file(s) removed: images/3.png, masks/3.png",
    added: "8 file(s) added: images/10.png, images/11.png, images/12.png, ...",
    renamed: "2 file(s) added: images/33.png, masks/33.png",
    repainted: "1 file(s) changed: images/3.png",
    relabelled: "1 file(s) changed: masks/3.png",
    turned: "1 file(s) added: classes.json",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_changed_data_are_told_before_anything_is_trained(change, place):
    change(place / "data")
    before = {path: path.read_bytes() for path in place.rglob("run/**/step-*/*")}
    result = CliRunner().invoke(main, ["train", "--resume", str(place / "run")])
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert CHANGES[change] in line
    assert line.endswith("--accept-changed-data")
    assert {path: path.read_bytes() for path in place.rglob("run/**/step-*/*")} == before


def test_unchanged_data_that_moved_are_the_same(place):
    assert steps(resume_training(place / "run", progress=QUIET).folder) == [4, 8, 12]


def test_a_run_whose_data_moved_takes_their_new_place(place):
    (place / "data").rename(place / "elsewhere")
    arguments = ["train", "--resume", str(place / "run")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    told = f"Error: data {place / 'data'} does not exist; check the path, or give a run's new one: --data DIR"
    assert told in result.stderr.splitlines()
    for kind in ("images", "masks"):
        shutil.copytree(place / "elsewhere" / kind, place / "others" / kind)
    repainted(place / "others")
    result = CliRunner().invoke(main, [*arguments, "--data", str(place / "others")])
    assert result.exit_code == 2
    assert "have changed since it was trained on them: 1 file(s) changed: images/3.png" in result.stderr
    assert open_run(place / "run").recipe.data.path == str(place / "data")
    result = CliRunner().invoke(main, [*arguments, "--data", str(place / "elsewhere")])
    assert result.exit_code == 0, result.output
    assert steps(place / "run") == [4, 8, 12]
    assert open_run(place / "run").recipe.data.path == str(place / "elsewhere")


def test_generated_data_are_in_no_folder(tmp_path):
    recipe = Recipe(
        family=UNetPlusPlus(classes=1, filters=(2, 4)), data=Cells(), augmentation=Augmentation(), epochs=1
    )
    create_run(recipe, tmp_path / "run", recipe.family.build())
    with pytest.raises(UserError, match="are generated, they are in no folder; leave --data out"):
        resume_training(tmp_path / "run", data=tmp_path, progress=QUIET)


def test_accepted_data_begin_the_interrupted_epoch_again(place):
    added(place / "data")  # 12 of 14 train: 6 steps and no longer 4
    arguments = ["train", "--resume", str(place / "run"), "--accept-changed-data"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert steps(place / "run") == [4, 12, 18]  # the second epoch is steps 7 to 12
    rows = [json.loads(line) for line in (place / "run" / "log.jsonl").read_text().splitlines()]
    assert rows[1]["learning_rate"] == pytest.approx(1e-3 * (1 + np.cos(np.pi * 12 / 18)) / 2, rel=1e-3)
    known = json.loads((place / "run" / "data.json").read_text())
    assert "images/13.png" in known["files"]


def test_fewer_data_are_accepted_for_good(place, monkeypatch):
    for number in range(6):
        for kind in ("images", "masks"):
            (place / "data" / kind / f"{number}.png").unlink()
    training = importlib.import_module("kerazoo.engine.training.steps")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "_advance", killed)
        with pytest.raises(KeyboardInterrupt):
            resume_training(place / "run", accept_changed_data=True, progress=QUIET)
    assert [path.name for path in place.glob("run/resume/step-*")] == ["step-00000002"]  # 2 steps an epoch
    assert steps(resume_training(place / "run", progress=QUIET).folder) == [4, 4, 6]


def test_accepted_data_of_other_classes_are_refused(place):
    classes = [{"name": name, "value": value} for name, value in (("a", 0), ("b", 255), ("c", 7))]
    (place / "data" / "classes.json").write_text(json.dumps(classes))
    with pytest.raises(UserError, match="declares the class 'a', the run knows background, foreground"):
        resume_training(place / "run", accept_changed_data=True, progress=QUIET)


def test_the_option_is_for_resuming(tmp_path):
    arguments = ["train", "unetpp-tiny", "--output", str(tmp_path / "run"), "--accept-changed-data"]
    result = CliRunner().invoke(main, arguments)
    assert "Error: --accept-changed-data is for a run that is resumed; give --resume RUN" in result.stderr


def test_a_run_that_is_being_trained_is_left_alone(place):
    before = {path: path.stat().st_mtime_ns for path in place.rglob("run/**/*") if path.suffix == ".npz"}
    code = f"""
import pathlib, sys
from kerazoo.run import training_lock, create_run, open_run
with training_lock(pathlib.Path({str(place / "run")!r})):
    print("held", flush=True)
    sys.stdin.read()"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"run is being trained by process {other.pid} on"):
            resume_training(place / "run", progress=QUIET)
        other.stdin.close()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with training_lock(place / "run"):  # nobody holds it any longer
        pass


def test_who_holds_a_run_is_told_in_plain_letters(place):
    with training_lock(place / "run"):
        (place / "run" / ".trained-by").write_text("process \x1b[31m1 on moon")
        with pytest.raises(UserError, match="is being trained by another process"):
            resume_training(place / "run", progress=QUIET)


def test_a_damaged_point_gives_way_aloud(place, capsys):
    newest = state(place / "run")
    newest.write_text(newest.read_text().replace('"stale": 0', '"stale": 1'))
    resume_training(place / "run", progress=Progress())
    told = capsys.readouterr().err
    assert "step-00000005/state.json is not what was written" in told
    assert steps(place / "run") == [4, 8, 12]


def test_all_points_damaged_are_told_with_the_reason(place):
    for path in place.glob("run/resume/step-*/arrays.npz"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"no resume point in .* can be used: .*arrays.npz is not what was"):
        resume_training(place / "run", progress=QUIET)


def test_lost_points_are_no_new_beginning(place):
    shutil.rmtree(place / "run" / "resume")
    with pytest.raises(UserError, match="has lost its resume points; start again with --init RUN"):
        resume_training(place / "run", progress=QUIET)


def test_damaged_weights_are_told_before_more_is_trained(place):
    weights = place / "run" / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")
    with pytest.raises(UserError, match="model.weights.h5 is not what was written"):
        resume_training(place / "run", progress=QUIET)


@pytest.mark.parametrize(
    "change", [{"step": "many"}, {"step": -1}, {"rows": [3]}, {"more": 1}, {"sums": None}]
)
def test_a_state_of_other_types_is_refused(change, place):
    for path in place.glob("run/resume/step-*/state.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        resume.checksums.record(path.with_name("arrays.npz"), path)
    with pytest.raises(UserError, match="state.json is not as expected"):
        resume_training(place / "run", progress=QUIET)


def test_points_of_another_network_are_refused(place):
    recipe = place / "run" / "recipe.json"
    recipe.write_text(
        recipe.read_text().replace('"filters": [\n      2,\n      4\n    ]', '"filters": [2, 6]')
    )
    with pytest.raises(UserError, match="belongs to another network or optimizer"):
        resume_training(place / "run", progress=QUIET)


def test_generated_data_are_known_by_their_settings(tmp_path):
    from tests.test_train import SMALL

    interrupted(dataclasses.replace(SMALL, epochs=1), tmp_path / "run", 2)
    recipe = tmp_path / "run" / "recipe.json"
    recipe.write_text(recipe.read_text().replace('"train": 10', '"train": 12'))
    with pytest.raises(UserError, match="data.train is 12 instead of 10"):
        resume_training(tmp_path / "run", progress=QUIET)
