"""Key points from COCO's files, and what is wrong with files."""

import json
import shutil

import cv2
import numpy as np
import pydantic
import pytest
from faster_coco_eval import mask

from kerazoo import settings
from kerazoo.data.check import check
from kerazoo.data.keypoints.coco import CocoKeypoints
from kerazoo.data.keypoints.reader import keypoint_source
from kerazoo.data.keypoints.windows import Windows
from kerazoo.data.regions import decode_rle, parse_region, region_mask
from kerazoo.errors import UserError
from kerazoo.structures.keypoints import Poses
from kerazoo.structures.skeleton import COCO17, COCO18
from kerazoo.tasks.pose.oks import scores
from tests.keypoint_files import PLAIN, nobody, person, source, written


def test_points_boxes_and_numbers(folder):
    samples = source(written(folder, person(), person(2, 2, bbox=[0, 0, 10, 10]))).samples("train")
    truth = samples[0].truth
    np.testing.assert_array_equal(truth.points[0], [[10, 20], [30, 20], [20, 10]])
    np.testing.assert_array_equal(truth.visible, [[2, 1, 2]])
    np.testing.assert_array_equal(truth.boxes, [[5, 5, 30, 20]])
    assert (truth.image, truth.category, truth.areas.tolist(), truth.ignore) == (1, 1, [400], None)
    assert samples[0].image[20, 10].tolist() == [250, 250, 250]
    assert samples[1].truth.image == 2


POLYGON = [[0, 0, 9, 0, 9, 9, 0, 9]]
RUNS = {"counts": [0, 40 * 3, 40 * 57], "size": [40, 60]}  # three columns, column by column


def test_crowds_and_unlabelled_people_are_silent(folder):
    people = person(), nobody(2, iscrowd=1, segmentation=RUNS), nobody(3, segmentation=POLYGON)
    found = source(written(folder, *people, nobody(4, bbox=[50, 30, 5, 5])))
    ignore = np.zeros((40, 60), "uint8")
    ignore[:, :3] = ignore[:10, :10] = ignore[30:35, 50:55] = 1
    for split, count in (("train", 1), ("val", 3)):  # where scores ask who is there, but not labelled
        truth = found.samples(split)[0].truth
        assert len(truth.points) == len(truth.visible) == len(truth.boxes) == len(truth.areas) == count
        np.testing.assert_array_equal(truth.crowds, [[5, 5, 30, 20]])
        np.testing.assert_array_equal(truth.ignore, ignore)
        assert truth.ignore.dtype == np.uint8
    assert found.samples("train")[1].truth.ignore is None


def test_people_of_too_few_points_or_pixels_are_silent_in_training_alone(folder):
    one = person(2, keypoints=[10, 20, 2] + [0] * 6, segmentation=POLYGON)
    path = written(folder, person(), one, person(3, area=100, bbox=[50, 30, 5, 5]))
    found = source(path, least_points=2, least_area=101)
    truth = found.samples("train")[0].truth
    np.testing.assert_array_equal(truth.visible, [[2, 1, 2]])
    assert truth.ignore[:10, :10].all()
    assert truth.ignore.sum() == 100 + 25
    assert len(found.samples("val")[0].truth.points) == 3
    with pytest.raises(UserError, match="nobody with 3 labelled points and 1000 square pixels"):
        source(path, least_points=3, least_area=1000).samples("train")


def test_points_of_visibility_0_are_not_labelled_wherever_they_are(folder):
    truth = source(written(folder, person(keypoints=[7, 7, 0, 30, 20, 1, 20, 10, 2]))).samples("val")[0].truth
    assert truth.visible.tolist() == [[0, 1, 2]]


def test_points_are_found_by_name(folder):
    path = written(
        folder, person(), categories=[{"id": 1, "name": "person", "keypoints": ["top", "left", "right"]}]
    )
    truth = source(path).samples("train")[0].truth
    np.testing.assert_array_equal(truth.points[0], [[30, 20], [20, 10], [10, 20]])
    assert truth.visible.tolist() == [[1, 2, 2]]


