"""Scores of pose: against formulas in plain NumPy, against what must come out, and on real annotations."""

import dataclasses
import json
import math

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster

from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.matching import partners
from kerazoo.structures.skeleton import COCO17, COCO18, FACE68, MPII, Skeleton
from kerazoo.tasks.pose.oks import NAMES, images, scores
from kerazoo.tasks.pose.similarity import bounds, distinct, similarity


def people(skeleton=COCO17, count=3, image=0, seed=0, **changes):
    """Return people far apart, each 100 pixels wide and 200 high, all of whose points are seen."""
    rng = np.random.default_rng(seed)
    corners = 300.0 * np.arange(count)[:, None] * [1.0, 0.0]
    points = corners[:, None] + rng.uniform(0, 1, (count, len(skeleton.points), 2)) * [100.0, 200.0]
    visible = np.full(points.shape[:2], 2, "uint8")
    boxes = np.concatenate([corners, np.full((count, 2), [100.0, 200.0])], axis=1).astype("float32")
    areas = np.full(count, 12000.0, "float32")
    whole = People(points.astype("float32"), visible, boxes, areas, skeleton, image=image)
    return dataclasses.replace(whole, **changes)


def found(truth, shift=0.0, score=1.0):
    """Return the labelled people of a truth as a result, shifted to the right."""
    labelled = truth.visible > 0
    points = np.concatenate([truth.points + np.array([shift, 0.0]), labelled[..., None]], axis=-1)
    points = points[labelled.any(axis=-1)]
    return Poses(points.astype("float32"), np.full(len(points), score, "float32"))


def oks(one, other, area, sigmas, visible):
    """Return the similarity of two people, word by word from COCO's definition."""
    alike = [
        math.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * area * (2 * sigma) ** 2))
        for (x, y), (u, v), sigma, seen in zip(one, other, sigmas, visible, strict=True)
        if seen
    ]
    return sum(alike) / len(alike)


def test_similarity_is_cocos_formula():
    truth = people(count=2)
    truth.visible[0, 3:7] = 0
    near = truth.points + np.random.default_rng(1).normal(0, 8, truth.points.shape)
    told = similarity(near, truth.points, truth.areas, COCO17.sigma_per_point(), truth.visible > 0)
    for row in range(2):
        for column in range(2):
            other = (
                truth.points[column].astype("float64"),
                12000.0,
                COCO17.sigma_per_point(),
                truth.visible[column],
            )
            assert told[row, column] == pytest.approx(oks(near[row], *other), abs=1e-12)


def test_images_may_have_names_for_ids():
    truths = people(image="0007", category="person"), people(image="b", seed=1, category="person")
    told, files, _ = scores(((truth, found(truth)) for truth in truths), COCO17)
    assert (told["images"], told["people"], told["ap"]) == (2, 6, 1)
    assert [each["image_id"] for each in files["coco"]] == ["0007"] * 3 + ["b"] * 3
    assert {each["category_id"] for each in files["coco"]} == {"person"}


def test_what_is_true_scores_one():
    told = scores(
        ((truth, found(truth)) for truth in (people(image=7), people(image=9, seed=1))), COCO17
    ).numbers
    assert told["images"] == 2
    assert told["people"] == 6
    assert [told[name] for name in ("ap", "ap50", "ap75", "ap_large", "ar", "pck")] == [1.0] * 6
    assert told["ap_medium"] is None  # nobody is of that size
    assert told["point_pck"] == dict.fromkeys(COCO17.points, 1.0)


@pytest.mark.parametrize("shift", [2.0, 6.0, 11.0, 30.0])
def test_a_shifted_person_passes_the_thresholds_below_the_similarity(shift):
    truth = people(count=1)
    one, other = (truth.points[0] + np.array([step, 0.0]) for step in (shift, 0.0))
    alike = oks(one, other, 12000.0, COCO17.sigma_per_point(), truth.visible[0])
    told = scores([(truth, found(truth, shift))], COCO17).numbers
    thresholds = np.linspace(0.5, 0.95, 10)
    assert told["ap"] == pytest.approx((alike >= thresholds).mean())
    assert told["ap50"] == float(alike >= 0.5)
    assert told["ar75"] == float(alike >= 0.75)


def test_left_and_right_swapped_scores_lower():
    truth = people(count=1)
    wrong = found(truth)
    wrong.points[:] = wrong.points[:, COCO17.flip_indices()]
    told = scores([(truth, wrong)], COCO17).numbers
    assert told["ap"] == 0.0
    assert told["point_pck"]["nose"] == 1.0
    assert told["pck"] < 0.5


