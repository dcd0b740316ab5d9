"""Regions of an image as COCO describes them: polygons, run lengths, boxes."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

FARTHEST = 1e6
"""No corner of a polygon is farther from its image's, in pixels."""

_BITS = 60
"""A run length has no more."""


class Region(NamedTuple):
    """A region of an image: polygons, run lengths, or else a box.

    Attributes:
        box: left, top, width, height; taken where there is nothing finer, or nothing that can be read.
        polygons: float32 `(n, 2)` each, polygons that make up the region together.
        rle: COCO's "counts", column by column, as numbers or as a string; and "size", height and width.
    """

    box: Sequence[float]
    polygons: Sequence[np.ndarray] = ()
    rle: dict[str, Any] | None = None


def parse_region(segmentation: Any, box: Sequence[float]) -> Region:
    """Return the region of an annotation's "segmentation", or else of its "bbox"."""
    if isinstance(segmentation, dict):
        return Region(box, rle=segmentation)
    if not isinstance(segmentation, list) or not all(map(_is_polygon, segmentation)):
        return Region(box)
    return Region(box, [np.array(ring, "float32").reshape(-1, 2) for ring in segmentation])


def _is_polygon(values: Any) -> bool:
    """Whether this is a flat list x, y, x, y ... of at least three points."""
    plain = isinstance(values, list) and len(values) >= 6 and len(values) % 2 == 0
    return plain and all(isinstance(value, int | float) and abs(value) <= FARTHEST for value in values)


def region_mask(regions: Iterable[Region], size: tuple[int, int]) -> np.ndarray:
    """Return the union of the regions as a mask.

    Args:
        regions: in an image.
        size: its height and width.

    Returns:
        uint8 `(H, W)`, 0 or 1.
    """
    from kerazoo.media.opencv import cv2

    mask = np.zeros(size, "uint8")
    for region in regions:
        if region.polygons:
            for ring in region.polygons:  # one by one: where rings of one call overlap, OpenCV leaves a hole
                cv2.fillPoly(mask, [np.rint(ring).astype("int32")], 1)
        elif region.rle and (decoded := decode_rle(region.rle, size)) is not None:
            mask |= decoded
        else:
            left, top, width, height = region.box
            # All pixels that the box touches; a corner left of or above the image is cut to 0.
            low = np.maximum(np.floor((left, top)), 0).astype(int)
            high = np.maximum(np.ceil((left + width, top + height)), 0).astype(int)
            mask[low[1] : high[1], low[0] : high[0]] = 1
    return mask


def decode_rle(runs: dict[str, Any], size: tuple[int, int]) -> np.ndarray | None:
    """Return the mask of COCO's run lengths, uint8 `(H, W)`; None if they do not fit the size."""
    height, width = size
    counts = runs.get("counts")
    if runs.get("size", list(size)) != list(size):
        return None
    plain = _decode_counts(counts) if isinstance(counts, str) else counts
    if not isinstance(plain, list) or not all(isinstance(n, int) and 0 <= n <= height * width for n in plain):
        return None
    if sum(plain) != height * width:
        return None
    lengths = np.array(plain, "int64")
    values = (np.arange(len(lengths)) % 2).astype("uint8")  # runs of 0 and 1 in turns, 0 first
    return np.repeat(values, lengths).reshape(width, height).T  # column by column: (W, H) -> (H, W)


def _decode_counts(text: str) -> list[int] | None:
    """Return the run lengths in COCO's compressed string; None if a length does not end.

    None where a length does not end.
    """
    # A number is a little-endian sequence of digits, a character each: bits 0 to 4 are its value, bit 5 says
    # that another digit follows, and bit 4 of the last digit is the sign (two's complement).
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - 48
        value |= (digit & 31) << shift
        shift += 5
        if shift > _BITS:
            return None
        if not digit & 32:
            value -= (digit & 16 and 1) << shift  # a negative difference
            # From the fourth on it is the difference from the length two before, of the same value.
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    return lengths
