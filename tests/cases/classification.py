"""Classification in the tests of the contract."""

from typing import ClassVar

import numpy as np

from kerazoo.data.generated.sources import Shapes
from kerazoo.structures.label import Classified, Label
from kerazoo.structures.sample import Sample
from kerazoo.tasks.classification import Classification
from tests.cases.case import TaskCase, of_the_next


class ClassificationCase(TaskCase):
    """Drawn shapes; the classes take turns."""

    task = Classification
    monitors: ClassVar = {"accuracy": 0.5}

    def source(self, size=(64, 64)):
        return Shapes(train=10, validation=2, test=1, size=max(size))

    def samples(self, count=8, size=(64, 64)):
        height, width = size
        drawn = self.source(size).samples("train")[:count]
        return [
            Sample(s.image[:height, :width], Label(s.truth.label % self.family.classes), s.name)
            for s in drawn
        ]

    def output_shape(self, y, name):
        return y["targets"].shape

    def sure_outputs(self, y):
        return {"logits": np.log(y["targets"] + 1e-6)}

    def answer(self, said):
        return np.asarray(said.label if isinstance(said, Label) else said.probabilities.argmax(axis=-1))

    def wrong(self, pairs):
        results = [result for _, result in pairs]
        even = np.full(self.family.classes, 1 / self.family.classes, "float32")
        return {
            "of another image": of_the_next(results),
            "of other classes": [Classified(np.roll(result.probabilities, 1)) for result in results],
            "undecided": [Classified(even) for _ in results],
        }
