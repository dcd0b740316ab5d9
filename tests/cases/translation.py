"""Translation in the tests of the contract."""

from typing import ClassVar

import cv2
import numpy as np

from kerazoo.data.generated.sources import Landscapes
from kerazoo.structures.images import DIRECTIONS, Real, Translated
from kerazoo.structures.sample import Sample
from kerazoo.tasks.translation import Translation
from tests.cases.case import TaskCase


class TranslationCase(TaskCase):
    """Landscapes of summer and winter.

    Translations are perfect where they are the very images of the other domain: then the distance of the
    two sets is 0, in whatever order they come. So a shuffled result is none that scores could tell.
    """

    task = Translation
    monitors: ClassVar = {"-mean_fid": 0.3}

    def source(self, size=(64, 64)):
        return Landscapes(train=10, validation=2, test=1, size=max(size))

    def samples(self, count=8, size=(64, 64)):
        """Return images with one of the other domain as their truth, as in training."""
        drawn = Landscapes(validation=count).samples("val")  # in turns of summer and winter
        images = [cv2.resize(drawn[n].image, size[::-1]) for n in range(2 * count)]
        return [Sample(images[2 * n], Real(1, images[2 * n + 1]), drawn[2 * n].name) for n in range(count)]

    def output_shape(self, y, name):
        batch, height, width, channels = y["partner"].shape
        patches = (batch, height // 2 - 2, width // 2 - 2, 1)  # after strides of 2 and 1, and the logits
        return patches if name.startswith("real") else (batch, height, width, channels)

    def sure_outputs(self, y):
        return dict.fromkeys(DIRECTIONS, y["partner"])

    def answer(self, said):
        return said.image if isinstance(said, Real) else said.images.get("AtoB", np.zeros((0, 0, 3), "uint8"))

    def pairs(self, count=4, size=(61, 47)):
        """Return images of both domains, as in validation, translated into images of the other.

        The way that leads into an image's own domain, which does not count, leaves it as it is.
        """
        pairs = []
        for summer, partner, _ in self.samples(count, size):
            winter = partner.image
            there = self.decoded(summer, partner).images["AtoB"]
            back = self.decoded(winter, Real(0, summer)).images["BtoA"]
            pairs.append((Real(0, summer), Translated({"AtoB": there, "BtoA": summer}, {})))
            pairs.append((Real(1, winter), Translated({"AtoB": winter, "BtoA": back}, {})))
        return pairs

    def wrong(self, pairs):
        images = [truth.image for truth, _ in pairs]
        return {
            "the images themselves": list(map(_translated, images)),
            "black": [_translated(np.zeros_like(image)) for image in images],
            "of colours in another order": [_repainted(result) for _, result in pairs],
            "missing": [Translated({}, {}) for _ in pairs],
        }


def _translated(image: np.ndarray) -> Translated:
    return Translated(dict.fromkeys(DIRECTIONS, image), {})


def _repainted(result: Translated) -> Translated:
    return Translated({way: image[..., ::-1] for way, image in result.images.items()}, {})
