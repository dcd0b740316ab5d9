"""The readers of key points and skeletons that are fuzzed."""

import json
from pathlib import Path

from tests.fuzz.reader import Reader


def _key_points(folder: Path) -> None:
    from tests.keypoint_files import make_images, nobody, person, written

    rings, runs = [[0, 0, 9, 0, 9, 9]], {"counts": "e<4T1000cj1", "size": [40, 60]}
    people = person(), nobody(2, segmentation=rings), nobody(3, image=2, segmentation=runs, iscrowd=1)
    written(make_images(folder), *people)
    box = {"category_id": 1, "bbox": [4, 4, 30, 22], "score": 0.7}
    boxes = [box | {"image_id": 1}, box | {"image_id": 2}]
    (folder / "boxes.json").write_text(json.dumps(boxes))


def _mpii(folder: Path) -> None:
    from tests.keypoint_files import make_images

    joints = [[number + 2.5, 11.0] for number in range(16)]
    person = {"image": "1.png", "joints": joints, "joints_vis": [1] * 16, "center": [31, 21], "scale": 0.1}
    (make_images(folder) / "people.json").write_text(json.dumps([person, person | {"image": "2.png"}]))


def _read_key_points(folder: Path) -> object:
    from kerazoo.data.keypoints.coco import CocoKeypoints
    from kerazoo.data.keypoints.reader import keypoint_source
    from kerazoo.data.keypoints.windows import Windows
    from tests.keypoint_files import PLAIN

    path, boxes = folder / "people.json", folder / "boxes.json"
    kind = keypoint_source(path)
    whole = {"skeleton": PLAIN} if kind is CocoKeypoints else {}
    found = kind(path=str(path), same=True, **whole)
    windows = kind(path=str(path), same=True, windows=Windows(), detections=str(boxes), **whole)
    return found.warnings(), [*found.samples("train"), *windows.samples("val" if boxes.exists() else "train")]


def _skeleton(folder: Path) -> None:
    skeleton = {"points": ["nose", "left_ear", "right_ear"], "limbs": [[0, 1], [0, 2]], "flips": [[1, 2]],
                "sigmas": [0.05, 0.1, 0.1], "between": [["nose", "left_ear", "right_ear"]], "bridges": [1],
                "published": ["nose"], "normalise": [1, 2]}  # fmt: skip
    (folder / "own.json").write_text(json.dumps(skeleton))


def _read_skeleton(folder: Path) -> object:
    from kerazoo.structures.skeleton import read_skeleton

    skeleton = read_skeleton(folder / "own.json")
    return (
        skeleton.flip_indices(),
        skeleton.unflipped_points(),
        skeleton.sigma_per_point(),
        skeleton.limb_colours(),
    )


READERS = {
    "coco": Reader(_key_points, _read_key_points),
    "mpii": Reader(_mpii, _read_key_points),
    "skeleton": Reader(_skeleton, _read_skeleton),
}
