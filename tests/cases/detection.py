"""Detection in the tests of the contract."""

from typing import ClassVar

import numpy as np

from kerazoo.data.generated.sources import Scenes
from kerazoo.families.yolov4 import YOLOv4
from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.structures.sample import Sample
from kerazoo.tasks.detection import Detection
from tests.cases.case import TaskCase, of_the_next

SURE = 0.5
"""Score above which a box found counts as an object, where a result is compared with a truth."""


class DetectionCase(TaskCase):
    """Images of two rectangles, a class each in its own colour, one in the left half and one in the right."""

    task = Detection
    monitors: ClassVar = {"ap": 0.2, "ap50": 0.3, "voc_ap": 0.3}

    def source(self, size=(64, 64)):
        return Scenes(train=10, validation=2, test=1, size=size)

    def samples(self, count=8, size=(64, 64)):
        return [_rectangles(self.family.labels(), n, size) for n in range(count)]

    def window(self):
        return (64, 64)

    def output_shape(self, y, name):
        if isinstance(self.family, YOLOv4):
            return (*y[f"{name}_objectness"].shape[:-1], 3 * (5 + self.family.classes))
        channels = y["heatmap"].shape[-1] if name.endswith("heatmap") else 2
        return (*y["heatmap"].shape[:-1], channels)

    def sure_outputs(self, y):
        if isinstance(self.family, YOLOv4):
            return sure_heads(y, self.family.heads(), self.family.classes, self.family.size)
        height, width, _ = y["heatmap"].shape
        known = y["weights"] > 0
        maps = {name: np.zeros((height * width, 2), "float32") for name in ("size", "offset")}
        for name, values in maps.items():
            values[y["cells"][known]] = y[name][known]
        heatmap = np.where(y["heatmap"] == 1, 10, -10).astype("float32")
        return {"heatmap": heatmap} | {name: value.reshape(height, width, 2) for name, value in maps.items()}

    def answer(self, said):
        return said.boxes[
            :, None
        ]  # so that the number of boxes is the first axis, and not told by the last two

    def agree(self, result, truth):
        """Whether the boxes are the same to a pixel, and their classes; of a truth, those that are sure."""
        if isinstance(truth, Boxes):
            sure = result.scores > SURE
            result = Detections(result.boxes[sure], result.labels[sure], result.scores[sure])
        apart = np.abs(result.boxes[:, None] - truth.boxes).max(axis=-1)  # (D, B)
        apart = np.where(result.labels[:, None] == truth.labels, apart, np.inf)
        return len(result.boxes) == len(truth.boxes) and bool((apart.min(axis=0, initial=np.inf) < 1).all())

    def wrong(self, pairs):
        results = [result for _, result in pairs]
        classes = self.family.labels()
        return {
            "of another image": of_the_next(results),
            "nothing": [Detections(r.boxes[:0], r.labels[:0], r.scores[:0]) for r in results],
            "of other classes": [Detections(r.boxes, (r.labels + 1) % classes, r.scores) for r in results],
            "half a box aside": [
                Detections(r.boxes + (r.boxes[:, 2:3] - r.boxes[:, :1]) / 2, r.labels, r.scores)
                for r in results
            ],
        }


def sure_heads(y, heads, classes, size):
    """Return what YOLOv4 would answer that is sure of the targets; of several objects in a place the last.

    Args:
        y: of `kerazoo.families.yolov4.codec.targets`.
        heads: of the network.
        classes: number of classes.
        size: height and width of the network's input.
    """
    outputs = {}
    for head, (name, stride) in enumerate(zip(heads.names(), heads.strides, strict=True)):
        rows, columns = size[0] // stride, size[1] // stride
        maps = np.full((rows * columns, 3, 5 + classes), -12.0)
        for number, anchor in np.argwhere(y[f"{name}_weights"] > 0):
            cell = int(y[f"{name}_cells"][number])
            box = y["boxes"][number].astype("float64")
            scale, shape = heads.scale_x_y[head], heads.anchors[heads.masks[head][anchor]]
            inner = box[:2] * (columns, rows) - (cell % columns, cell // columns)
            share = (inner + (scale - 1) / 2) / scale
            maps[cell, anchor, :2] = np.log(share / (1 - share))
            maps[cell, anchor, 2:4] = np.log(box[2:] * size[::-1] / shape)
            maps[cell, anchor, 4] = maps[cell, anchor, 5 + y["labels"][number]] = 12
        outputs[name] = maps.reshape(rows, columns, -1).astype("float32")
    return outputs


def _rectangles(classes: int, number: int, size: tuple[int, int]) -> Sample:
    """Return an image of two rectangles of neighbouring classes."""
    rng, (height, width) = np.random.default_rng(number), size
    image = rng.integers(100, 120, (height, width, 3)).astype("uint8")
    labels = (number + np.arange(2)) % classes
    boxes = []
    for half, label in enumerate(labels.tolist()):
        left, right = half * width // 2 + np.sort(rng.integers(2, width // 4 - 1, 2)) + np.array([0, 8])
        top, bottom = np.sort(rng.integers(2, height - 12, 2)) + np.array([0, 8])
        image[top:bottom, left:right] = (255 * (label % 2), 255 * (label // 2 % 2), 255 * (label // 4 % 2))
        boxes.append((left, top, right, bottom))
    flags = np.zeros(2, bool)
    truth = Boxes(np.array(boxes, "float32"), labels.astype("int32"), flags, flags, size, image=number)
    return Sample(image, truth, f"{number}.png")
