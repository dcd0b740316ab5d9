"""Regions of a photograph as COCO describes them: polygons, run lengths, boxes."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Region(NamedTuple):
    """Where something is.

    Attributes:
        box: left, top, width, height; taken where there is nothing finer, or nothing that can be read.
        rings: float32 `(n, 2)` each, polygons that make up the region together.
        runs: COCO's "counts", column by column, as numbers or as a string; and "size", height and width.
    """

    box: Sequence[float]
    rings: Sequence[np.ndarray] = ()
    runs: dict[str, Any] | None = None


def region(segmentation: Any, box: Sequence[float]) -> Region:
    """Return the region that an annotation's "segmentation" or else its "bbox" tells."""
    if isinstance(segmentation, dict):
        return Region(box, runs=segmentation)
    if not isinstance(segmentation, list) or not segmentation:
        return Region(box)
    try:
        rings = [np.array(ring, "float32").reshape(-1, 2) for ring in segmentation]
    except (TypeError, ValueError):
        return Region(box)
    return Region(box, rings)


def covered(regions: Iterable[Region], size: tuple[int, int]) -> np.ndarray:
    """Return where any of the regions is.

    Args:
        regions: in a photograph.
        size: its height and width.

    Returns:
        uint8 `(H, W)`, 0 or 1.
    """
    import cv2

    mask = np.zeros(size, "uint8")
    for each in regions:
        if each.rings and all(len(ring) > 2 and np.isfinite(ring).all() for ring in each.rings):
            for ring in each.rings:  # one by one: where rings of one call overlap, OpenCV leaves a hole
                cv2.fillPoly(mask, [np.rint(ring).astype("int32")], 1)
        elif each.runs and (decoded := unpacked(each.runs, size)) is not None:
            mask |= decoded
        else:
            left, top, width, height = each.box
            low = np.maximum(np.floor((left, top)), 0).astype(int)
            high = np.maximum(np.ceil((left + width, top + height)), 0).astype(int)
            mask[low[1] : high[1], low[0] : high[0]] = 1
    return mask


def unpacked(runs: dict[str, Any], size: tuple[int, int]) -> np.ndarray | None:
    """Return the mask that run lengths tell, uint8 `(H, W)`; None where they are not of that size."""
    counts, told = runs.get("counts"), runs.get("size", size)
    try:
        same = tuple(told) == size
        lengths = np.array(_lengths(counts) if isinstance(counts, str | bytes) else counts, "int64")
    except (TypeError, ValueError, OverflowError):
        return None
    height, width = size
    if not same or lengths.ndim != 1 or lengths.min(initial=0) < 0 or lengths.sum() != height * width:
        return None
    values = (np.arange(len(lengths)) % 2).astype("uint8")
    return np.repeat(values, lengths).reshape(width, height).T


def _lengths(text: str | bytes) -> list[int]:
    """Return the run lengths in COCO's string: digits of 5 bits, the third and later as differences."""
    lengths: list[int] = []
    value = shift = 0
    for character in text.encode() if isinstance(text, str) else text:
        digit = character - 48
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            value -= (digit & 16 and 1) << shift
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    return lengths
