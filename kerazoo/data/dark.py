"""A warning about 16-bit images with only 12 or so significant bits: they would come out dark."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from kerazoo.image import largest_value
from kerazoo.media.pixels import ImageReading

LOOKED_AT = 32
"""So many images are read, from all over the data."""

BRIGHT = 2**14
"""Who fills 16 bits has an image among these that is brighter than this."""


class Dark(NamedTuple):
    """Images that are read as nearly black.

    Attributes:
        largest: number that they hold.
        example: one of them.
        looked_at: how many of 16 bits were.
    """

    largest: int
    example: Path
    looked_at: int

    def white(self) -> int:
        """Return the largest number that a camera of as many bits gives."""
        return 2 ** max(8, self.largest.bit_length() + self.largest.bit_length() % 2) - 1


def dark_images(images: Sequence[Path], how: ImageReading) -> Dark | None:
    """Return what is known of 16-bit images with only small values: their upper eight bits are nearly 0.

    Args:
        images: files, of which some are read.
        how: as they are read; None is returned where that says what is white.
    """
    if how.range is not None or not images:
        return None
    sampled = images[:: -(-len(images) // LOOKED_AT)]
    with ThreadPoolExecutor() as pool:
        largest_values = list(pool.map(lambda path: largest_value(path, how), sampled))
    deep = {path: value for path, value in zip(sampled, largest_values, strict=True) if value is not None}
    largest = max(deep.values(), default=0)
    return Dark(largest, next(iter(deep)), len(deep)) if 0 < largest < BRIGHT else None


def dark_image_warnings(images: Sequence[Path], how: ImageReading) -> list[str]:
    """Return a warning about images that are read as nearly black (`dark_images`)."""
    dark = dark_images(images, how)
    if dark is None:
        return []
    told = f"images of 16 bits hold numbers up to {dark.largest} only, such as {dark.example}"
    remedy = f"where the camera has {dark.white().bit_length()} bits, --set data.range=[0,{dark.white()}]"
    return [f"{told} ({dark.looked_at} looked at), and are read as nearly black; {remedy}"]
