"""Sampling episodes and pairs from images by class."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
from pydantic import Field

from kerazoo.data.lazy import Lazy
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.settings import settings
from kerazoo.structures.episodes import Episode
from kerazoo.structures.pairs import Couples
from kerazoo.structures.sample import Deferred, Sample

Count = Annotated[int, Field(ge=1)]

QUARTERS = 4
"""Classes that turning an image makes of one."""

_STREAMS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}
_NOTHING = np.zeros((1, 1, 3), "uint8")


@dataclass(frozen=True)
class Classes:
    """The images of one split, by class.

    Attributes:
        names: of the classes.
        images: of all classes, one class after the other.
        starts: where each class begins among them, and at last their number: `(classes + 1,)`.
    """

    names: Sequence[str]
    images: Sequence[Sample]
    starts: Sequence[int]

    def __len__(self) -> int:
        return len(self.names)

    def size(self, label: int) -> int:
        """Return the number of images of a class."""
        return self.starts[label + 1] - self.starts[label]

    def image(self, label: int, number: int) -> Sample:
        """Return an image of a class, counted from 0."""
        return self.images[self.starts[label] + number]


class Sampler(Protocol):
    """Draws samples from images by class."""

    def problems(self, classes: Classes, where: str) -> list[UserError]:
        """Return the reasons why it cannot draw: too few classes, or classes with too few images."""

    def sample(self, classes: Classes, rng: np.random.Generator) -> Sample:
        """Return one sample."""


@settings
class Episodes:
    """Episodes: a support of a few images of a few classes, and queries of the same classes.

    Classes and images are drawn without replacement: no query is in the support.

    Attributes:
        ways: classes of an episode.
        shots: support images of each class.
        queries: query images of each class.
        rotations: images turned by 90, 180 and 270 degrees are other classes (Santoro et al. 2016).
        setting_names: the settings of a family that say the ways and the images of each, for remedies.
    """

    ways: Annotated[int, Field(ge=2)] = 5
    shots: Count = 1
    queries: Annotated[int, Field(ge=0)] = 15
    rotations: bool = False
    setting_names: tuple[str, str] = ("family.ways", "family.queries")

    def problems(self, classes: Classes, where: str) -> list[UserError]:
        turned = QUARTERS if self.rotations else 1
        if len(classes) * turned < self.ways:
            message = f"{where} has {len(classes)} classes, an episode {self.ways} ways"
            return [UserError(message, f"add classes, or set {self.setting_names[0]} to fewer")]
        needed = self.shots + self.queries
        reason = f"an episode takes {needed} of each ({self.shots} shots and {self.queries} queries)"
        remedy = f"add some, remove the class, or set {self.setting_names[1]} to fewer"
        return _small_class_errors(classes, needed, where, reason, remedy)

    def sample(self, classes: Classes, rng: np.random.Generator) -> Sample:
        """Return an episode: images uint8 `(ways, shots + queries, H, W, 3)`, the support first."""
        turned = QUARTERS if self.rotations else 1
        chosen = rng.choice(len(classes) * turned, self.ways, replace=False)
        rows = [self._row(classes, *divmod(int(label), turned), rng) for label in chosen]
        names = tuple(_rotated_name(classes.names[label // turned], label % turned) for label in chosen)
        return Sample(np.stack(rows), Episode(names, self.shots), names[0])

    def _row(self, classes: Classes, label: int, turns: int, rng: np.random.Generator) -> np.ndarray:
        numbers = rng.choice(classes.size(label), self.shots + self.queries, replace=False)
        images = np.stack([classes.image(label, int(number)).image for number in numbers])
        return np.rot90(images, turns, axes=(1, 2))


@settings
class Pairs:
    """Pairs of images, of which half are alike: of one class, and never one image twice.

    Attributes:
        pairs: of a sample; the first half are alike.
        rotations: images turned by 90, 180 and 270 degrees are other classes.
    """

    pairs: Annotated[int, Field(ge=2, multiple_of=2)] = 32
    rotations: bool = False

    def problems(self, classes: Classes, where: str) -> list[UserError]:
        if len(classes) < 2:
            message = f"{where} has {len(classes)} class(es), a pair may be of two"
            return [UserError(message, "add classes")]
        return _small_class_errors(
            classes, 2, where, "a pair takes 2 of one", "add some, or remove the class"
        )

    def sample(self, classes: Classes, rng: np.random.Generator) -> Sample:
        """Return pairs: images uint8 `(pairs, 2, H, W, 3)`."""
        alike = np.arange(self.pairs) < self.pairs // 2
        stack = np.stack([self._pair(classes, bool(same), rng) for same in alike])
        return Sample(stack, Couples(alike), "pairs")

    def _pair(self, classes: Classes, same: bool, rng: np.random.Generator) -> np.ndarray:
        turned = QUARTERS if self.rotations else 1
        labels = rng.choice(len(classes) * turned, 1 if same else 2, replace=False)
        (first, turns), (second, others) = (divmod(int(labels[place]), turned) for place in (0, -1))
        if same:
            one, other = rng.choice(classes.size(first), 2, replace=False)
        else:
            one, other = rng.integers(classes.size(first)), rng.integers(classes.size(second))
        images = classes.image(first, int(one)).image, classes.image(second, int(other)).image
        return np.stack([np.rot90(images[0], turns), np.rot90(images[1], others)])


def _small_class_errors(
    classes: Classes, needed: int, where: str, reason: str, remedy: str
) -> list[UserError]:
    """Return an error for each class with too few images."""
    sizes = {name: classes.size(label) for label, name in enumerate(classes.names)}
    return [
        UserError(f"{where}: class {name!r} has {size} image(s), {reason}", remedy)
        for name, size in sizes.items()
        if size < needed
    ]


def _rotated_name(name: str, turns: int) -> str:
    return f"{name} turned by {90 * turns}" if turns else name


@dataclass(frozen=True)
class DeferredSample(Deferred):
    """The truth of a training sample that is drawn later: all classes and the sampler."""

    classes: Classes
    sampler: Sampler

    def sample(self, rng: np.random.Generator) -> Sample:
        return self.sampler.sample(self.classes, rng)


def sample_sequence(
    classes: Classes, split: Split, count: int, training: Sampler, evaluation: Sequence[Sampler], seed: int
) -> Sequence[Sample]:
    """Return the samples of a split: new ones at every access for train, else always the same.

    Args:
        classes: to draw from, in which the draws have no `problems`.
        split: of these.
        count: of samples.
        training: how those to train on are drawn.
        evaluation: how all others are; they take turns.
        seed: of all others.
    """
    if split == "train":
        return [Sample(_NOTHING, DeferredSample(classes, training), split)] * count
    return Lazy(
        range(count), functools.partial(_evaluation_sample, classes, evaluation, (seed, _STREAMS[split]))
    )


def _evaluation_sample(
    classes: Classes, samplers: Sequence[Sampler], seed: Sequence[int], index: int
) -> Sample:
    rng = np.random.default_rng([*seed, index])
    return samplers[index % len(samplers)].sample(classes, rng)
