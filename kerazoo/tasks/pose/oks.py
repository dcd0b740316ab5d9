"""Scores of pose: average precision and recall by the similarity of key points, as COCO's tool gives them.

The evaluation is https://cocodataset.org/#keypoints-eval, by faster-coco-eval.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.scores import Scores
from kerazoo.structures.skeleton import Skeleton
from kerazoo.tasks.pose.json_rows import coco_results
from kerazoo.tasks.pose.pck import pck_scores
from kerazoo.tasks.pose.similarity import distinct

Seen = list[tuple[People, Poses]]
"""Images: all that is true and all that was found, in the points that people annotate."""

NAMES = ("ap", "ap50", "ap75", "ap_medium", "ap_large", "ar", "ar50", "ar75", "ar_medium", "ar_large")
"""Of the numbers of COCO's evaluation, in the order in which it gives them."""


def scores(pairs: Iterable[tuple[People, Poses]], skeleton: Skeleton) -> Scores:
    """Return the scores of (truth, result) pairs, and the people found as COCO's results ("coco").

    Only points that people annotate count (`Skeleton.annotated_points`), under the skeleton's sigmas.

    - "ap", "ar" and so on: over the similarities 0.5, 0.55 ... 0.95 or at one, with COCO's 20 people per
      image and its medium (32^2 to 96^2 square pixels) and large people. Crowds, and people without a
      labelled point, count neither for nor against what is found there; a crowd's area is its box's.
    - "pck", "pckh", "nme" and the same by point: see `kerazoo.tasks.pose.pck`.
    - "images" and "people", those with a labelled point.

    Args:
        pairs: read once; of each only the key points are kept.
        skeleton: of all of them.
    """
    seen, sigmas = images(pairs, skeleton), _sigmas(skeleton)
    results = coco_results(seen)
    people = sum(int((truth.visible > 0).any(axis=-1).sum()) for truth, _ in seen)
    numbers = _precision(seen, results, sigmas) | pck_scores(seen, skeleton, sigmas)
    return Scores({"images": len(seen), "people": people} | numbers, {"coco": results})


def images(pairs: Iterable[tuple[People, Poses]], skeleton: Skeleton) -> Seen:
    """Return the images that pairs are of, in the points that people annotate and in their own pixels.

    The truth of an image is taken from its first window. What is found in a window is shifted to where
    the window is and its score multiplied by the window's; where there are several, `distinct` people stay.
    """
    columns = skeleton.indices(skeleton.annotated_points())
    truths: dict[int | str, People] = {}
    poses: dict[int | str, list[Poses]] = {}
    for truth, result in pairs:
        if truth.image not in truths:
            truths[truth.image] = _truth(truth, columns)
        poses.setdefault(truth.image, []).append(_result(truth, result, columns))
    return [(truth, _joined(poses[image], _sigmas(skeleton))) for image, truth in truths.items()]


def _truth(truth: People, columns: Sequence[int]) -> People:
    shift = np.array([*truth.origin, 0.0, 0.0])
    return dataclasses.replace(
        truth,
        points=truth.points[:, columns] + shift[:2],
        visible=truth.visible[:, columns],
        boxes=truth.boxes + shift,
        crowds=truth.crowds + shift,
        ignore=None,
        origin=(0.0, 0.0),
    )


def _result(truth: People, result: Poses, columns: Sequence[int]) -> Poses:
    shift = np.array([*truth.origin, 0.0])
    return Poses(result.points[:, columns] + shift, result.scores * truth.score)


def _joined(windows: Sequence[Poses], sigmas: np.ndarray) -> Poses:
    if len(windows) == 1:
        return windows[0]
    points, scores = (np.concatenate([getattr(w, name) for w in windows]) for name in ("points", "scores"))
    return distinct(Poses(points, scores), sigmas)


def _sigmas(skeleton: Skeleton) -> np.ndarray:
    return skeleton.sigma_per_point()[skeleton.indices(skeleton.annotated_points())]


def _precision(seen: Seen, results: list[dict[str, Any]], sigmas: np.ndarray) -> dict[str, float | None]:
    annotations = [entry for truth, _ in seen for entry in _annotations(truth)]
    if not annotations:
        return dict.fromkeys(NAMES)
    from faster_coco_eval import COCO, COCOeval_faster

    numbers = {truth.image: number for number, (truth, _) in enumerate(seen, 1)}  # it knows no other ids
    truths, answers = (
        [entry | {"image_id": numbers[entry["image_id"]], "category_id": 1} for entry in entries]
        for entries in (annotations, results)
    )
    data = {
        "images": [{"id": number} for number in numbers.values()],
        "categories": [{"id": 1}],
        "annotations": [{"id": number} | entry for number, entry in enumerate(truths, 1)],
    }
    truth = COCO(data)
    evaluation = COCOeval_faster(truth, truth.loadRes(answers), "keypoints", kpt_oks_sigmas=sigmas)
    evaluation.run()
    # -1 stands for what no person of the truth tells of
    stats = [float(value) if value >= 0 else None for value in evaluation.stats]
    return dict(zip(NAMES, stats, strict=True))


def _annotations(truth: People) -> list[dict[str, Any]]:
    """Return people and crowds as COCO annotates them, without numbers of their own."""
    names = ("keypoints", "num_keypoints", "bbox", "area", "iscrowd")
    labelled = (truth.visible > 0).sum(axis=-1)
    points = np.concatenate([truth.points, truth.visible[..., None]], axis=-1)
    entries = [
        (keypoints.ravel(), int(count), box, float(area), 0)
        for keypoints, count, box, area in zip(points, labelled, truth.boxes, truth.areas, strict=True)
    ]
    entries += [(np.zeros(3 * points.shape[1]), 0, box, float(box[2] * box[3]), 1) for box in truth.crowds]
    where = {"image_id": truth.image, "category_id": truth.category}
    return [where | dict(zip(names, entry, strict=True)) for entry in entries]