def test_the_neck_lies_between_the_shoulders(folder):
    names = list(COCO17.points)
    keypoints = np.zeros((17, 3), int)
    keypoints[[5, 6]] = (10, 20, 2), (30, 24, 2)
    path = written(folder, person(keypoints=keypoints.ravel().tolist()),
                   categories=[{"id": 1, "name": "person", "keypoints": names}])  # fmt: skip
    truth = CocoKeypoints(path=str(path), skeleton=COCO18, same=True).samples("train")[0].truth
    assert truth.points[0, 1].tolist() == [20, 22]
    assert truth.visible.sum(axis=1).tolist() == [6]


def test_shares_of_one_file(folder):
    path = written(folder, person(), person(2, 2))
    halves = CocoKeypoints(path=str(path), skeleton=PLAIN, validation=0.5)
    parts = [[s.name for s in halves.samples(split)] for split in ("train", "val", "test")]
    assert sorted(parts[0] + parts[1]) == ["1.png", "2.png"]
    assert [len(part) for part in parts] == [1, 1, 0]
    assert [len(source(path).samples(split)) for split in ("train", "val", "test")] == [2, 2, 2]
    assert settings.from_plain(settings.to_plain(halves)) == halves
    with pytest.raises(pydantic.ValidationError, match="nothing to train on"):
        CocoKeypoints(path=str(path), validation=0.6, test=0.4)


