"""Key points from COCO's and MPII's files, whole photographs and windows; and what is wrong with files."""

import json

import numpy as np
import pytest

from kerazoo.data.check import check
from kerazoo.data.coco import CocoKeypoints
from kerazoo.data.generated import Figures
from kerazoo.data.keypoints import reader
from kerazoo.data.mpii import MpiiKeypoints
from kerazoo.data.windows import Windows
from kerazoo.errors import UserError
from kerazoo.image import write_image
from kerazoo.skeleton import COCO17, COCO18, MPII, Skeleton

POINTS = ("left", "right", "top")
PLAIN = Skeleton(points=POINTS, limbs=((0, 2), (1, 2)), flips=((0, 1),))


def person(number=1, image=1, **changes):
    keypoints = [10, 20, 2, 30, 20, 1, 20, 10, 2]
    return {"id": number, "image_id": image, "category_id": 1, "keypoints": keypoints, "bbox": [5, 5, 30, 20],
            "area": 400, "iscrowd": 0} | changes  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2):
        image = np.full((40, 60, 3), 50, "uint8")
        image[19:22, 9:12] = 250
        write_image(tmp_path / f"{number}.png", image)
    return tmp_path


def written(folder, *annotations, numbers=(1, 2), **changes):
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 60, "height": 40} for n in numbers],
        "annotations": list(annotations),
        "categories": [{"id": 1, "name": "person", "keypoints": list(POINTS)}, {"id": 2, "name": "dog"}],
    }
    path = folder / "people.json"
    path.write_text(json.dumps(content | changes))
    return path


def source(path, **settings):
    return CocoKeypoints(path=str(path), skeleton=PLAIN, same=True, **settings)


def test_points_boxes_and_numbers(folder):
    samples = source(written(folder, person(), person(2, 2, bbox=[0, 0, 10, 10]))).samples("train")
    truth = samples[0].truth
    np.testing.assert_array_equal(truth.points[0], [[10, 20], [30, 20], [20, 10]])
    np.testing.assert_array_equal(truth.visible, [[2, 1, 2]])
    np.testing.assert_array_equal(truth.boxes, [[5, 5, 30, 20]])
    assert (truth.image, truth.category, truth.areas.tolist(), truth.silent) == (1, 1, [400], None)
    assert samples[0].image[20, 10].tolist() == [250, 250, 250]
    assert samples[1].truth.image == 2


def test_crowds_and_unlabelled_people_are_silent(folder):
    polygon = [[0, 0, 9, 0, 9, 9, 0, 9]]
    runs = {"counts": [0, 40 * 3, 40 * 57], "size": [40, 60]}  # three columns, column by column
    crowd = person(2, iscrowd=1, segmentation=runs, keypoints=[0] * 9)
    unlabelled = person(3, keypoints=[0] * 9, segmentation=polygon)
    boxed = person(4, keypoints=[0] * 9, bbox=[50, 30, 5, 5])
    truth = source(written(folder, person(), crowd, unlabelled, boxed)).samples("train")[0].truth
    assert len(truth.points) == 3
    assert len(truth.crowds) == 1
    silent = np.zeros((40, 60), "uint8")
    silent[:, :3] = silent[:10, :10] = silent[30:35, 50:55] = 1
    np.testing.assert_array_equal(truth.silent, silent)


def test_the_neck_lies_between_the_shoulders(folder):
    names = list(COCO17.points)
    keypoints = np.zeros((17, 3), int)
    keypoints[[5, 6]] = (10, 20, 2), (30, 24, 2)
    path = written(folder, person(keypoints=keypoints.ravel().tolist()),
                   categories=[{"id": 1, "name": "person", "keypoints": names}])  # fmt: skip
    truth = CocoKeypoints(path=str(path), skeleton=COCO18, same=True).samples("train")[0].truth
    assert truth.points[0, 1].tolist() == [20, 22]
    assert truth.visible.sum(axis=1).tolist() == [6]


def test_splits(folder):
    people = [person(n, n) for n in (1, 2)]
    path = written(folder, *people)
    halves = CocoKeypoints(path=str(path), skeleton=PLAIN, validation=0.5)
    assert [len(halves.samples(split)) for split in ("train", "val", "test")] == [1, 1, 0]
    path.rename(folder / "train.json")
    written(folder, person(1, 1), numbers=(1,)).rename(folder / "val.json")
    both = CocoKeypoints(path=str(folder), skeleton=PLAIN)
    assert [len(both.samples(split)) for split in ("train", "val", "test")] == [2, 1, 0]


