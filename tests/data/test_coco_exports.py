"""Files of key points as tools export them are read rightly, and what they cannot mean is told."""

import json
import shutil
import unicodedata

import numpy as np
import pytest

from kerazoo.data.augment import Augmentation, augment
from kerazoo.data.check import check
from kerazoo.data.keypoints.coco import CocoKeypoints
from kerazoo.data.keypoints.reader import keypoint_source
from kerazoo.data.keypoints.windows import Windows
from kerazoo.errors import UserError
from kerazoo.structures.skeleton import Skeleton
from tests.keypoint_files import PLAIN, POINTS, nobody, person, source, written

NAN = float("nan")
CATEGORY = {"id": 1, "name": "person", "keypoints": list(POINTS)}


def truths(path, **settings):
    return [sample.truth for sample in source(path, **settings).samples("val")]


def test_two_categories_of_one_name_are_one(folder):
    categories = [CATEGORY, CATEGORY | {"id": 7}, {"id": 8, "name": "person"}]
    people = person(), person(2, category_id=7), nobody(3, category_id=8, bbox=[50, 30, 5, 5])
    path = written(folder, *people, categories=categories)
    truth = truths(path)[0]
    assert (truth.visible > 0).sum(axis=1).tolist() == [3, 3, 0]
    assert truth.ignore.sum() == 25
    assert source(path).warnings() == [
        f"{path}: the categories 1, 7, 8 are all called 'person' and taken for one"
    ]


def test_two_categories_of_one_name_and_other_points_are_not(folder):
    categories = [CATEGORY, CATEGORY | {"id": 7, "keypoints": ["right", "left", "top"]}]
    with pytest.raises(UserError, match="2 categories are called 'person', with different keypoints"):
        truths(written(folder, person(), categories=categories))
    with pytest.raises(UserError, match="the category id 1 is there twice"):
        truths(written(folder, person(), categories=[CATEGORY, {"id": 1, "name": "dog"}]))


def test_people_of_other_categories_are_told(folder):
    path = written(folder, person(), person(2, category_id=3), person(3, category_id=3),
                   categories=[CATEGORY, CATEGORY | {"id": 3, "name": "dog"}])  # fmt: skip
    assert len(truths(path)[0].points) == 1
    told = "2 annotation(s) with keypoints of dog are left out: data.category is 'person'"
    assert source(path).warnings() == [f"{path}: {told}"]


def test_other_categories_need_no_name(folder):
    path = written(folder, person(), person(2, category_id=3),
                   categories=[CATEGORY, {"id": 3, "supercategory": "animal"}])  # fmt: skip
    told = "1 annotation(s) with keypoints of category 3 are left out: data.category is 'person'"
    assert source(path).warnings() == [f"{path}: {told}"]


def test_the_only_file_of_a_folder_has_any_name(folder):
    path = written(folder, person())
    path.rename(folder / "result.json")
    assert len(truths(folder)[0].points) == 1
    assert keypoint_source(folder) is CocoKeypoints


@pytest.mark.parametrize(
    ("images", "annotations", "known"),
    [
        ((1, 2), (1.0, "2"), (1, 2)),
        (("0001", "0002"), ("0001", 2), ("0001", "0002")),
        (("a", "b"), "ab", ("a", "b")),
    ],
)
def test_ids_are_numbers_or_text(folder, images, annotations, known):
    files = [{"id": image, "file_name": f"{n}.png"} for n, image in enumerate(images, 1)]
    people = [person(number, image, category_id="1") for number, image in enumerate(annotations, 1)]
    found = truths(written(folder, *people, images=files))
    assert [truth.image for truth in found] == list(known)
    assert [len(truth.points) for truth in found] == [1, 1]


def test_ids_that_may_mean_two_images_mean_none(folder):
    files = [{"id": image, "file_name": f"{n}.png"} for n, image in enumerate(("1", "01"), 1)]
    with pytest.raises(UserError, match="annotation 1 is of the unknown image 1"):
        truths(written(folder, person(), images=files))