def placed(folder, file, images):
    """Bring image 1 and annotations of it to where a data set has them."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / images).mkdir(parents=True, exist_ok=True)
    if images != ".":
        shutil.copy(folder / "1.png", folder / images / "1.png")
    written(folder, person(), numbers=(1,)).rename(folder / file)


@pytest.mark.parametrize(
    ("files", "images"),
    [
        (("train.json", "val.json"), (".", ".")),
        (("train.json", "val.json"), ("train", "val")),
        (("train.json", "valid.json"), ("images", "images")),
        (("annotations/train.json", "annotations/val.json"), ("train", "val")),
        (("annotations/train.json", "annotations/val.json"), ("images/train", "images/val")),
        (("annotations/person_keypoints_train2017.json", "annotations/person_keypoints_val2017.json"),
         ("train2017", "val2017")),
        (("train/_annotations.coco.json", "valid/_annotations.coco.json"), ("train", "valid")),
        (("Training/_annotations.coco.json", "Dev/labels.json"), ("Training", "Dev")),
        (("Train.json", "validation_set.json"), ("Training", "valid")),
        (("annotations/person_keypoints_Train.json", "annotations/person_keypoints_Val.json"),
         ("images/Train", "images/Val")),
    ],
)  # fmt: skip
def test_folders(folder, files, images):
    root = folder / "set"
    root.mkdir()
    for name in ("1.png", "2.png"):
        shutil.copy(folder / name, root / name)
    for file, place in zip(files, images, strict=True):
        placed(root, file, place)
    if images[0] != ".":
        (root / "1.png").unlink()
    found = keypoint_source(root)(path=str(root), skeleton=PLAIN)
    assert isinstance(found, CocoKeypoints)
    assert [len(found.samples(split)) for split in ("train", "val", "test")] == [1, 1, 0]
    assert found.samples("val")[0].image.shape == (40, 60, 3)
    assert not check(found).problems


def test_the_folder_of_the_images_can_be_told(folder):
    (folder / "elsewhere").mkdir()
    path = written(folder, person(), numbers=(1,))
    (folder / "1.png").rename(folder / "elsewhere" / "1.png")
    told = (
        r"none of its 1 image.s., such as '1.png', is in .*; say with --set data.images=FOLDER where they are"
    )
    with pytest.raises(UserError, match=told):
        source(path).samples("train")
    assert len(source(path, images=str(folder / "elsewhere")).samples("train")) == 1
    (folder / "other").mkdir()
    with pytest.raises(UserError, match=r"is in .*/other; check data.images"):
        source(path, images=str(folder / "other")).samples("train")
    with pytest.raises(UserError, match="data.images=.*/nowhere is no folder"):
        source(path, images=str(folder / "nowhere")).samples("train")


def test_folders_that_cannot_be_used(folder):
    for name in ("train2014", "train2017"):
        placed(folder, f"annotations/person_keypoints_{name}.json", name)
    with pytest.raises(UserError, match="train2014.json and .*train2017.json, all for train; keep one"):
        keypoint_source(folder)
    (folder / "empty").mkdir()
    for path, told in ((folder / "empty", "has no annotations"), (folder / "nowhere", "does not exist")):
        with pytest.raises(UserError, match=f"{path.name} {told}"):
            keypoint_source(path)
        assert told in check(source(path)).problems[0]
    with pytest.raises(UserError, match="1.png holds no key points"):
        keypoint_source(folder / "1.png")


def test_a_folder_to_validate_on_alone(folder):
    written(folder, person(), person(2, 2)).rename(folder / "val.json")
    found = source(folder)
    assert len(found.samples("val")) == 2
    with pytest.raises(UserError, match="no images to train on"):
        found.samples("train")


def test_images_without_people_show_that_there_is_nobody(folder):
    sample = source(written(folder, person())).samples("train")[1]
    assert sample.name == "2.png"
    assert sample.truth.points.shape == (0, 3, 2)
    assert sample.truth.boxes.shape == sample.truth.crowds.shape == (0, 4)
    assert sample.truth.ignore is None


def test_boxes_end_where_the_image_does_and_have_an_extent(folder):
    people = person(bbox=[-5, 30, 20, 20], area=None), person(2, bbox=[10, 10, 0, 0], area=0), person(3, 2)
    truth = source(written(folder, *people)).samples("train")[0].truth
    np.testing.assert_array_equal(truth.boxes, [[0, 30, 15, 10], [10, 10, 20, 10]])
    np.testing.assert_allclose(truth.areas, [0.53 * 150, 0.53 * 200])


def test_a_image_of_another_size_than_was_annotated(folder):
    path = written(folder, person(), images=[{"id": 1, "file_name": "1.png", "width": 40, "height": 60}])
    with pytest.raises(UserError, match="1.png has 60 x 40 pixels, its annotations are for 40 x 60"):
        source(path).samples("train")[0]
    assert len(check(source(path)).problems) == 1


@pytest.mark.parametrize(
    ("annotations", "changes", "told"),
    [
        ([person(keypoints=[1, 2, 2])], {}, "annotation 1 has 3 numbers as keypoints, 3 points need 9"),
        ([person(keypoints=[float("nan")] * 9)], {}, "annotation 1 has keypoints that are no finite numbers"),
        ([person(bbox=[100, 5, 10, 10])], {}, "annotation 1 has a bbox outside the image"),
        ([person(bbox=[1, 2, float("inf"), 3])], {}, "annotation 1 has no bbox of left"),
        ([person(), person()], {}, "annotation 1 is there twice"),
        ([person(image=9)], {}, "annotation 1 is of the unknown image 9"),
        ([person(category_id=7)], {}, "annotation 1 is of the unknown category 7"),
        ([person()], {"images": [{"id": 1, "file_name": "1.png"}] * 2}, "image 1 is there twice"),
        (
            [person()],
            {"images": [{"id": 1, "file_name": "no.png"}]},
            "such as 'no.png', is in",
        ),
        ([], {}, "nobody with 1 labelled points"),
        ([person(keypoints=[0] * 9)], {}, "nobody with 1 labelled points"),
        ([person()], {"categories": [{"id": 1, "name": "person"}]}, "no category with keypoints"),
        (
            [person()],
            {"categories": [{"id": 1, "name": "cat", "keypoints": ["a"]}]},
            "no category 'person' with keypoints",
        ),
        ([person()], {"annotations": 3}, "has no lists images, annotations, categories"),
        (["x"], {}, "annotation number 1 is no object"),
        ([person(keypoints=[10, 20, 5] * 3)], {}, "annotation 1 has keypoints of a visibility other than"),
        ([person(keypoints=["x"] * 9)], {}, "annotation 1 has keypoints that are no finite numbers"),
        ([person(bbox=[1, 2, -3, 4])], {}, "annotation 1 has no bbox of left"),
        ([person()], {"images": [{"id": 1}]}, "image 1 has no id or no file_name"),
        (
            [person()],
            {"categories": [{"id": 1, "name": "person", "keypoints": ["a", "a"]}]},
            "different names",
        ),
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
    assert report.counted == "points"


def test_many_problems_of_one_reason_are_one_line(folder):
    wrong = [person(number, keypoints=[10, 20, 0.9] * 3) for number in range(1, 9)]
    path = written(folder, *wrong, person(9, 9), person(10))
    one, many = check(source(path)).problems
    assert many.startswith(f"{path}: annotation 1 has keypoints of a visibility other than 0, 1, 2 "
                           "(7 more are like it: 2, 3, 4, ...); mend")  # fmt: skip
    assert "annotation 9 is of the unknown image 9" in one
    assert len(check(source(written(folder, *wrong[:5], person(10)))).problems) == 5


def test_other_points_than_the_familys(folder):
    with pytest.raises(UserError, match="has no point 'nose'"):
        CocoKeypoints(path=str(written(folder, person()))).samples("train")


@pytest.mark.parametrize("content", ["{", "[]]", '{"images": [1, 2', "[[[" * 9999])
def test_broken_json(folder, content):
    path = folder / "people.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"people\.json is (no JSON|nested too deeply).* copy or export it"):
        keypoint_source(path)(path=str(path)).samples("train")


@pytest.mark.parametrize("content", [b"", b"\x00", b"words", b"3"])
def test_what_is_neither_cocos_nor_mpiis(folder, content):
    path = folder / "people.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"people\.json holds no key points"):
        keypoint_source(path)
    with pytest.raises(UserError, match=r"people\.json"):
        source(path).samples("train")


JUNK = [None, "x", "", [], {}, True, -1, 1e999, 10**400, "\ud800", [None], [[1]], {"a": 1}, [1, [2]]]


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_no_junk_ends_in_anything_but_a_line(folder, part, junk):
    content = json.loads(written(folder, person(segmentation=POLYGON), person(2, iscrowd=1)).read_text())
    for key in content[part][-1 if part == "annotations" else 0]:
        entry = content[part][-1 if part == "annotations" else 0] | {key: junk}
        path = written(folder, **(content | {part: [entry, *content[part][1:], person(3)][:3]}))
        check(source(path))
    path = written(folder, **(content | {part: [junk]}))
    assert check(source(path)).problems


def test_segmentations_are_unions_and_boxes_where_they_cannot_be_read(folder):
    box = [2, 3, 4, 5]
    squares = [[0, 0, 9, 0, 9, 9, 0, 9], [5, 5, 14, 5, 14, 14, 5, 14]]  # overlap
    union = region_mask([parse_region(squares, box)], (20, 20))
    assert union.sum() == 100 + 100 - 25
    plain = np.zeros((20, 20), "uint8")
    plain[3:8, 2:6] = 1
    for wrong in (None, [], [[1, 2]], [["a"] * 6], [[1, 2, 3]], [[float("nan")] * 6], 7, {}, {"counts": None},
                  {"counts": [3, 4]}, {"counts": "\\??"}, {"counts": [400], "size": [10, 40]}, [[1e300] * 6],
                  {"counts": "o" * 99}, {"counts": [2**63, 2**63]}, {"counts": ["400"]}):  # fmt: skip
        np.testing.assert_array_equal(region_mask([parse_region(wrong, box)], (20, 20)), plain)


def test_run_lengths_are_those_of_cocos_tool():
    rng = np.random.default_rng(0)
    for number in range(40):
        size = tuple(rng.integers(1, 90, 2).tolist())
        wanted = (cv2.GaussianBlur(rng.random(size), (0, 0), rng.uniform(0.1, 4)) > rng.random()).astype(
            "uint8"
        )
        packed = mask.encode(np.asfortranarray(wanted))
        text = packed["counts"].decode() if isinstance(packed["counts"], bytes) else packed["counts"]
        found = decode_rle({"counts": text, "size": list(size)}, size)
        np.testing.assert_array_equal(found, wanted, str(number))


@pytest.fixture
def real(shared):
    return shared / "data/coco_pose_fixture"


def test_real_annotations(real):
    found = CocoKeypoints(path=str(real / "test_coco.json"), same=True, skeleton=COCO18)
    assert [len(sample.truth.points) for sample in found.samples("train")] == [1, 2, 4, 5]
    assert [len(sample.truth.points) for sample in found.samples("val")] == [1, 3, 5, 5]
    report = check(CocoKeypoints(path=str(real / "test_coco.json")))
    assert not report.problems
    assert report.splits == {"train": 3, "val": 1}
    assert report.tally == {"people": 12, "crowds": 0}
    truth = found.samples("val")[1].truth
    assert truth.image == 40083
    assert (truth.visible[:, COCO18.indices(COCO17.points)] > 0).sum(axis=1).tolist() == [14, 15, 0]
    left, top, width, height = truth.boxes[2].astype(int)  # she is not labelled, and 491 pixels large
    assert truth.ignore[top : top + height + 2, left : left + width + 2].sum() == truth.ignore.sum()
    assert 450 < truth.ignore.sum() < 600


def test_the_truth_of_real_windows_scores_one(real):
    """From everybody's window, found where they are, people come back to their images."""
    path, boxes = str(real / "test_coco.json"), str(real / "test_coco_det_AP_H_56.json")
    plain = CocoKeypoints(path=path, same=True, windows=Windows()).samples("val")
    assert len(plain) == 12
    pairs = [(truth, alone(truth, image)) for image, truth, _ in plain]
    told = scores(pairs, COCO17).numbers
    assert (told["images"], told["people"], told["ap"], told["ar"]) == (4, 12, 1, 1)
    detected = CocoKeypoints(path=path, same=True, windows=Windows(), detections=boxes).samples("val")
    assert {sample.truth.image for sample in detected} == {785, 40083, 196141, 197388}
    assert len(detected) > 100
    assert scores([(truth, alone(truth, image)) for image, truth, _ in detected], COCO17).numbers["ar"] == 1


def alone(truth, image):
    """Return the person whose box is nearest to the middle of a window, as if found there."""
    middle = np.array(image.shape[1::-1]) / 2
    off = np.abs(truth.boxes[:, :2] + truth.boxes[:, 2:] / 2 - middle).sum(axis=1)
    off[~truth.visible.any(axis=1)] = np.inf
    person = off.argmin()
    points = np.concatenate([truth.points[person], truth.visible[person, :, None] > 0], axis=1)
    return Poses(points[None].astype("float32"), np.ones(1, "float32"))


def test_three_points_are_a_polygon_and_two_are_not():
    box = [0.0, 0.0, 9.0, 9.0]
    assert len(parse_region([[0, 0, 4, 0, 0, 4]], box).polygons) == 1
    assert not parse_region([[0, 0, 4, 0]], box).polygons


def test_a_run_length_may_have_sixty_bits():
    size = (2, 3)
    assert decode_rle({"counts": "P" * 11 + "06", "size": list(size)}, size).all()
    assert decode_rle({"counts": "P" * 12 + "06", "size": list(size)}, size) is None
