"""Rules by which tasks plan settings from the data; docs/planning.md has the reasons."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerazoo.structures.fingerprint import Decision, Fingerprint, Grounds

WINDOW_PIXELS = {"CPU": 2**15, "GPU": 2**18}
"""Pixels of the largest training window: about 181 x 181 on a CPU, 512 x 512 on a GPU."""

FRAME_PIXELS = {"CPU": 2**16, "GPU": 2**18}
"""Pixels of the largest frame that whole images are brought to: 256 x 256 on a CPU, 512 x 512 on a GPU."""

STEP_PIXELS = {"CPU": 2**18, "GPU": 2**21}
"""Pixels that a step sees: `LEAST_BATCH` of the largest windows."""

LEAST_BATCH = 8
"""Samples of a step. Of fewer, normalisation by the batch learns a mean that no single batch has: on images
of nuclei, dark ones and stained ones, batches of two had mean IoU 0.47 where batches of 16 had 0.87."""

MULTIPLE = 32
"""Divides the sides of windows, so that nothing is padded in networks of up to six scales."""

MOST_BATCH = 32
"""Samples of a step; small images do not make it larger."""

TONES = 0.5
"""Deviations of an image that its brightness is changed by, at most."""

UPRIGHT = 1.0
"""`Fingerprint.uprightness` above which images have an upper side."""


def device(grounds: Grounds) -> str:
    """Return "CPU" or "GPU"."""
    return "GPU" if grounds.gpu else "CPU"


def normalisation(grounds: Grounds, channels: int) -> list[Decision]:
    """Plan mean and deviation: those of the data, where published weights do not bring theirs.

    Args:
        grounds: what is known.
        channels: of the network; one value serves grey images.
    """
    data = grounds.fingerprint
    if grounds.pretrained or not data.looked_at:
        return []
    of = f"measured on {data.looked_at} images"
    mean, std = np.array(data.mean), np.maximum(data.std, 1.0)
    if channels == 1:
        mean, std = mean.mean(keepdims=True), std.mean(keepdims=True)
    return [
        Decision("family.mean", tuple(np.round(mean, 1).tolist()), of),
        Decision("family.std", tuple(np.round(std, 1).tolist()), of),
    ]


def orientation(grounds: Grounds) -> list[Decision]:
    """Plan that images which have an upper side are not turned upside-down."""
    found = grounds.fingerprint.uprightness
    if found <= UPRIGHT:
        return []
    because = f"images have an upper side: a class is off the middle by {found:.1f} deviations"
    return [
        Decision("augmentation.flip_vertical", False, because),
        Decision("augmentation.quarter_turns", False, because),
    ]


def tones(augmentation: Any, known: Fingerprint) -> list[Decision]:
    """Plan changes of brightness that leave something of dark images, and of those with little contrast.

    Args:
        augmentation: the recipe's, `kerazoo.data.augment.Augmentation`.
        known: what the data are like.
    """
    most = round(TONES * known.contrast / 255, 3)
    because = f"half of the images deviate from their mean by {known.contrast:.1f} of 255, or less"
    return [
        Decision(f"augmentation.{name}", most, because)
        for name in ("brightness", "noise")
        if known.looked_at and getattr(augmentation, name) > most
    ]


def light(grounds: Grounds) -> list[Decision]:
    """Plan changes of light and colour that leave objects what they are; hue may be their name."""
    colour = [] if grounds.fingerprint.grey == 1 else [("saturation", 0.2)]
    return [
        Decision(f"augmentation.{name}", strength, "cameras and light differ")
        for name, strength in (("brightness", 0.1), ("contrast", 0.2), *colour)
    ]


def window(grounds: Grounds, admissible: Callable[[int], int]) -> tuple[tuple[int, int], str]:
    """Return height and width of training windows, and why: as large as images and memory allow.

    Args:
        grounds: what is known.
        admissible: gives the largest side that the network takes, up to a side.
    """
    data = grounds.fingerprint
    height, width = float(np.median(data.heights)), float(np.median(data.widths))
    shrunk = _at_most((height, width), WINDOW_PIXELS[device(grounds)])
    found = admissible(int(shrunk[0])), admissible(int(shrunk[1]))
    because = f"half of the images have {height:.0f} x {width:.0f} or more"
    if shrunk != (height, width):
        because += f", a {device(grounds)} learns from about {math.isqrt(WINDOW_PIXELS[device(grounds)])}^2"
    return found, because


def framed(grounds: Grounds, multiple: int) -> tuple[tuple[int, int], str]:
    """Return height and width that whole images are framed to, and why: in proportion.

    Args:
        grounds: what is known.
        multiple: divides both.
    """
    data, kind = grounds.fingerprint, device(grounds)
    height, width = float(np.median(data.heights)), float(np.median(data.widths))
    scale = min(math.sqrt(FRAME_PIXELS[kind] / (height * width)), 1.0)
    size = multiple_above(round(height * scale), multiple), multiple_above(round(width * scale), multiple)
    because = f"half of the images have {height:.0f} x {width:.0f} or more"
    if scale < 1:
        because += f", a {kind} learns from about {math.isqrt(FRAME_PIXELS[kind])}^2"
    return size, because


def _at_most(size: tuple[float, float], pixels: int) -> tuple[float, float]:
    """Return a window of at most so many pixels; the longer side is cut first."""
    side = math.sqrt(pixels)
    short, long = sorted(size)
    short = min(short, side)
    long = min(long, pixels / short)
    return (short, long) if size[0] <= size[1] else (long, short)


def batch(grounds: Grounds, size: tuple[int, int]) -> Decision:
    """Plan how many windows a step sees: `STEP_PIXELS` of them, but `LEAST_BATCH` at least."""
    pixels = STEP_PIXELS[device(grounds)]
    count = min(max(pixels // math.prod(size), LEAST_BATCH), MOST_BATCH)
    return Decision("batch_size", count, f"about {pixels} pixels a step, {LEAST_BATCH} images at least")


def multiple_below(side: int, multiple: int) -> int:
    """Return the largest multiple that is not above a side, the multiple itself at least."""
    return max(side // multiple, 1) * multiple


def multiple_above(side: int, multiple: int) -> int:
    """Return the least multiple that is not below a side."""
    return max(-(-side // multiple), 1) * multiple


def drawings(grounds: Grounds, *, quarters: bool) -> list[Decision]:
    """Plan for photographs what recipes of drawn characters have for drawings.

    On paper, turned by a quarter, a character is another one, and what lies beyond the border is paper.

    Args:
        grounds: what is known.
        quarters: whether turned images are classes of their own.
    """
    paper = grounds.fingerprint.paper
    if paper is not None:
        return [Decision("augmentation.fill", paper, f"the grey level of nearly all borders is {paper}")]
    because = "borders have no one colour: photographs"
    turned = [Decision("family.rotations", False, f"{because}, and turned the same")] if quarters else []
    return [
        *turned,
        Decision("augmentation.fill", None, because),
        Decision("augmentation.shear", 0.0, because),
        Decision("augmentation.flip", True, f"{because}, and mirrored the same"),
    ]


def classes_of(grounds: Grounds, splits: Sequence[str]) -> tuple[int, int]:
    """Return how many classes each of these splits has at least, and how many images each class."""
    held = [grounds.fingerprint.class_sizes.get(split, ()) for split in splits]
    known = [sizes for sizes in held if sizes]
    return min(map(len, known), default=0), min((min(sizes) for sizes in known), default=0)
