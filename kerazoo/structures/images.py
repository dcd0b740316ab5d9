"""Truth and result of translation: images of two domains."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from kerazoo.structures.sample import Partnered, Sample
from kerazoo.structures.warp import Warp

DIRECTIONS = ("AtoB", "BtoA")

RETURNS = {"AtoB": "AtoBtoA", "BtoA": "BtoAtoB"}
"""What the way back of each direction is called."""


@dataclasses.dataclass(frozen=True)
class Real:
    """The truth of translation: an image that is known to be of a domain.

    Attributes:
        domain: 0 for A, 1 for B.
        image: uint8 `(H, W, 3)`: the sample's image itself, or while training one of the other domain.
    """

    domain: int
    image: np.ndarray
    counted: ClassVar[str] = "images"

    def moved(self, warp: Warp) -> "Real":
        """Return the image after a geometric change."""
        return Real(self.domain, warp.image(self.image))

    def counts(self, classes: int) -> np.ndarray:
        """Return 1 for its domain: int64 `(classes + 1,)`."""
        return np.eye(classes + 1, dtype="int64")[self.domain]


@dataclasses.dataclass(frozen=True)
class Partners(Partnered):
    """What a training sample of domain A has instead of a truth: all of domain B, to draw one from.

    Attributes:
        samples: of domain B, with `Real` as truth.
    """

    samples: Sequence[Sample]
    counted: ClassVar[str] = Real.counted

    def partner(self, rng: np.random.Generator) -> Sample:
        """Return one of them."""
        return self.samples[int(rng.integers(len(self.samples)))]

    def with_partner(self, partner: Sample) -> Real:
        """Return the partner's image and domain."""
        return Real(partner.truth.domain, partner.image)

    def moved(self, warp: Warp) -> "Partners":
        """Return them as they are: the one that is drawn moves by itself (`kerazoo.data.augment`)."""
        return self

    def counts(self, classes: int) -> np.ndarray:
        """Return 1 for domain A: int64 `(classes + 1,)`."""
        return np.eye(classes + 1, dtype="int64")[0]


@dataclasses.dataclass(frozen=True)
class Translated:
    """The result of translation.

    Attributes:
        images: uint8 `(H, W, 3)` by the way they went: "AtoB", and there and back "AtoBtoA".
        cycle_error: mean distance of there and back to the image by direction, 0..1.
    """

    images: dict[str, np.ndarray]
    cycle_error: dict[str, float]
