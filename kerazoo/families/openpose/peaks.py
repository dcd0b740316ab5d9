"""Peaks of heat maps, between cells."""

import cv2
import numpy as np

from kerazoo.families.openpose.parser import Parser

_AROUND = np.ones((3, 3), "uint8")

DISAGREEMENT = 0.25
"""Cells by which the two neighbours may differ about where a peak is before the lower one is believed."""

MOST = 100
"""Peaks of a point that are kept, the highest. A network that has learned nothing yet shows hundreds, and
what is tried to join them grows with their square."""


def peaks(heatmaps: np.ndarray, parser: Parser, sigma: float) -> list[np.ndarray]:
    """Return the peaks of every map, the highest first: a list of float32 `(P, 3)`: x, y in cells, height.

    Args:
        heatmaps: float32 `(h, w, K)`.
        parser: what counts as a peak.
        sigma: of a point's Gaussian, in cells.
    """
    maps = np.ascontiguousarray(heatmaps, "float32")
    y, x, point = _cells(maps, parser)
    height = maps[y, x, point]
    order = np.lexsort((-height, point))
    y, x, point, height = y[order], x[order], point[order], height[order]
    places = np.stack([x, y], axis=1) + _offsets(maps, y, x, point, sigma)
    found = np.concatenate([places, height[:, None]], axis=1).astype("float32")
    starts = np.searchsorted(point, np.arange(1, maps.shape[-1]))
    return [_apart(some[:MOST], parser.apart) for some in np.split(found, starts)]


def _cells(maps: np.ndarray, parser: Parser) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and map of the cells that no neighbour exceeds; of equals, the first."""
    looked = maps
    if parser.smoothing:
        looked = cv2.GaussianBlur(maps, (0, 0), parser.smoothing).reshape(maps.shape)
    highest = cv2.dilate(looked, _AROUND, borderType=cv2.BORDER_REPLICATE).reshape(maps.shape)
    top = (looked >= highest) & (maps > parser.peak)
    y, x, point = np.nonzero(top)
    for down, right in ((0, 1), (1, 0)):  # two neighbours that are equal to the last bit are one peak
        before = np.maximum(y - down, 0), np.maximum(x - right, 0), point
        again = (y >= down) & (x >= right) & top[before] & (looked[before] == looked[y, x, point])
        top[y[again], x[again], point[again]] = False
        y, x, point = y[~again], x[~again], point[~again]
    return y, x, point


def _offsets(maps: np.ndarray, y: np.ndarray, x: np.ndarray, point: np.ndarray, sigma: float) -> np.ndarray:
    """Return by how much each peak's Gaussian is off its cell: `(P, 2)`, x and y, -0.5..0.5.

    A Gaussian of known width is told by its cell and one neighbour. Where both neighbours say
    the same, it is their mean (then also the top of the parabola through three logarithms,
    whatever the width); else the lower one is right, since another's Gaussian only ever adds.
    """
    here = np.log(maps[y, x, point])
    offsets = []
    for down, right in ((0, 1), (1, 0)):
        before = _log(maps, y - down, x - right, point)
        after = _log(maps, y + down, x + right, point)
        by_before, by_after = -0.5 - sigma**2 * (before - here), 0.5 + sigma**2 * (after - here)
        curvature = np.minimum(before - 2 * here + after, -1e-6)
        parabola = (before - after) / (2 * curvature)
        lower = np.where(np.isnan(before) | (after < before), by_after, by_before)
        lower = np.where(np.isnan(after), by_before, lower)
        same = np.abs(by_after - by_before) < DISAGREEMENT
        offsets.append(np.clip(np.where(same, parabola, lower), -0.5, 0.5))
    return np.stack(offsets, axis=1)


def _log(maps: np.ndarray, y: np.ndarray, x: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return the logarithms in some cells, NaN beyond the map."""
    rows, columns = maps.shape[:2]
    inside = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
    values = maps[y.clip(0, rows - 1), x.clip(0, columns - 1), point]
    return np.where(inside, np.log(np.maximum(values, 1e-6)), np.nan)


def _apart(found: np.ndarray, cells: float) -> np.ndarray:
    """Return the peaks that are not closer than `cells` to a higher one that is kept."""
    if not cells or len(found) < 2:
        return found
    near = np.linalg.norm(found[:, None, :2] - found[None, :, :2], axis=-1) < cells
    kept: list[int] = []
    for index in range(len(found)):
        if not near[index, kept].any():
            kept.append(index)
    return found[kept]