@pytest.mark.parametrize(("flag", "crowds"), [("0", 0), (0.0, 0), (False, 0), (None, 0), ("1", 1), (True, 1)])
def test_what_stands_for_a_crowd(folder, flag, crowds):
    truth = truths(written(folder, person(), person(2, iscrowd=flag)))[0]
    assert (len(truth.points), len(truth.crowds)) == (2 - crowds, crowds)


@pytest.mark.parametrize("flag", ["no", 2, [0], NAN])
def test_what_may_or_may_not_be_a_crowd(folder, flag):
    with pytest.raises(UserError, match="annotation 2 has an iscrowd other than 0 and 1"):
        truths(written(folder, person(), person(2, iscrowd=flag)))


@pytest.mark.parametrize("box", [None, [], [None] * 4])
def test_who_has_no_box_gets_that_of_the_labelled_points(folder, box):
    path = written(folder, person(bbox=box, area=None), nobody(2, image=2, bbox=box, area=None))
    first, second = truths(path)
    np.testing.assert_array_equal(first.boxes, [[10, 10, 20, 10]])
    np.testing.assert_allclose(first.areas, [0.53 * 200])
    np.testing.assert_array_equal(second.boxes, [[0, 0, 60, 40]])
    assert second.ignore.all()  # who is nowhere may be anywhere
    told = source(path).warnings()
    assert [line.split(", ")[1:] for line in told] == [
        ["the first is 1", "have no bbox and get that of their labelled points"],
        ["the first is 2", "have neither a bbox nor labelled points: nothing is learned in their images"],
    ]


@pytest.mark.parametrize("nothing", [NAN, None])
def test_points_that_are_not_labelled_need_no_place(folder, nothing):
    truth = truths(written(folder, person(keypoints=[nothing, nothing, 0, 30, 20, 1, 20, 10, 2])))[0]
    np.testing.assert_array_equal(truth.points, [[[0, 0], [30, 20], [20, 10]]])
    assert truth.visible.tolist() == [[0, 1, 2]]
    for point in ([nothing, 20, 2], [10, 20, nothing]):
        with pytest.raises(UserError, match="annotation 1 has keypoints that are no finite numbers"):
            truths(written(folder, person(keypoints=[*point, 30, 20, 1, 20, 10, 2])))


def shares(number, image=1):
    return person(number, image, keypoints=[0.2, 0.5, 2, 0.5, 0.5, 1, 0.3, 0.3, 2], bbox=[0.1, 0.1, 0.5, 0.5])


def test_shares_of_the_sides_are_no_pixels(folder):
    with pytest.raises(UserError, match="no labelled point is beyond 1.5: they are shares .* multiply x by"):
        truths(written(folder, shares(1), shares(2, 2), nobody(3)))
    with pytest.raises(UserError, match="annotation 2 has shares of the image's sides for points"):
        truths(written(folder, person(), shares(2, 2)))
    assert truths(written(folder, person(keypoints=[1, 1, 2] + [0] * 6), person(2)))[0].points.max() == 30


def test_corners_are_no_width_and_height(folder):
    """As width and height, 55 and 38 reach beyond 60 x 40; as right and bottom they hold the points."""
    far = person(2, keypoints=[40, 30, 2, 50, 35, 1, 45, 32, 2], bbox=[35, 25, 55, 38])
    with pytest.raises(UserError, match="each bbox is left, top, right and bottom: .* write width"):
        truths(written(folder, person(bbox=[5, 5, 35, 25]), far))
    assert len(truths(written(folder, person(), far | {"bbox": [35, 25, 20, 13]}))[0].boxes) == 2


def test_boxes_that_miss_their_points_are_told(folder):
    path = written(folder, person(), person(2, 2, bbox=[40, 25, 15, 10]))
    told = "have a bbox that leaves the image or misses points that are seen"
    assert source(path).warnings() == [f"{path}: 1 annotation(s), the first is 2, {told}"]
    hidden = person(2, 2, keypoints=[10, 20, 1, 30, 20, 2, 20, 10, 2], bbox=[18, 8, 14, 14])
    assert source(written(folder, person(), hidden)).warnings() == []


