"""Segmentation in the tests of the contract."""

from typing import ClassVar

import numpy as np

from kerazoo.data.generated.sources import Cells
from kerazoo.structures.mask import Mask, Segmented
from kerazoo.structures.sample import Sample
from kerazoo.tasks.segmentation import Segmentation
from tests.cases.case import TaskCase, of_the_next


class SegmentationCase(TaskCase):
    """Drawn cells, their classes limited to the family's."""

    task = Segmentation
    monitors: ClassVar = {"mean_iou": 0.5, "mean_dice": 0.5}

    def source(self, size=(64, 64)):
        return Cells(train=10, validation=2, test=1, size=size)

    def samples(self, count=8, size=(64, 64)):
        last = len(self.family.class_names()) - 1
        drawn = self.source(size).samples("train")[:count]
        return [Sample(s.image, Mask(np.minimum(s.truth.labels, last)), s.name) for s in drawn]

    def output_shape(self, y, name):
        return (*y["labels"].shape, self.family.classes)

    def sure_outputs(self, y):
        labels = np.where(y["weights"] > 0, y["labels"], 0)
        several = self.family.classes > 1
        hot = np.eye(self.family.classes, dtype="float32")[labels] if several else labels[..., None]
        return {"logits": 20.0 * hot - 10.0}

    def answer(self, said):
        return said.labels

    def wrong(self, pairs):
        results = [result for _, result in pairs]
        classes = self.family.labels()
        return {
            "of another image": of_the_next(results),
            "empty": [Segmented(np.zeros_like(result.labels)) for result in results],
            "of other classes": [
                Segmented(((result.labels + 1) % classes).astype("uint8")) for result in results
            ],
        }