@pytest.mark.parametrize(
    ("annotations", "changes", "told"),
    [
        ([person(keypoints=[1, 2, 2])], {}, "annotation 1 has 1 keypoints, its category 3"),
        ([person(keypoints=[float("nan")] * 9)], {}, "annotation 1 has keypoints that are no numbers"),
        ([person(bbox=[100, 5, 10, 10])], {}, "annotation 1 has a box outside the image"),
        ([person(bbox=[1, 2, float("inf"), 3])], {}, "annotation 1 has no box"),
        ([person(), person()], {}, "annotation 1 is listed twice"),
        ([person(image=9)], {}, "unknown image 9"),
        ([person(category_id=7)], {}, "unknown category 7"),
        ([person()], {"images": [{"id": 1, "file_name": "1.png"}] * 2}, "image 1 is listed 2 times"),
        ([person()], {"images": [{"id": 1, "file_name": "no.png"}]}, "there is no"),
        ([], {}, "no person with labelled points"),
        ([person(keypoints=[0] * 9)], {}, "no person with labelled points"),
        ([person()], {"categories": [{"id": 1, "name": "person"}]}, "has no keypoints"),
        ([person()], {"categories": [{"id": 1, "name": "cat", "keypoints": ["a"]}]}, "no category 'person'"),
        ([person()], {"annotations": 3}, "is no COCO file"),
        (["x"], {}, "is no object"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_annotation(folder, annotations, changes, told):
    path = written(folder, *annotations, **changes)
    with pytest.raises(UserError, match=told) as error:
        source(path).samples("train")
    assert str(path) in str(error.value)
    assert any(told in problem for problem in check(source(path)).problems)


def test_all_problems_are_told_and_the_rest_is_read(folder):
    report = check(source(written(folder, person(), person(2, keypoints=[1]), person(3, 9))))
    assert len(report.problems) == 2
    assert report.splits["train"] == 2
    assert report.classes == {"left": 1 / 3, "right": 1 / 3, "top": 1 / 3}
    assert report.counted == "labelled points"


def test_other_points_than_the_familys(folder):
    with pytest.raises(UserError, match="has no point 'nose'"):
        CocoKeypoints(path=str(written(folder, person()))).samples("train")


@pytest.mark.parametrize("content", ["{", "[]]", "\x00"])
def test_broken_json(folder, content):
    path = folder / "people.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"people\.json"):
        reader(path)(path=str(path)).samples("train")


def test_windows_for_training_hold_one_person_and_room(folder):
    path = written(folder, person(), person(2, bbox=[30, 10, 20, 20]))
    samples = source(path, windows=Windows(aspect=1.0, margin=1.25)).samples("train")
    assert len(samples) == 2
    image, truth, name = samples[0]
    assert image.shape == (75, 75, 3)  # 30 wide, times 1.25, times 2
    assert len(truth.points) == 1
    assert name == "1.png#0"
    x, y = truth.points[0, 0].astype(int)
    assert image[y, x].tolist() == [250, 250, 250]
    np.testing.assert_array_equal(truth.points + np.array(truth.origin), [[[10, 20], [30, 20], [20, 10]]])


def test_windows_for_scores_hold_everybody(folder):
    path = written(folder, person(), person(2, bbox=[30, 10, 20, 20]))
    image, truth, _ = source(path, windows=Windows(aspect=1.0)).samples("val")[1]
    assert image.shape == (25, 25, 3)
    assert len(truth.points) == 2
    assert truth.score == 1


def test_windows_of_detections(folder):
    path, detections = written(folder, person(), person(2, 2)), folder / "boxes.json"
    box = {"image_id": 1, "category_id": 1, "bbox": [4, 4, 30, 22], "score": 0.7}
    detections.write_text(json.dumps([box]))
    samples = source(path, windows=Windows(), detections=str(detections)).samples("val")
    assert [sample.truth.score for sample in samples] == [pytest.approx(0.7), 0]  # the second was missed


def test_mpii(folder):
    joints = [[float(n + 2), 11.0] for n in range(16)]
    joints[3] = [-1, -1]
    entry = {
        "image": "1.png",
        "joints": joints,
        "joints_vis": [1] * 15 + [0],
        "center": [31, 21],
        "scale": 0.1,
    }
    path = folder / "mpii.json"
    path.write_text(json.dumps([entry, entry | {"image": "2.png"}]))
    found = MpiiKeypoints(path=str(path), same=True)
    assert reader(path) is MpiiKeypoints
    truth = found.samples("train")[0].truth
    assert truth.points[0, 0].tolist() == [1, 10]
    assert truth.visible[0].tolist() == [2, 2, 2, 0, *[2] * 11, 0]
    np.testing.assert_allclose(truth.boxes, [[30 - 7.5, 20 - 10, 15, 20]])
    wrongs = [
        ({"joints": joints[:3]}, "3 joints"),
        ({"image": "x.png"}, "there is no"),
        ({"scale": 0}, "scale"),
    ]
    for wrong, told in wrongs:
        path.write_text(json.dumps([entry, entry | wrong]))
        with pytest.raises(UserError, match=told):
            MpiiKeypoints(path=str(path), same=True).samples("train")


@pytest.mark.parametrize("skeleton", [COCO17, COCO18, MPII])
def test_figures(skeleton):
    samples = Figures(train=6, skeleton=skeleton).samples("train")
    again = Figures(train=6, skeleton=skeleton).samples("train")
    for sample, same in zip(samples, again, strict=True):
        np.testing.assert_array_equal(sample.image, same.image)
        points, visible = sample.truth.points, sample.truth.visible
        inside = ((points > -0.5) & (points < np.array([255.5, 191.5]))).all(axis=-1)
        assert inside[visible > 0].all()
        assert 1 <= len(points) <= 4
        assert (sample.truth.areas > 100).all()
    assert len({s.truth.image for s in samples}) == 6
    others = Figures(train=6, validation=6, skeleton=skeleton).samples("val")
    assert not np.array_equal(others[0].image, samples[0].image)


def test_figures_in_windows():
    source = Figures(train=3, validation=2, people=(2, 3), windows=Windows())
    assert [len(source.samples(split)) for split in ("train", "val")] == [6, 4]
    assert len(source.samples("train")[1].truth.points) == 1
    assert len(source.samples("val")[1].truth.points) >= 2
