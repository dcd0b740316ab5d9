"""`kerazoo data check` refuses what `kerazoo train` refuses, in the same words, and tells all of it."""

import json

import numpy as np
import pytest

from kerazoo.image import read_image, write_image
from tests.bad_boxes import BAD
from tests.cli.runner import result_of


def fill(folder, classes, count=4, shape=(16, 16)):
    for name in classes:
        for number in range(count):
            seed = [*f"{folder.name}/{name}".encode(), number]
            image = np.random.default_rng(seed).integers(0, 256, (*shape, 3), "uint8")
            write_image(folder / name / f"{number}.png", image)
    return folder


CASES = {
    "a class of one image": (
        "resnet20-cifar-tiny",
        lambda path: fill(fill(path, "ab"), "cd", count=1),
        [],
        ["class 'c': 1 image(s) cannot be divided into train and val; add some, remove the class, or",
         "class 'd': 1 image(s) cannot be divided into train and val"],
    ),
    "images beside the classes": (
        "resnet20-cifar-tiny",
        lambda path: write_image(fill(path, "ab") / "x.png", np.zeros((9, 9, 3), "uint8")),
        [],
        ["x.png lies in no class folder"],
    ),
    "nothing to validate on": (
        "resnet20-cifar-tiny",
        lambda path: fill(path, "ab"),
        ["--set", "data.validation=0"],
        ["the data have no val samples"],
    ),
    "images of several sizes": (
        "resnet20-cifar-tiny",
        lambda path: fill(fill(path, "a"), "b", shape=(18, 16)),
        ["--set", "augmentation.crop=null"],
        ["the images differ in size"],
    ),
    "too few images for an episode": (
        "protonet-tiny",
        lambda path: fill(fill(path / "train", "abcdef", count=9), ["solo", "two"], count=2),
        ["--ways", "2", "--set", "data.validation=0.3",
         "--set", "family.training_queries=3", "--set", "family.queries=3"],
        ["class 'solo' has 2 image(s), an episode takes 4 of each", "class 'two' has 2 image(s)"],
    ),
    "too few classes for an episode": (
        "protonet-tiny",
        lambda path: (fill(path / "train", "abcdef"), fill(path / "val", "x")),
        ["--ways", "5"],
        ["(val) has 1 classes, an episode 5 ways"],
    ),
    "one image of a person": (
        "siamese-tiny",
        lambda path: fill(fill(fill(path / "train", ["solo"], count=1), "abc").parent / "val", "xyzuvw"),
        [],
        ["class 'solo' has 1 image(s), a pair takes 2 of one"],
    ),
    "one image of a domain": (
        "cyclegan-tiny",
        lambda path: (fill(path, ["TrainA"]), fill(path, ["TrainB"], count=1)),
        [],
        ["TrainB: 1 image(s) cannot be divided into train and val"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_check_and_the_training_refuse_the_same(tmp_path, case):
    recipe, prepare, options, told = CASES[case]
    prepare(tmp_path / "data")
    given = [recipe, "--data", tmp_path / "data", *options]
    checked = result_of("data", "check", *given, "--json")
    assert checked.exit_code == 2
    problems = json.loads(checked.stdout)["problems"]
    assert len(problems) == len(told)
    for problem, words in zip(problems, told, strict=True):
        assert words in problem
    trained = result_of("train", *given, "--output", tmp_path / "run")
    assert trained.exit_code == 2
    more = f" (and {len(told) - 1} more)" * (len(told) > 1)
    assert f"Error: {problems[0]}{more}; list all with 'kerazoo data check'" in trained.stderr
    assert not (tmp_path / "run").exists()


def test_what_is_right_passes_both(tmp_path):
    fill(tmp_path / "data" / "TRAIN", "ab")
    fill(tmp_path / "data" / "Testing", "ab")
    given = ["resnet20-cifar-tiny", "--data", tmp_path / "data"]
    checked = json.loads(result_of("data", "check", *given, "--json").stdout)
    assert checked["splits"] == {"train": 6, "val": 2, "test": 8}
    assert checked["classes"] == {"a": 0.5, "b": 0.5}
    assert (checked["problems"], checked["warnings"]) == ([], [])


def test_the_training_tells_the_first_warnings_and_the_check_all(tmp_path):
    fill(
        tmp_path / "data",
        ["bus", *(f"test{'_set' * n}" for n in range(2)), "train", "dev", "val", "valid", "testing"],
    )
    given = ["resnet20-cifar-tiny", "--data", tmp_path / "data"]
    checked = result_of("data", "check", *given).stdout.splitlines()
    warnings = [line for line in checked if line.startswith("warning: ")]
    assert len(warnings) == 7
    assert "bus" not in "".join(line.partition(" is called")[0].rpartition("/")[2] for line in warnings)
    trained = result_of("train", *given, "--epochs", 1, "--output", tmp_path / "run", "--set", "monitor=x")
    told = trained.stderr.splitlines()
    assert told[1:6] == warnings[:5]
    assert told[6] == "2 more warnings: see 'kerazoo data check'"


def test_the_picture_is_written(tmp_path):
    fill(tmp_path / "data", "ab")
    given = ["resnet20-cifar-tiny", "--data", tmp_path / "data", "--picture", tmp_path / "a" / "classes.png"]
    result_of("data", "check", *given, code=0)
    assert read_image(tmp_path / "a" / "classes.png").shape[2] == 3


def test_every_mistake_in_boxes_is_a_problem(tmp_path):
    for number, (write, told) in enumerate(BAD.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder)
        checked = result_of("data", "check", "centernet-tiny", "--data", folder, "--json", code=2)
        problems = json.loads(checked.stdout)["problems"]
        assert any(all(words in problem for words in told) for problem in problems), problems


def test_boxes_without_area_are_named_and_no_problem(shared):
    printed = result_of("data", "check", "centernet-tiny", "--data", shared / "data" / "bccd", code=0).stdout
    named = [line for line in printed.splitlines() if "has no area in its image and is left out" in line]
    assert ["BloodImage_00338.xml, line 158" in line for line in sorted(named)] == [True, False]
    assert "BloodImage_00343.xml, line 50" in max(named)
    assert printed.splitlines()[-1] == "no problems"
