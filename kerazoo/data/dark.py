"""A warning about 16-bit images with only 12 or so significant bits: they would come out dark."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kerazoo.image import largest_value
from kerazoo.media.pixels import ImageReading

LOOKED_AT = 32
"""So many images are read, from all over the data."""

BRIGHT = 2**14
"""Who fills 16 bits has an image among these that is brighter than this."""


def dark_image_warnings(images: Sequence[Path], how: ImageReading) -> list[str]:
    """Return a warning if 16-bit images have only small values: their upper eight bits are nearly 0.

    Args:
        images: files, of which some are read.
        how: as they are read; nothing is told where that says what is white.
    """
    if how.range is not None or not images:
        return []
    sampled = images[:: -(-len(images) // LOOKED_AT)]
    with ThreadPoolExecutor() as pool:
        largest_values = list(pool.map(lambda path: largest_value(path, how), sampled))
    deep = {path: value for path, value in zip(sampled, largest_values, strict=True) if value is not None}
    largest = max(deep.values(), default=0)
    if not 0 < largest < BRIGHT:
        return []
    bits = max(8, largest.bit_length() + largest.bit_length() % 2)
    looked_at = f"such as {next(iter(deep))} ({len(deep)} looked at)"
    return [
        f"images of 16 bits hold numbers up to {largest} only, {looked_at}, and are read as nearly black; "
        f"where the camera has {bits} bits, --set data.range=[0,{2**bits - 1}]"
    ]
