"""Peaks of heat maps, between cells."""

import numpy as np

from kerazoo.families.openpose.parser import Parser
from kerazoo.media.opencv import cv2

_AROUND = {4: cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), 8: np.ones((3, 3), "uint8")}

AGREED = 0.05
"""Cells by which two pairs of neighbours on one side of a peak may differ about its place to prove it."""

SHADOWED = 0.6
"""Height above which Gaussians in the shadow of others are looked for; the cell a Gaussian of height 1 and
7 pixels is in has 0.72 or more."""

MOST = 100
"""Peaks of a point that are kept, the highest. A network that has learned nothing yet shows hundreds, and
what is tried to join them grows with their square."""


def peaks(heatmaps: np.ndarray, parser: Parser, sigma: float) -> list[np.ndarray]:
    """Return the peaks of every map, the highest first: a list of float32 `(P, 3)`: x, y in cells, height.

    A peak is a cell that is no lower than its neighbours. Where the maximum of two Gaussians was drawn, it is
    also the cell of the lower one that is no peak by that, if its far side proves that it is there.

    Args:
        heatmaps: float32 `(h, w, K)`.
        parser: what counts as a peak.
        sigma: of a point's Gaussian, in cells.
    """
    maps = np.ascontiguousarray(heatmaps, "float32")  # (h, w, K)
    y, x, point = _cells(maps, parser, sigma)  # (P,) each, the peaks of all maps in one row
    height = maps[y, x, point]  # (P,)
    order = np.lexsort((-height, point))  # map by map, and within a map the highest first
    y, x, point, height = y[order], x[order], point[order], height[order]
    dx, dy = (_offset(_estimates(maps, y, x, point, sigma, axis)) for axis in (1, 0))  # (P,), -0.5..0.5
    peaks_of_all = np.stack([x + dx, y + dy, height], axis=1).astype("float32")  # (P, 3)
    starts = np.searchsorted(point, np.arange(1, maps.shape[-1]))  # (K - 1,), where the next map begins
    return [_apart(peaks_of_one[:MOST], parser.apart) for peaks_of_one in np.split(peaks_of_all, starts)]


def _cells(maps: np.ndarray, parser: Parser, sigma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and map of the cells that peaks are in; of equals side by side, the first."""
    smooth = maps
    if parser.smoothing:  # OpenCV drops the axis of a single channel
        smooth = cv2.GaussianBlur(maps, (0, 0), parser.smoothing).reshape(maps.shape)
    # A dilation is the maximum over the neighbourhood: where it equals the cell, none is higher.
    highest = cv2.dilate(smooth, _AROUND[parser.neighbours], borderType=cv2.BORDER_REPLICATE)
    is_top = (smooth >= highest.reshape(maps.shape)) & (maps > parser.peak)  # (h, w, K)
    y, x, point = _nonzero(is_top)
    for down, right in ((0, 1), (1, 0)):  # two neighbours that are equal to the last bit are one peak
        before = np.maximum(y - down, 0), np.maximum(x - right, 0), point
        repeated = (y >= down) & (x >= right) & is_top[before] & (smooth[before] == smooth[y, x, point])
        y, x, point = y[~repeated], x[~repeated], point[~repeated]
    hidden = _shadowed(maps, ~is_top & (maps > max(SHADOWED, parser.peak)), sigma)  # (3, P')
    y, x, point = np.concatenate([(y, x, point), hidden], axis=1)  # (3, P + P')
    return y, x, point


def _shadowed(maps: np.ndarray, where: np.ndarray, sigma: float) -> np.ndarray:
    """Return row, column and map, `(3, P)`, of those cells that prove to have a Gaussian's middle in them."""
    y, x, point = _nonzero(where)
    in_row, in_column = (_proven(_estimates(maps, y, x, point, sigma, axis)) for axis in (0, 1))  # (P,) bool
    return np.stack([y, x, point])[:, in_row & in_column]


def _nonzero(where: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return `np.nonzero(where)`, of three axes twenty times faster."""
    return np.unravel_index(np.flatnonzero(where), where.shape)


def _estimates(
    maps: np.ndarray, y: np.ndarray, x: np.ndarray, point: np.ndarray, sigma: float, axis: int
) -> np.ndarray:
    """Return four estimates of where a Gaussian's middle is along an axis, relative to each cell.

    Two neighbouring values give one, since the width is known. With g(s) = exp(-(s - m)^2 / (2 sigma^2))

        log g(s + 1) - log g(s) = (m - s - 1/2) / sigma^2
        m = s + 1/2 + sigma^2 (log g(s + 1) - log g(s))

    `(P, 4)`, by two pairs of cells before the cell and two after it. NaN beyond the map.
    """
    steps = np.arange(-2, 3)  # s, with the cell itself at 0
    place = (y, x)[axis][:, None] + steps  # (P, 5)
    inside = place.clip(0, maps.shape[axis] - 1)
    rows, columns = (inside, x[:, None]) if axis == 0 else (y[:, None], inside)
    values = maps[rows, columns, point[:, None]]  # (P, 5), g(s)
    logs = np.where(inside == place, np.log(np.maximum(values, 1e-6)), np.nan)
    return steps[:-1] + 0.5 + sigma**2 * np.diff(logs, axis=1)  # (P, 4), m of (s, s + 1)


def _sure(estimates: np.ndarray) -> np.ndarray:
    """Return whether both pairs of a side agree, `(P, 2)`; another's Gaussian does not reach there."""
    return np.abs(estimates[:, [0, 3]] - estimates[:, [1, 2]]) < AGREED  # outer pairs against inner pairs


def _proven(estimates: np.ndarray) -> np.ndarray:
    """Return whether a side is sure that the middle is in the cell itself and none that it is not: `(P,)`."""
    sure = _sure(estimates)  # (P, 2), before and after
    in_cell = np.abs(estimates[:, 1:3]) <= 0.5  # (P, 2), by the inner pairs
    return sure.any(axis=1) & (~sure | in_cell).all(axis=1)


def _offset(estimates: np.ndarray) -> np.ndarray:
    """Return by how much each peak is off its cell along an axis: `(P,)`, -0.5..0.5.

    Where only one side is sure, it is right; at the map's border, the side that there is. Else it is the top
    of the parabola through three logarithms, which is right whatever the width.
    """
    before, after = estimates[:, 1], estimates[:, 2]  # (P,), by the pairs (-1, 0) and (0, 1)
    first, second = _sure(estimates).T
    # The top of the parabola through f(s) = log g(s) is (f(1) - f(-1)) / (2 (2 f(0) - f(1) - f(-1))); with
    # f(1) - f(0) = (after - 1/2) / sigma^2 and f(0) - f(-1) = (before + 1/2) / sigma^2 sigma drops out:
    parabola = (before + after) / (2 * np.maximum(1 - after + before, 1e-6))
    offset = np.where(second & ~first, after, np.where(first & ~second, before, parabola))
    offset = np.where(np.isnan(before), after, np.where(np.isnan(after), before, offset))
    return np.where(np.isnan(offset), 0, np.clip(offset, -0.5, 0.5))


def _apart(candidates: np.ndarray, cells: float) -> np.ndarray:
    """Return the peaks that are not closer than `cells` to a higher one that is kept: `(P', 3)`."""
    if not cells or len(candidates) < 2:
        return candidates
    places = candidates[:, :2]
    near = np.linalg.norm(places[:, None] - places[None], axis=-1) < cells  # (P, P)
    kept: list[int] = []
    for index in range(len(candidates)):  # the highest first
        if not near[index, kept].any():
            kept.append(index)
    return candidates[kept]