def spread(number, points=lambda x, y, left, top: (x, y), box=lambda *box: box):
    """Return a person of 20 x 20 pixels at a place of its own, as `points` and `box` write it."""
    left, top = 12 + 2 * number, 10 + number
    places = [points(left + x, top + y, left, top) for x, y in ((0, 0), (20, 4), (10, 19))]
    keypoints = [value for place in places for value in (*place, 2)]
    return person(number, keypoints=keypoints, bbox=list(box(left, top, 20, 20)))


@pytest.mark.parametrize(
    "otherwise",
    [
        {"points": lambda x, y, left, top: (x / 3, y / 2)},
        {"points": lambda x, y, left, top: (x / 2, y / 2)},
        {"points": lambda x, y, left, top: (x - left, y - top)},
        {"box": lambda left, top, width, height: (left / 60, top / 40, width / 60, height / 40)},
        {"box": lambda left, top, width, height: (left + width / 2, top + height / 2, width, height)},
    ],
    ids=["percents", "half of the size", "from the box on", "shares for boxes", "centres of boxes"],
)
def test_boxes_and_points_that_contradict_each_other_are_an_error(folder, otherwise):
    assert source(written(folder, *map(spread, range(1, 7)))).warnings() == []
    wrong = [spread(number, **otherwise) for number in range(1, 7)]
    with pytest.raises(UserError, match=r"people\.json: the bbox of 6 of 6 people with points misses"):
        truths(written(folder, *wrong))
    few = source(written(folder, *wrong[:3], *map(spread, range(4, 7)), nobody(7))).warnings()
    assert any("3 annotation(s), the first is 1, have a bbox that" in warning for warning in few)


def test_points_outside_of_the_image_are_not_labelled_and_told(folder):
    path = written(folder, person(keypoints=[500, 20, 2, 59.9, -1, 1, 20, 10, 2]), person(2, 2))
    truth = truths(path)[0]
    assert truth.visible.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(truth.points[0, 1], [59.5, -0.5], atol=1e-5)  # within a pixel: brought in
    assert truth.points[0, 1, 0] < 59.5
    told = "1 of 6 labelled points are outside of their images and count as not labelled"
    assert f"{path}: {told}, the first in annotation 1" in source(path).warnings()
    swapped = person(keypoints=[20, 55, 2, 20, 50, 2, 10, 50, 2], bbox=[5, 30, 30, 10])
    with pytest.raises(UserError, match="3 of 3 labelled points are outside .* are x and y swapped"):
        truths(written(folder, swapped))


def test_points_whose_visibility_says_something_else_are_told(folder):
    with pytest.raises(UserError, match="all visibilities are 0, .* write 1 or 2"):
        truths(written(folder, person(keypoints=[10, 20, 0, 30, 20, 0, 20, 10, 0])))
    path = written(folder, person(keypoints=[0, 0, 2, 30, 20, 1, 20, 10, 2]), person(2), person(3))
    assert "1 labelled points are at 0, 0: those that are not labelled need" in source(path).warnings()[0]