def test_a_false_person_lowers_precision_but_not_recall():
    truth = people(count=1, image=3)
    both = people(count=2)
    result = Poses(found(both).points[::-1], np.array([0.9, 0.8], "float32"))  # the false one first
    told = scores([(truth, result)], COCO17).numbers
    assert told["ar"] == 1.0
    assert told["ap"] == pytest.approx(0.5)


def test_a_missed_person_lowers_recall_and_pck():
    truth = people(count=2)
    told = scores([(truth, found(people(count=1)))], COCO17).numbers
    assert told["ar"] == 0.5
    assert told["pck"] == 0.5


@pytest.mark.parametrize("ignored", ["a crowd", "nobody labelled"])
def test_what_is_found_in_a_crowd_or_where_no_point_is_labelled_does_not_count(ignored):
    both = people(count=2)
    if ignored == "a crowd":
        truth = people(count=1, crowds=both.boxes[1:])
    else:
        truth = dataclasses.replace(both, visible=np.stack([both.visible[0], 0 * both.visible[1]]))
    result = Poses(found(both).points, np.array([0.8, 0.9], "float32"))
    told = scores([(truth, result)], COCO17).numbers
    assert told["ap"] == 1.0
    assert told["people"] == 1
    elsewhere = Poses(result.points + np.array([0, 2000, 0], "float32") * [[[0]], [[1]]], result.scores)
    assert scores([(truth, elsewhere)], COCO17).numbers["ap"] == pytest.approx(0.5)


def test_a_crowd_takes_any_number_of_people_and_a_person_without_labels_one():
    truth = people(count=3)
    none = dataclasses.replace(truth, visible=truth.visible * np.array([[1], [0], [1]], "uint8"))
    twice = Poses(found(truth).points[[0, 1, 1, 2]], np.array([0.6, 0.9, 0.8, 0.5], "float32"))
    assert scores([(none, twice)], COCO17).numbers["ap"] < 0.9
    crowd = dataclasses.replace(
        truth,
        **{name: getattr(truth, name)[[0, 2]] for name in ("points", "visible", "boxes", "areas")},
        crowds=truth.boxes[1:2],
    )
    assert scores([(crowd, twice)], COCO17).numbers["ap"] == 1.0


def test_points_that_are_hidden_are_labelled():
    truth = people(count=2)
    truth.visible[:] = 1
    told = scores([(truth, found(truth))], COCO17).numbers
    assert (told["people"], told["ap"], told["ar"]) == (2, 1.0, 1.0)


def test_nothing_and_nobody():
    names = scores([], COCO17).numbers
    assert names["images"] == 0
    assert all(names[name] is None for name in (*NAMES, "pck"))
    nobody = Poses(np.zeros((0, 17, 3), "float32"), np.zeros(0, "float32"))
    told = scores([(people(), nobody)], COCO17).numbers
    assert told.keys() == names.keys()
    assert told["ap"] == told["ar"] == told["pck"] == 0.0
    empty = dataclasses.replace(people(count=0), image=4)
    assert scores([(empty, found(people()))], COCO17).numbers["ap"] is None
    assert scores([(empty, found(people())), (people(image=5), found(people()))], COCO17).numbers["ap"] < 1.0


def test_only_annotated_points_count():
    truth = people(COCO18)
    result = found(truth)
    result.points[:, COCO18.points.index("neck")] = 0.0
    told, files, _ = scores([(truth, result)], COCO18)
    assert told["ap"] == 1.0
    assert list(told["point_pck"]) == list(COCO17.points)
    nose, left_eye = truth.points[0, [COCO18.points.index(name) for name in ("nose", "left_eye")]]
    first = files["coco"][0]["keypoints"]
    assert len(first) == 3 * 17
    np.testing.assert_allclose(first[:6], [*nose, 1.0, *left_eye, 1.0], atol=1e-3)


def test_windows_of_a_image_are_one_image():
    whole = people(count=3, image=8)
    crowd = np.array([[0, 900, 80, 90]], "float32")
    windows = []
    for person, (left, top, _, _) in enumerate(whole.boxes):
        origin = (float(left) - 20, float(top) - 10)
        truth = dataclasses.replace(
            whole,
            points=whole.points - np.array(origin, "float32"),
            boxes=whole.boxes - np.array([*origin, 0, 0], "float32"),
            crowds=crowd - np.array([*origin, 0, 0], "float32"),
            origin=origin,
            score=1.0 - 0.1 * person,
        )
        result = Poses(found(truth).points[person : person + 1], np.ones(1, "float32"))
        windows += [(truth, result), (dataclasses.replace(truth, score=0.1), result)]  # and a weak double
    told, files, _ = scores(windows, COCO17)
    assert (told["images"], told["people"], told["ap"]) == (1, 3, 1.0)
    assert [round(each["score"], 6) for each in files["coco"]] == [1.0, 0.9, 0.8]
    assert {each["image_id"] for each in files["coco"]} == {8}
    ((truth, _),) = images(windows, COCO17)
    np.testing.assert_allclose(truth.boxes, whole.boxes, atol=1e-3)
    np.testing.assert_allclose(truth.crowds, crowd, atol=1e-3)


