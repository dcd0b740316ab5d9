"""A sample: one image with what is known about it."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np


class Sample(NamedTuple):
    """One image with what is known about it.

    Attributes:
        image: uint8 `(H, W, 3)`, RGB.
        truth: the task's own type; moves with the image through `truth.moved(warp)`. For the check of
            a data set it says with `counts(classes)` what it holds of every class and, last, of
            nothing: integers `(classes + 1,)`, and in `counted` what these are, such as "pixels"; it may
            have a `tally()` of other things, `{name: count}`, and `measures()`, float32 `(n,)` by name.
        name: what messages and images call it, usually a file name.
    """

    image: np.ndarray
    truth: Any
    name: str


class Deferred(ABC):
    """What a training sample has in place of a truth where it is put together anew whenever it is seen.

    Then its image is a stack of images, uint8 `(..., H, W, 3)`.
    """

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Sample:
        """Return the sample; the same state of `rng` gives the same."""


class Partnered(ABC):
    """What a training sample has in place of a truth where each time it meets another sample."""

    @abstractmethod
    def partner(self, rng: np.random.Generator) -> Sample:
        """Return the other sample, drawn by `rng`."""

    @abstractmethod
    def with_partner(self, partner: Sample) -> Any:
        """Return the truth that the sample has with its partner, after both were augmented."""
