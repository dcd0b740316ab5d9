"""Few-shot learning in the tests of the contract."""

from typing import ClassVar

import numpy as np

from kerazoo.data.generated.sources import Glyphs
from kerazoo.structures.episodes import Answers, Episode
from kerazoo.tasks.fewshot import FewShot
from tests.cases.case import TaskCase


def glyphs() -> Glyphs:
    """Return a small data set of drawn characters."""
    return Glyphs(characters=(6, 4, 4), drawings=6, episodes_per_epoch=(10, 8, 1))


class FewShotCase(TaskCase):
    """Episodes of drawn characters."""

    task = FewShot
    monitors: ClassVar = {"accuracy": 0.5}

    def source(self, size=(64, 64)):
        return self.family.configure(glyphs())

    def samples(self, count=8, size=(64, 64)):
        return self.source().samples("val")[:count]

    def training_samples(self):
        return self.source().samples("train")

    def window(self):
        return self.family.size

    def network_input(self, x):
        """Return the images of the episodes."""
        return x.reshape(-1, *x.shape[-3:])

    def output_shape(self, y, name):
        family = self.family
        images = y["labels"].size * (family.training_shots + family.training_queries)
        return images, family.filters if name == "embedding" else family.training_ways

    def sure_outputs(self, y):
        hot = np.eye(self.family.ways, dtype="float32")[y["labels"]]
        return {"logits": 20.0 * hot[:, None].repeat(self.family.queries, axis=1)}

    def answer(self, said):
        if isinstance(said, Answers):
            return said.probabilities.argmax(axis=-1)
        assert isinstance(said, Episode)
        return np.arange(len(said.names))[:, None].repeat(self.family.queries, axis=1)

    def wrong(self, pairs):
        probabilities = [result.probabilities for _, result in pairs]
        return {
            "of other classes": [Answers(np.roll(values, 1, axis=-1)) for values in probabilities],
            "of other queries": [Answers(np.roll(values, 1, axis=0)) for values in probabilities],
            "undecided": [Answers(np.full_like(values, 1 / self.family.ways)) for values in probabilities],
        }