def test_distinct_keeps_the_best_of_those_alike():
    truth = people(count=2)
    points = np.concatenate([found(truth, shift).points for shift in (0.0, 1.0, 60.0)])
    poses = Poses(points, np.array([0.3, 0.9, 0.8, 0.2, 0.7, 0.6], "float32"))
    kept = distinct(poses, COCO17.sigma_per_point())
    np.testing.assert_allclose(kept.scores, [0.9, 0.8, 0.7, 0.6])
    everyone = distinct(poses, COCO17.sigma_per_point(), limit=1.0)
    np.testing.assert_allclose(everyone.scores, [0.9, 0.8, 0.7, 0.6, 0.3, 0.2])


def test_one_point_in_its_place_is_a_whole_similarity():
    truth = people(count=1)
    truth.visible[0, 1:] = 0
    alike = similarity(truth.points, truth.points, truth.areas, COCO17.sigma_per_point(), truth.visible > 0)
    assert alike[0, 0] == pytest.approx(1.0)


def test_people_are_as_alike_as_the_mean_of_their_areas_says():
    small = found(people(count=1)).points
    large = small * np.array([1.2, 1.2, 1.0], "float32")
    areas = [float(np.prod(bounds(points)[0, 2:])) for points in (small, large)]
    sigmas, visible = COCO17.sigma_per_point(), np.ones(17, bool)
    alike = oks(small[0, :, :2].astype(float), large[0, :, :2].astype(float), sum(areas) / 2, sigmas, visible)
    poses = Poses(np.concatenate([small, large]), np.array([0.9, 0.8], "float32"))
    assert len(distinct(poses, sigmas, limit=alike + 1e-3).points) == 2
    assert len(distinct(poses, sigmas, limit=alike - 1e-3).points) == 1


def test_the_most_alike_go_together():
    alike = np.array([[0.9, 0.8, 0.0], [0.7, 0.1, 0.0]])
    assert partners(alike).tolist() == [0, 1, -1]
    assert partners(np.zeros((0, 2))).tolist() == [-1, -1]


def test_bounds_are_of_the_points_found():
    points = np.array([[[5, 6, 0.5], [9, 16, 0.1], [0, 0, 0]], [[1, 2, 0], [3, 4, 0], [5, 6, 0]]], "float32")
    assert bounds(points).tolist() == [[5, 6, 4, 10], [0, 0, 0, 0]]


def test_pck_counts_points_within_a_fifth_of_the_torso():
    truth = people(count=2)
    ends = [COCO17.points.index(name) for name in ("left_shoulder", "right_hip")]
    truth.points[0, ends] = [[0.0, 0.0], [60.0, 80.0]]  # a torso of 100
    truth.visible[1, ends[0]] = 0  # of the second person no torso is known
    result = found(truth)
    wrist, knee, ankle = (COCO17.points.index(f"left_{name}") for name in ("wrist", "knee", "ankle"))
    result.points[0, wrist, 0] += 19.9
    result.points[0, knee, 0] += 20.1
    result.points[0, ankle, 2] = 0.0
    told = scores([(truth, result)], COCO17).numbers
    assert told["point_pck"]["left_wrist"] == 1.0
    assert told["point_pck"]["left_knee"] == told["point_pck"]["left_ankle"] == 0.0
    assert told["pck"] == pytest.approx(15 / 17)


def test_pck_without_a_torso_goes_by_the_box():
    pair = Skeleton(points=("head", "tail"), limbs=((0, 1),))
    truth = people(pair, count=1)  # 0.2 of the diagonal is 44.7
    told = scores([(truth, found(truth, 44.6))], pair).numbers
    assert told["pck"] == 1.0
    assert scores([(truth, found(truth, 44.8))], pair).numbers["pck"] == 0.0
    small = dataclasses.replace(truth, boxes=np.array([[0, 0, 0.3, 0.4]], "float32"))
    assert scores([(small, found(small, 0.09))], pair).numbers["pck"] == 1.0
    assert scores([(small, found(small, 0.11))], pair).numbers["pck"] == 0.0
    assert "pckh" not in told
    assert "nme" not in told