def test_sizes_that_are_not_told_are_the_images_own(folder):
    files = [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png", "width": 0, "height": "x"}]
    path = written(folder, person(2, 2, keypoints=[500, 20, 2, 30, 20, 1, 20, 10, 2]), images=files)
    assert truths(path)[1].visible.tolist() == [[0, 1, 2]]
    assert "1 of 3 labelled points" in source(path).warnings()[0]


def test_two_ids_of_one_image_are_told(folder):
    files = [{"id": number, "file_name": "1.png"} for number in (1, 2)]
    path = written(folder, person(), person(2, 2), images=files)
    told = "1 image(s) have several ids, such as 1.png; what one id has is unknown to the other"
    assert source(path).warnings() == [f"{path}: {told}"]


def test_a_mirror_image_has_its_ears_on_the_right_side(folder):
    """Also where the skeleton's file has no flips."""
    own = Skeleton(points=POINTS)
    sample = CocoKeypoints(path=str(written(folder, person())), skeleton=own, same=True).samples("train")[0]
    seen = [augment(sample, Augmentation(flip=True), np.random.default_rng(seed)).truth for seed in range(8)]
    mirrored = [truth.points[0].tolist() for truth in seen if truth.points[0, 2, 0] != 20]
    assert mirrored
    assert all(points == [[29, 20], [49, 20], [39, 10]] for points in mirrored)


def test_flips_that_leave_out_a_side_are_told(folder):
    found = CocoKeypoints(
        path=str(written(folder, person())), skeleton=Skeleton(points=POINTS, flips=()), same=True
    )
    assert "flips leave out left, right: a mirror image" in check(found).warnings[0]


@pytest.mark.parametrize(
    ("named", "stored", "told"),
    [
        (r"images\a b.png", "images/a b.png", False),
        ("/data/upload/3/a.png", "images/a.png", True),
        (r"C:\Users\me\set\a.png", "images/a.png", True),
        ("https://host.example/set/images/a%20b.png?key=x#y", "images/a b.png", True),
        ("s3://bucket/cam1/a.png", "images/cam1/a.png", False),
        ("./été/a.png", unicodedata.normalize("NFD", "été") + "/a.png", False),
        ("../set/images/a.png", "images/a.png", True),
    ],
)
def test_images_of_other_machines_are_found_by_the_ends_of_their_names(folder, named, stored, told):
    (folder / stored).parent.mkdir(parents=True)
    shutil.move(folder / "1.png", folder / stored)
    path = written(folder, person(), images=[{"id": 1, "file_name": named}])
    sample = source(path).samples("train")[0]
    assert sample.image.shape == (40, 60, 3)
    assert stored.endswith(sample.name)
    assert [repr(named) in line for line in source(path).warnings()] == [True] * told


def test_an_image_that_two_names_end_in_is_neithers(folder):
    files = [{"id": n, "file_name": f"/old/cam{n}/1.png"} for n in (1, 2)]
    path = written(folder, person(), person(2, 2), images=files)
    with pytest.raises(UserError, match=r"1\.png is found for '/old/cam1/1\.png' and for another image"):
        truths(path)
    (folder / "cam2").mkdir()
    shutil.move(folder / "2.png", folder / "cam2/1.png")
    assert [sample.name for sample in source(path).samples("val")] == ["1.png", "cam2/1.png"]


def cvat(root, folder, *subsets):
    (root / "annotations").mkdir(parents=True)
    for subset in subsets:
        (root / "images" / subset).mkdir(parents=True)
        shutil.copy(folder / "1.png", root / "images" / subset / "1.png")
        path = written(folder, person(), numbers=(1,))
        path.rename(root / "annotations" / f"person_keypoints_{subset}.json")
    return root


def test_cvats_exports(folder):
    root = cvat(folder / "one", folder, "default")
    assert len(keypoint_source(root)(path=str(root), skeleton=PLAIN, same=True).samples("train")) == 1
    root = cvat(folder / "splits", folder, "Train", "Validation", "Other")
    found = keypoint_source(root)(path=str(root), skeleton=PLAIN)
    assert [len(found.samples(split)) for split in ("train", "val", "test")] == [1, 1, 0]
    other = root / "annotations/person_keypoints_Other.json"
    assert found.warnings() == [f"{other} is named after no split and is left out"]
    root = cvat(folder / "none", folder, "Boys", "Girls")
    with pytest.raises(UserError, match=r"Boys\.json and .*Girls\.json, none for train; give one"):
        keypoint_source(root)


def test_results_have_the_ids_of_the_file(folder):
    files = [{"id": "0001", "file_name": "1.png", "width": 60, "height": 40}]
    (folder / "boxes.json").write_text(
        json.dumps([{"image_id": "0001", "category_id": 1, "bbox": [4, 4, 30, 22], "score": 0.7}])
    )
    path = written(folder, person(), images=files)
    truth = truths(path, windows=Windows(), detections=str(folder / "boxes.json"))[0]
    assert (truth.image, truth.score) == ("0001", pytest.approx(0.7))
