"""The task of detection: what it tells people and programs, and what it takes from data."""

import json

import numpy as np
import pytest

from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.tasks.detection import Detection, coco_classes


class Stub(Detection):
    """A family without a network."""

    def build(self):
        raise NotImplementedError

    objective = prepare = encode = decode = serving = at_scale = stride = build


TASK = Stub(classes=3, names=("cat", "dog", "cow"))
BOXES = np.array([[10, 20, 40, 80], [0, 0, 9, 9], [5, 6, 7, 8], [1, 2, 3, 5]], "float32")
FOUND = Detections(BOXES, np.array([1, 0, 1, 2], "int32"), np.array([0.9, 0.5, 0.3, 0.1], "float32"))
NOTHING = Detections(BOXES[:0], FOUND.labels[:0], FOUND.scores[:0])


def test_people_are_told_of_what_is_sure_enough():
    told = json.loads(json.dumps(TASK.describe(FOUND)))
    assert [each["class"] for each in told["objects"]] == ["dog", "cat", "dog"]
    assert told["objects"][0]["box"] == [10, 20, 30, 60]
    assert TASK.summary(told) == "3 objects: 2 dog, 1 cat"
    assert TASK.summary(TASK.describe(NOTHING)) == "0 objects"
    one = Stub(classes=3, score=0.6)
    assert one.summary(one.describe(FOUND)) == "1 object: 1 class 1"


def test_drawings_leave_out_what_is_not_sure():
    image = np.full((400, 400, 3), 128, "uint8")
    strong = Detections(FOUND.boxes[:3], FOUND.labels[:3], FOUND.scores[:3])
    assert (TASK.draw(image, FOUND) == TASK.draw(image, strong)).all()
    assert (TASK.draw(image, NOTHING) == image).all()
    flags = np.zeros(4, bool)
    truth = Boxes(BOXES, FOUND.labels, flags, flags, (400, 400))
    assert (TASK.draw(image, truth) != TASK.draw(image, strong)).any()


def test_scores_count_all_that_was_found():
    flags = np.zeros(4, bool)
    truth = Boxes(BOXES, FOUND.labels, flags, flags, (400, 400))
    assert TASK.evaluate([(truth, FOUND)]).numbers["ap"] == 1
    weak = Detections(FOUND.boxes, FOUND.labels, FOUND.scores / 100)
    assert TASK.evaluate([(truth, weak)]).numbers["ap"] == 1


def test_other_classes_are_another_head():
    other = TASK.with_classes(("a", "b"))
    assert (other.classes, other.names) == (2, ("a", "b"))
    assert other.weight_settings() == TASK.weight_settings()
    assert not {"classes", "names", "score", "tta_sizes"} & set(TASK.weight_settings())
    assert TASK.adopting({"classes": 5}).names == ()


def test_eighty_classes_without_names_are_cocos():
    names = TASK.adopting({"classes": 80}).names
    assert (len(set(names)), names[0], names[79]) == (80, "person", "toothbrush")
    ids = dict(zip(names, coco_classes.IDS, strict=True))
    assert (len(coco_classes.IDS), ids["person"], ids["stop sign"], ids["toothbrush"]) == (80, 1, 13, 90)
    assert TASK.adopting({"classes": 3}).names == TASK.names
    with pytest.raises(ValueError, match="1 names for 3 classes"):
        Stub(classes=3, names=("a",))


def test_the_users_boxes_get_this_networks_labels(tmp_path):
    source = TASK.source_for(str(tmp_path))(path=str(tmp_path))
    assert TASK.configure(source).classes == ("cat", "dog", "cow")
    assert Stub(classes=3).configure(source).classes is None
    chosen = type(source)(path=str(tmp_path), classes=("dog", "cat", "cow"))
    assert TASK.configure(chosen) is chosen