def test_pckh_counts_points_within_half_a_head():
    truth = people(MPII, count=1)
    top, neck, pelvis, knee, ankle = (
        MPII.points.index(name) for name in ("head_top", "upper_neck", "pelvis", "left_knee", "left_ankle")
    )
    truth.points[0, [top, neck]] = [[50.0, 0.0], [50.0, 40.0]]
    result = found(truth)
    result.points[0, [pelvis, knee], 1] += 20.5
    result.points[0, ankle, 1] = truth.points[0, ankle, 1] = 100.0
    result.points[0, ankle, 1] += 20.0  # half a head itself is within
    told = scores([(truth, result)], MPII).numbers
    assert told["point_pckh"]["pelvis"] == told["point_pckh"]["left_knee"] == 0.0
    assert told["pckh"] == pytest.approx(13 / 14)  # without pelvis and thorax


def test_a_head_alone_is_measured_by_itself():
    head = Skeleton(points=("head_top", "upper_neck"), limbs=((0, 1),))
    truth = people(head, count=1)
    assert scores([(truth, found(truth))], head).numbers["pckh"] == 1.0


def test_everybody_is_measured_by_their_own_head():
    truth = people(MPII, count=3)
    top, neck, wrist = (MPII.points.index(name) for name in ("head_top", "upper_neck", "left_wrist"))
    truth.points[:, neck] = truth.points[:, top] + np.array([[0, 40], [60, 80], [0, 0]], "float32")
    truth.visible[0, MPII.points.index("right_wrist")] = 0
    result = found(truth)
    result.points[:, wrist, 0] += 30.0  # half of 40 is less, half of 100 more; of the last no head is known
    told = scores([(truth, result)], MPII).numbers
    assert told["point_pckh"]["left_wrist"] == 0.5
    assert told["point_pckh"]["right_wrist"] == 1.0
    assert told["pckh"] == pytest.approx(26 / 27)


def test_nme_is_in_distances_of_the_eyes():
    truth = people(FACE68, count=2)
    truth.points[:, 45] = truth.points[:, 36] + np.array([50.0, 0.0], "float32")
    result = found(truth)
    result.points[0, :, 0] += 5.0
    result.points[1, 10, 1] += 10.0
    told = scores([(truth, result)], FACE68).numbers
    assert told["nme"] == pytest.approx((0.1 + 0.2 / 68) / 2, rel=1e-4)
    assert told["point_nme"]["landmark10"] == pytest.approx(0.15, rel=1e-4)


def fixture(shared):
    """Return COCO's annotations of the four images, and the same as truths."""
    told = json.loads((shared / "data/coco_pose_fixture/test_coco.json").read_text())
    truths = []
    for image in told["images"]:
        of = [each for each in told["annotations"] if each["image_id"] == image["id"]]
        points = np.array([each["keypoints"] for each in of], "float32").reshape(-1, 17, 3)
        boxes, areas = (np.array([each[name] for each in of], "float32") for name in ("bbox", "area"))
        visible = points[..., 2].astype("uint8")
        truths.append(People(points[..., :2], visible, boxes, areas, COCO17, image=image["id"]))
    return told, truths


def test_on_real_annotations_what_is_true_scores_one(shared):
    _, truths = fixture(shared)
    told = scores([(truth, found(truth)) for truth in truths], COCO17).numbers
    assert (told["images"], told["people"]) == (4, 12)
    assert told["ap"] == told["ap_medium"] == told["ap_large"] == told["ar"] == told["pck"] == 1.0


def test_the_written_results_score_the_same_in_cocos_own_tool(shared, tmp_path):
    annotations, truths = fixture(shared)
    rng = np.random.default_rng(0)
    pairs = []
    for truth in truths:
        poses = found(truth)
        poses.points[..., :2] += rng.normal(0, 6, poses.points[..., :2].shape)
        poses.points[..., 2] *= rng.random(poses.points.shape[:2]) < 0.9
        pairs.append((truth, Poses(poses.points, rng.random(len(poses.scores)).astype("float32"))))
    told, files, _ = scores(pairs, COCO17)
    assert 0.2 < told["ap"] < 0.9
    (tmp_path / "results.json").write_text(json.dumps(files["coco"]))
    truth = COCO(annotations)
    evaluation = COCOeval_faster(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
    evaluation.run()
    np.testing.assert_allclose(evaluation.stats, [told[name] for name in NAMES], atol=1e-12)
