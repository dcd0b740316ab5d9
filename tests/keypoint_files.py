"""Files of key points as COCO has them, of three points and two small images."""

import json

import numpy as np

from kerazoo.data.keypoints.coco import CocoKeypoints
from kerazoo.image import write_image
from kerazoo.structures.skeleton import Skeleton

POINTS = ("left", "right", "top")
PLAIN = Skeleton(points=POINTS, limbs=((0, 2), (1, 2)), flips=((0, 1),))


def person(number=1, image=1, **changes):
    keypoints = [10, 20, 2, 30, 20, 1, 20, 10, 2]
    return {"id": number, "image_id": image, "category_id": 1, "keypoints": keypoints, "bbox": [5, 5, 30, 20],
            "area": 400, "iscrowd": 0} | changes  # fmt: skip


def nobody(number, **changes):
    return person(number, keypoints=[0] * 9, **changes)


def make_images(folder):
    """Return the folder, with 1.png and 2.png in it, 40 x 60 and bright at the first point."""
    for number in (1, 2):
        image = np.full((40, 60, 3), 50, "uint8")
        image[19:22, 9:12] = 250
        write_image(folder / f"{number}.png", image)
    return folder


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
