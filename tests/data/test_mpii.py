"""Key points in MPII's files."""

import json

import numpy as np
import pytest

from kerazoo.data.check import check
from kerazoo.data.keypoints.mpii import MpiiKeypoints
from kerazoo.data.keypoints.reader import keypoint_source
from kerazoo.data.keypoints.windows import Windows
from kerazoo.errors import UserError
from kerazoo.structures.skeleton import COCO17, MPII

JOINTS = (
    [[float(n + 2), 11.0] for n in range(3)] + [[-1.0, -1.0]] + [[float(n + 2), 31.0] for n in range(4, 16)]
)
ENTRY = {"image": "1.png", "joints": JOINTS, "joints_vis": [1] * 15 + [0], "center": [31, 21], "scale": 0.1}


def mpii(folder, *entries, **settings):
    path = folder / "mpii.json"
    path.write_text(json.dumps(entries))
    assert keypoint_source(path) is MpiiKeypoints
    return MpiiKeypoints(path=str(path), same=True, **settings)


def test_mpii(folder):
    samples = mpii(folder, ENTRY, ENTRY | {"image": "2.png"}, ENTRY | {"center": [11, 21]}).samples("train")
    assert [(s.name, s.truth.image, len(s.truth.points)) for s in samples] == [
        ("1.png", 1, 2),
        ("2.png", 2, 1),
    ]
    truth = samples[0].truth
    assert truth.points[0, 0].tolist() == [1, 10]  # counted from 0
    assert truth.visible[0].tolist() == [2, 2, 2, 0, *[2] * 11, 0]
    np.testing.assert_allclose(truth.boxes[0], [30.5 - 10, 20.5 + 1.5 - 10, 20, 20])
    np.testing.assert_allclose(truth.areas[0], 0.53 * 14 * 20)  # x from 1 to 15, y from 10 to 30
    assert truth.skeleton == MPII


def test_mpiis_own_folder(folder):
    (folder / "set" / "annot").mkdir(parents=True)
    (folder / "set" / "images").mkdir()
    (folder / "1.png").rename(folder / "set" / "images" / "1.png")
    for split in ("train", "valid"):
        (folder / "set" / "annot" / f"{split}.json").write_text(json.dumps([ENTRY]))
    assert keypoint_source(folder / "set") is MpiiKeypoints
    found = MpiiKeypoints(path=str(folder / "set"), windows=Windows(aspect=1.0))
    assert [len(found.samples(split)) for split in ("train", "val")] == [1, 1]
    assert found.samples("val")[0].image.shape == (25, 25, 3)  # the published 250 pixels times scale


def test_joints_that_are_not_labelled_need_no_place(folder):
    joints = [[None, float("nan")], *JOINTS[1:]]
    entry = ENTRY | {"joints": joints, "joints_vis": [0, *ENTRY["joints_vis"][1:]]}
    truth = mpii(folder, entry).samples("train")[0].truth
    assert truth.visible[0].tolist() == [0, 2, 2, 0, *[2] * 11, 0]
    assert check(mpii(folder, ENTRY | {"joints": joints})).problems  # joint 0 is labelled


def test_joints_are_pixels_of_their_image(folder):
    shares = ENTRY | {"joints": [[0.2, 0.4]] * 16}
    with pytest.raises(UserError, match=r"mpii\.json: no labelled point is beyond 1\.5: they are shares"):
        mpii(folder, shares, shares).samples("train")
    far = mpii(folder, ENTRY | {"joints": [[500, 11], *JOINTS[1:]]}, ENTRY)
    assert far.samples("train")[0].truth.visible[:, 0].tolist() == [0, 2]
    (line,) = far.warnings()
    assert line.endswith("1 of 28 labelled points are outside of their images and count as not labelled,"
                         " the first in entry 1")  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"joints": [[10**400, 1]] * 16}, "entry 2 has no 16 finite pairs"),
        ({"joints": JOINTS[:3]}, "entry 2 has no 16 finite pairs"),
        ({"joints": [[float("nan"), 1]] * 16}, "entry 2 has no 16 finite pairs"),
        ({"joints": 3}, "entry 2 has no 16 finite pairs"),
        ({"joints_vis": [1]}, "entry 2 has no 16 numbers as joints_vis"),
        ({"image": "x.png"}, "there is no"),
        ({"image": ""}, "entry 2 names no image"),
        ({"image": 3}, "entry 2 names no image"),
        ({"scale": 0}, "entry 2 has no center and scale"),
        ({"center": None}, "entry 2 has no center and scale"),
    ],
)
def test_what_is_wrong_with_mpiis_is_told(folder, wrong, told):
    report = check(mpii(folder, ENTRY, ENTRY | wrong))
    assert len(report.problems) == 1
    assert told in report.problems[0]
    assert "mpii.json" in report.problems[0]


def test_mpii_has_no_points_of_cocos(folder):
    with pytest.raises(UserError, match=r"mpii\.json has no point 'nose', its points are right_ankle"):
        mpii(folder, ENTRY, skeleton=COCO17).samples("train")
    report = check(mpii(folder))
    assert "nobody with 1 labelled points" in report.problems[0]
    report = check(mpii(folder, ENTRY, 3, None))
    assert len(report.problems) == 2


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([1, 2], "has neither COCO's key points nor MPII's: a list of people with joints; export"),
        ([{"a": 1}], "has neither COCO's key points nor MPII's"),
        ([[]], "has neither COCO's key points nor MPII's"),
        ([{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 2] * 17, "score": 1}],
         r"COCO's results \(predictions\), which are no annotations; give the file of annotations"),
    ],
)  # fmt: skip
def test_lists_of_something_else_are_called_what_they_are(folder, entries, told):
    with pytest.raises(UserError, match=rf"mpii\.json .*{told}"):
        mpii(folder, *entries, skeleton=COCO17).samples("train")
