"""What the images and truths of a data set are like, and what settings are planned from that."""

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

QUANTILES = {"least": 0.0, "quarter": 0.25, "median": 0.5, "three quarters": 0.75, "most": 1.0}
"""What is told of many numbers."""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a data set is like, by all of its samples or by some.

    Attributes:
        splits: number of samples of each split.
        looked_at: how many samples of all splits the rest is about.
        sizes: "smallest", "largest" (by area) and "most common" height and width.
        grey: share of the images whose channels are equal.
        mean, std: of red, green and blue, 0..255; each image counts alike.
        contrast: of half of the images the standard deviation of their own pixels is this or less.
        range: the least and the largest value of any pixel.
        uprightness: how far from the middle of the height the things of a class are, as a mean over images
            divided by their standard deviation; of the class that is farthest. Near 0 where images have no
            upper side; several in photographs of streets.
        paper: grey level, 0..255, of the border of nearly all images, as drawings have; None for photographs.
        class_sizes: number of images of each class by split, where whole classes are held back.
        classes: name -> share of what is labelled.
        counts: name -> number of it.
        void: share that is unlabelled.
        counted: what the shares are of, such as "pixels".
        tally: how much there is of other things, by name, such as people.
        heights, widths: of the images, `(n,)`.
        measures: numbers by name, float32 `(n,)`, such as the sizes of all boxes.
    """

    splits: dict[str, int]
    looked_at: int
    sizes: dict[str, tuple[int, int]]
    grey: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    contrast: float
    range: tuple[int, int]
    uprightness: float
    classes: dict[str, float]
    counts: dict[str, int]
    void: float
    counted: str
    tally: dict[str, int]
    heights: np.ndarray
    widths: np.ndarray
    paper: int | None = None
    class_sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    measures: dict[str, np.ndarray] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-ready data; of many numbers `QUANTILES` are told."""
        sides = {name: quantiles(getattr(self, name)) for name in ("heights", "widths")}
        return (
            asdict(self) | sides | {"measures": {name: quantiles(of) for name, of in self.measures.items()}}
        )


def quantiles(numbers: np.ndarray) -> dict[str, float]:
    """Return `QUANTILES` of some numbers, nothing of none."""
    found = np.quantile(numbers, list(QUANTILES.values())).tolist() if len(numbers) else []
    return dict(zip(QUANTILES, found, strict=False))


class Decision(NamedTuple):
    """A setting that was planned.

    Attributes:
        setting: its dotted name in the recipe, such as "family.mean".
        value: what it becomes.
        because: the reason, a few words with the numbers it comes from.
    """

    setting: str
    value: Any
    because: str


class Grounds(NamedTuple):
    """What a task's rules go by, besides its own settings.

    Attributes:
        fingerprint: of the data.
        pretrained: whether the training starts from published weights, which bring their normalisation.
        gpu: whether there is one.
        crop: the training window that the user set, or None.
        whole: the user wants no training windows.
        size: height and width of the network's input that the user set, or None.
    """

    fingerprint: Fingerprint
    pretrained: bool = False
    gpu: bool = False
    crop: tuple[int, int] | None = None
    whole: bool = False
    size: tuple[int, int] | None = None
