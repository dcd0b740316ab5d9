"""Every mistake in a file of key points is a line of `data check`, and keeps a training from beginning."""

import json
import os
import re

import numpy as np
import pytest

from kerazoo.image import write_image
from kerazoo.structures.skeleton import COCO17, COCO18
from tests.cli.runner import result_of


def person(number, image, **changes):
    points = [value for point in range(17) for value in (5 + 2 * point, 20, 2)]
    return {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "bbox": [2, 5, 40, 30],
            "area": 900, "keypoints": points} | changes  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(1, 7):
        write_image(tmp_path / f"{number}.png", rng.integers(0, 256, (40, 60, 3), "uint8"))
    return tmp_path


def written(folder, people, **changes):
    images = [{"id": n, "file_name": f"{n}.png", "width": 60, "height": 40} for n in range(1, 7)]
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.points)}
    content = {"images": images, "annotations": people, "categories": [category]}
    (folder / "people.json").write_text(json.dumps(content | changes))
    return folder / "people.json"


def test_a_good_file(folder):
    crowd = person(7, 1, iscrowd=1, keypoints=[0] * 51)
    path = written(folder, [person(number, number) for number in range(1, 7)] + [crowd])
    result = result_of("data", "check", "pose", "--data", path, "--set", "data.validation=0.34")
    assert result.exit_code == 0, result.output
    rows = (re.split(r"  +", line, maxsplit=1) for line in result.stdout.splitlines())
    lines = {name: text.split() for name, *texts in rows for text in texts}
    assert lines["samples"] == ["4", "train,", "2", "val"]
    assert (lines["people"], lines["crowds"]) == (["6"], ["1"])
    assert f"{COCO18.points.index('right_ankle')} right_ankle" in result.stdout  # as it is trained
    assert result.stdout.splitlines()[-1] == "no problems"


def test_all_mistakes_of_a_file_in_one_go(folder):
    (folder / "2.png").unlink()
    (folder / "3.png").write_bytes(b"no image")
    wrong = [
        person(1, 1),
        person(2, 4, keypoints=[1, 2, 2]),
        person(3, 4, keypoints=[float("nan")] * 51),
        person(4, 4, bbox=[100, 100, 10, 10]),
        person(5, 4, category_id=9),
        person(6, 99),
        person(6, 4),
    ]
    path = written(folder, wrong)
    result = result_of("data", "check", "pose", "--data", path)
    assert result.exit_code == 2
    told = [line for line in result.stdout.splitlines() if str(folder) in line]
    expected = [
        "annotation 2 has 3 numbers as keypoints, 17 points need 51; mend or remove it",
        "annotation 3 has keypoints that are no finite numbers; mend or remove it",
        "annotation 4 has a bbox outside the image; mend or remove it",
        "annotation 5 is of the unknown category 9; mend or remove it",
        "annotation 6 is of the unknown image 99; mend or remove it",
        "annotation 6 is there twice; mend or remove it",
        "there is no " + str(folder / "2.png") + "; add the image, or take it out of the file",
        "3.png is not an image of a known format",
    ]
    for line in expected:
        assert len([each for each in told if line in each]) == 1, (line, told)
    assert len(told) == len(expected)
    assert result.stdout.splitlines()[-1] == "8 problems"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"annotations": []}, "nobody with 1 labelled points"),
        ({"categories": [{"id": 1, "name": "cat"}]}, "no category with keypoints"),
        (
            {"categories": [{"id": 1, "name": "cat", "keypoints": ["nose"]}]},
            "did you mean 'cat'|choose one of: cat",
        ),
        ({"categories": [{"id": 1, "name": "person", "keypoints": ["snout"]}]}, "no point 'nose'"),
        ({"images": None}, "no lists images, annotations, categories"),
    ],
)
def test_files_that_cannot_be_used(folder, changes, told):
    path = written(folder, [person(1, 1)], **changes)
    result = result_of("data", "check", "pose", "--data", path)
    assert result.exit_code == 2
    (line,) = [line for line in result.stdout.splitlines() if "people.json" in line]
    assert any(each in line for each in told.split("|")), line


def test_a_truncated_file_starts_no_training(folder):
    path = written(folder, [person(1, 1)])
    path.write_text(path.read_text()[:-100])
    result = result_of("train", "pose", "--data", path, "--output", folder / "run")
    assert result.exit_code == 2
    assert "people.json is no JSON" in result.stderr
    assert not (folder / "run").exists()


def test_the_points_that_are_trained_are_looked_for(folder):
    own = {"points": ["tail", "nose"], "limbs": [[0, 1]]}
    (folder / "own.json").write_text(json.dumps(own))
    category = {"id": 1, "name": "person", "keypoints": ["nose", "tail"]}
    people = [person(number, number, keypoints=[5, 5, 2, 20, 20, 2]) for number in (1, 2)]
    path = written(folder, people, categories=[category])
    (folder / "2.png").unlink()
    options = "train", "pose", "--data", path, "--output", folder / "run", "--set"
    result = result_of(*options, f"family.skeleton={folder / 'own.json'}")
    assert "there is no" in result.stderr
    assert "2.png" in result.stderr
    assert "no point 'left_eye'" in result_of(*options, "epochs=1").stderr
    check = result_of(
        "data", "check", "pose", "--data", path, "--set", f"family.skeleton={folder / 'own.json'}"
    )
    assert "  1 nose " in check.stdout
    assert len([line for line in check.stdout.splitlines() if "there is no" in line]) == 1


def test_shares_of_sides_start_no_training(folder):
    points = [0.5, 0.5, 2] * 17
    path = written(folder, [person(number, number, keypoints=points) for number in range(1, 7)])
    result = result_of("train", "hrnet-pose-tiny", "--data", path, "--output", folder / "run")
    assert result.exit_code == 2
    assert "people.json: no labelled point is beyond 1.5: they are shares" in result.stderr
    assert not (folder / "run").exists()


def test_what_is_taken_for_something_is_told(folder):
    people = [person(number, number, bbox=[]) for number in range(1, 7)]
    images = [{"id": number, "file_name": rf"C:\set\{number}.png"} for number in range(1, 7)]
    result = result_of("data", "check", "hrnet-pose", "--data", written(folder, people, images=images))
    assert result.exit_code == 0, result.output
    told = [line for line in result.stdout.splitlines() if line.startswith("warning: ")]
    assert " found by the ends of their names: 'C:\\\\set\\\\1.png' is taken to be 1.png" in told[0]
    assert "6 annotation(s), the first is 1, have no bbox" in told[1]


def test_no_key_points_at_all(folder):
    os.mkfifo(folder / "pipe.json")
    for path in (folder / "1.png", folder / "nowhere.json", folder / "pipe.json", folder / ("n" * 300)):
        result = result_of("data", "check", "pose", "--data", path)
        assert result.exit_code == 2
        assert path.name in result.stderr
        assert "Traceback" not in result.stderr
