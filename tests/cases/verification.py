"""Verification in the tests of the contract."""

from typing import ClassVar

import numpy as np

from kerazoo.structures.episodes import Episode
from kerazoo.structures.pairs import Couples, Distances
from kerazoo.tasks.verification import Verification
from tests.cases.case import TaskCase
from tests.cases.fewshot import glyphs


class VerificationCase(TaskCase):
    """Pairs of drawn characters, and episodes."""

    task = Verification
    monitors: ClassVar = {"auc": 0.6, "one_shot": 0.5}

    def source(self, size=(64, 64)):
        return self.family.configure(glyphs())

    def samples(self, count=8, size=(64, 64)):
        """Return pairs alone."""
        return self.source().samples("val")[: 2 * count : 2]  # pairs and episodes take turns

    def training_samples(self):
        return self.source().samples("train")

    def window(self):
        return self.family.size

    def network_input(self, x):
        """Return the first and the second images of the pairs."""
        return {name: x[:, :, place].reshape(-1, *x.shape[-3:]) for place, name in enumerate("ab")}

    def output_shape(self, y, name):
        return (y["alike" if "alike" in y else "labels"].size,)

    def sure_outputs(self, y):
        """Return small distances of what is alike and large ones of all else."""
        far = 2 * self.family.margin
        if "labels" in y:
            images = self.family.shots + self.family.queries
            same = (y["labels"][:, None] == y["labels"]).astype("float32")
            return {"distance": np.tile((far - 2 * far * same)[:, None, :, None], (1, images, 1, images))}
        rows = np.arange(len(y["alike"]))
        between = np.full((len(rows), 2, len(rows), 2), far, "float32")
        between[rows, 0, rows, 1] -= 2 * far * y["alike"]
        return {"distance": between}

    def answer(self, said):
        return said.alike if isinstance(said, Couples) else said.of_pairs() <= 0

    def agree(self, result, truth):
        if isinstance(truth, Episode):
            return bool(result.right(truth.shots).all())
        return super().agree(result, truth)

    def pairs(self, count=4, size=(61, 47)):
        drawn = self.source().samples("val")[: 2 * count]
        return [(s.truth, self.decoded(s.image, s.truth)) for s in drawn]

    def wrong(self, pairs):
        between = [result.between for _, result in pairs]
        return {
            "the other way round": [Distances(-values) for values in between],
            "all the same": [Distances(np.ones_like(values)) for values in between],
            "of other rows": [Distances(np.roll(values, 1, axis=0)) for values in between],
        }
