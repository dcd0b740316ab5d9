"""Augmentation of samples: one random warp for image and truth, then color jitter for the image."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from kerazoo.settings import settings
from kerazoo.structures.sample import Partnered, Sample

if TYPE_CHECKING:
    from kerazoo.structures.warp import Warp

Strength = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Side = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(gt=0)]


@settings
class Augmentation:
    """Random changes of training samples; by default none.

    Attributes:
        crop: height and width in pixels of a window cut anywhere from the image (smaller images
            are mirrored); None keeps the image's size.
        area: cut the window from a part of the image of this share of its area and bring it to the
            size of `crop` (Szegedy et al. 2015); None cuts in the image's own scale.
        aspect: width by height of that part, uniform in its logarithm; clipped to what fits.
        focus: bring one of the sample's objects, drawn at random where it has boxes, to this share of
            `crop` and to its middle, before `scale` and `shift` (Cao et al. 2017: 0.6 of the height).
        fill: grey level of what lies beyond the image, 0..255; None mirrors, which would show objects
            twice that are labelled once.
        shift: move by up to so many whole pixels of the window along each axis (He et al. 2015 do so to
            CIFAR's images by 4, from zeros around them).
        flip, flip_vertical: mirror left-right, upside-down, in half of the cases each.
        quarter_turns: turn by 0, 90, 180 or 270 degrees (0 or 180 where there is no crop and the
            image is not square).
        rotation: turn by up to so many degrees either way.
        scale: enlarge by a factor from this range, uniform in its logarithm.
        shear: slant by up to so many degrees either way.
        elastic: standard deviation in pixels of U-Net's random displacements on a 3 x 3 grid
            over the window (the paper: 10).
        brightness: add up to this share of 255, either way.
        contrast: multiply the distance to the mean grey by up to e^contrast, or divide.
        gamma: raise to a power of up to e^gamma, or its inverse.
        saturation: multiply the distance to grey by 1 - saturation to 1 + saturation.
        hue: turn the colours by up to so many degrees either way (180 is every hue).
        noise: add grey noise with a standard deviation of up to this share of 255.
        blur: smooth by a Gaussian of up to so many pixels.
        mosaic: join four samples with boxes, a quarter of the window each, in this share of the cases.
        mixup: blend a sample with boxes with another one in this share of the cases (for whole images of a
            class it is `family.mixup`).
        least_seen: boxes of which a smaller share is left in the window are no objects any more.
        least_size: nor are those that are narrower or lower than so many pixels of the window.
    """

    crop: tuple[Side, Side] | None = None
    area: tuple[PositiveShare, PositiveShare] | None = None
    aspect: tuple[Factor, Factor] = (3 / 4, 4 / 3)
    focus: PositiveShare | None = None
    fill: Annotated[int, Field(ge=0, le=255)] | None = None
    shift: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    flip_vertical: bool = False
    quarter_turns: bool = False
    rotation: Strength = 0.0
    scale: tuple[Factor, Factor] = (1.0, 1.0)
    shear: Annotated[float, Field(ge=0, lt=80)] = 0.0
    elastic: Strength = 0.0
    brightness: Share = 0.0
    contrast: Strength = 0.0
    gamma: Strength = 0.0
    saturation: Share = 0.0
    hue: Annotated[float, Field(ge=0, le=180)] = 0.0
    noise: Share = 0.0
    blur: Strength = 0.0
    mosaic: Share = 0.0
    mixup: Share = 0.0
    least_seen: Share = 0.25
    least_size: Strength = 1.0

    def __post_init__(self) -> None:
        for name in ("scale", "area", "aspect"):
            low, high = getattr(self, name) or (1, 1)
            if low > high:
                raise ValueError(f"{name} goes from {low} down to {high}")
        if self.area and self.crop is None:
            raise ValueError("area needs crop, the size that its part is brought to")
        if self.area and self.scale != (1.0, 1.0):
            raise ValueError("area decides the scale: leave scale out")
        if self.focus and (self.area or self.crop is None):
            raise ValueError("focus needs crop, a share of which it is, and no area")
        if (self.mosaic or self.mixup) and self.crop is None:
            raise ValueError("mosaic and mixup need crop, the size that all samples have")


def augment(sample: Sample, settings: Augmentation, rng: np.random.Generator, context: int = 0) -> Sample:
    """Return the sample after a random warp and color jitter.

    Args:
        sample: its truth needs `moved(warp)`.
        settings: what may happen, and how much of it.
        rng: the same generator state gives the same result.
        context: pixels returned beyond the window on every side, in image and truth, for
            networks that label less than they see.

    Returns:
        A sample of crop + 2 context pixels (the image's size + 2 context without a crop). A partner of the
        image is drawn here and goes its own ways, and so does each image of a stack.
    """
    from kerazoo.data.photometric import color_jitter

    if sample.image.ndim > 3:  # a stack (..., H, W, 3), such as an episode
        return _augment_stack(sample, settings, rng)
    boxes = _xywh_boxes(sample.truth) if settings.focus else np.zeros((0, 4))
    focus = boxes[rng.integers(len(boxes))] if len(boxes) else None
    warp = random_warp(sample.image.shape[:2], settings, rng, context, focus)
    truth = sample.truth.moved(warp)
    if hasattr(truth, "seen_enough"):
        truth = truth.seen_enough(settings.least_seen, settings.least_size)
    moved = Sample(color_jitter(warp.image(sample.image), settings, rng), truth, sample.name)
    if not isinstance(truth, Partnered):
        return moved
    return moved._replace(truth=truth.with_partner(augment(truth.partner(rng), settings, rng, context)))


def _xywh_boxes(truth: Any) -> np.ndarray:
    """Return left, top, width and height of a truth's objects, `(B, 4)`; none if it has no places."""
    from kerazoo.structures.boxes import Boxes, to_xywh

    return to_xywh(truth.boxes) if isinstance(truth, Boxes) else getattr(truth, "boxes", np.zeros((0, 4)))


def _augment_stack(sample: Sample, settings: Augmentation, rng: np.random.Generator) -> Sample:
    """Return a sample whose stacked images are augmented independently."""
    if settings == Augmentation():
        return sample
    images = sample.image.reshape(-1, *sample.image.shape[-3:])
    moved = np.stack([augment(Sample(p, sample.truth, sample.name), settings, rng).image for p in images])
    return sample._replace(image=moved.reshape(*sample.image.shape[:-3], *moved.shape[1:]))


def random_warp(
    image: tuple[int, int],
    settings: Augmentation,
    rng: np.random.Generator,
    context: int = 0,
    focus: np.ndarray | None = None,
) -> "Warp":
    """Return a random warp for an image of height and width `image`; see `augment`.

    Args:
        focus: left, top, width and height of what `settings.focus` is about, or None.
    """
    from kerazoo.structures.warp import Warp, about, elastic

    # All sizes are (height, width), all points (x, y); pixel centres lie at whole numbers.
    window = settings.crop or image
    turns = _random_quarter_turns(settings, window, rng)
    # What the window shows lies on its side in the image before an odd number of quarter turns.
    covered = (window[1], window[0]) if turns % 2 else window
    zooms = _random_zooms(settings, image, covered, rng)
    if focus is not None and settings.focus:
        # The box (left, top, width, height) gets this share of the window; its tighter side decides.
        fitting = settings.focus * min(covered[1] / max(focus[2], 1), covered[0] / max(focus[3], 1))
        zooms = zooms[0] * fitting, zooms[1] * fitting
        centre = [focus[axis] + (focus[axis + 2] - 1) / 2 for axis in (0, 1)]
    else:
        # The part of the image that the window shows, in image pixels, somewhere in the image.
        parts = [side / zoom for side, zoom in zip(covered, zooms, strict=True)]
        centre = [_random_centre(n, part, rng) for n, part in zip(image[::-1], parts[::-1], strict=True)]
    if settings.shift:
        # Whole pixels of the image; around a zoomed object they are pixels of the window.
        moves = rng.integers(-settings.shift, settings.shift + 1, 2)
        centre = [
            at + move / (1 if focus is None else zooms[0]) for at, move in zip(centre, moves, strict=True)
        ]
    size = window[0] + 2 * context, window[1] + 2 * context
    # U-Net, section 3.1: displacements (3, 3, 2) of a coarse grid, interpolated to (2, height, width).
    field = elastic(rng.normal(0, settings.elastic, (3, 3, 2)), size) if settings.elastic else None
    return Warp(about(_random_matrix(settings, turns, zooms, rng), size, centre), size, field, settings.fill)


def _random_zooms(
    settings: Augmentation, image: tuple[int, int], window: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the random zoom factors of height and width."""
    if settings.area is None:
        zoom = math.exp(rng.uniform(*np.log(settings.scale)))
        return zoom, zoom
    # Szegedy et al. 2015: ten tries of an area and an aspect; area = h w and aspect = w / h, hence
    # h = sqrt(area / aspect) and w = sqrt(area aspect). parts: (10, 2).
    areas = rng.uniform(*settings.area, size=10) * math.prod(image)
    low, high = np.log(settings.aspect)
    aspects = np.exp(rng.uniform(low, high, 10))
    parts = np.sqrt([areas / aspects, areas * aspects]).T
    fitting = (parts <= image).all(axis=1)
    height, width = np.minimum(parts[fitting.argmax()], image)  # the first that fits, else the first, cut
    return window[0] / height, window[1] / width


def _random_quarter_turns(settings: Augmentation, window: tuple[int, int], rng: np.random.Generator) -> int:
    square = settings.crop is not None or window[0] == window[1]
    return int(rng.integers(4)) * (1 if square else 2) if settings.quarter_turns else 0


def _random_centre(length: int, covered: float, rng: np.random.Generator) -> float:
    """Return the centre of a random interval of length `covered` inside the image, or around all of it.

    It starts at a whole pixel, so that a mere crop copies pixels.
    """
    spare = length - covered  # negative where the interval is longer than the image
    start = math.copysign(rng.integers(int(abs(spare)) + 1), spare)
    return start + (covered - 1) / 2


def _random_matrix(
    settings: Augmentation, turns: int, zooms: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    from kerazoo.structures.warp import linear, quarter_turn

    # From output to input, right to left: mirror, quarter turns, zoom with shear, rotation. The draws are
    # the same for all settings, so that one setting changes nothing about the others.
    mirrored = rng.random(2) < 0.5
    x = -1 if settings.flip and mirrored[0] else 1
    y = -1 if settings.flip_vertical and mirrored[1] else 1
    angle, slant = np.radians(rng.uniform(-1, 1, 2) * (settings.rotation, settings.shear))
    rotation = linear(math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle))
    # x' = x / zoom_x + y tan(slant) / zoom_y, y' = y / zoom_y
    slanted = linear(1 / zooms[1], math.tan(slant) / zooms[0], 0, 1 / zooms[0])
    return rotation @ slanted @ quarter_turn(turns) @ linear(x, 0, 0, y)
