"""What programs read of people found."""

import json

import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.structures.keypoints import Poses
from kerazoo.structures.skeleton import COCO18, Skeleton
from kerazoo.tasks.pose.json_rows import people_rows, save_openpose

LINE = Skeleton(points=("a", "b", "c"), limbs=((0, 1), (1, 2)))
POINTS = [[[10.126, 20.0, 0.87654321], [30.0, 60.5, 0.5], [7.0, 7.0, 0.0]], [[1, 2, 1], [0, 0, 0], [0, 0, 0]]]
POSES = Poses(np.array(POINTS, "float32"), np.array([0.9, 0.123456], "float32"))


def test_people_are_described_by_name():
    told = json.loads(json.dumps(people_rows(POSES, LINE)))
    assert told == {
        "people": [
            {
                "score": 0.9,
                "box": [10.13, 20.0, 19.87, 40.5],
                "keypoints": {"a": [10.13, 20.0, 0.8765], "b": [30.0, 60.5, 0.5], "c": None},
            },
            {
                "score": 0.1235,
                "box": [1.0, 2.0, 0.0, 0.0],
                "keypoints": {"a": [1.0, 2.0, 1.0], "b": None, "c": None},
            },
        ]
    }
    assert people_rows(Poses(np.zeros((0, 3, 3)), np.zeros(0)), LINE) == {"people": []}


def test_openposes_file_has_every_point_in_the_skeletons_order(tmp_path):
    points = np.random.default_rng(0).uniform(1, 99, (2, 18, 3)).astype("float32")
    points[0, COCO18.points.index("neck"), 2] = 0.0
    path = save_openpose(Poses(points, np.ones(2)), tmp_path / "a_keypoints.json")
    told = json.loads(path.read_text())
    assert told["version"] == 1.3
    first, second = (np.reshape(person["pose_keypoints_2d"], (18, 3)) for person in told["people"])
    np.testing.assert_allclose(second, points[1], atol=1e-3)
    assert first[1].tolist() == [0.0, 0.0, 0.0]
    assert told["people"][0]["face_keypoints_2d"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["a_keypoints.json"]


def test_a_file_that_cannot_be_written_is_told_in_a_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        save_openpose(POSES, tmp_path / "file" / "a.json")
