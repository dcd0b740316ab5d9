"""Heat maps of one person's key points, and back: NumPy's side of top-down pose.

Coordinates here are those of cells, x before y, whole numbers at their centres.
"""

from collections.abc import Callable

import numpy as np

from kerazoo.structures.keypoints import People
from kerazoo.structures.placement import Window

STRIDE = 4
"""Input pixels per cell, along each axis."""

SEEN = 0.2
"""Points below this score do not count for the person's score (the published `in_vis_thre`)."""


def targets(truth: People, window: Window, *, sigma: float, first: float, rounded: bool) -> dict:
    """Return the heat maps of the person in the middle of the window.

    Args:
        truth: people in the image; there may be none.
        window: the network's input.
        sigma, rounded: as for `gaussians`.
        first: input pixel, along both axes, that cell 0 stands for.

    Returns:
        "heatmaps" float32 `(rows / 4, columns / 4, K)`, 0..1, and "weights" float32 `(K,)`: 1 for
        what is to be learned, 0 for points that are not labelled or not in the window, whose maps are 0.
    """
    shape, count = (window.rows // STRIDE, window.columns // STRIDE), len(truth.skeleton.points)  # (h, w), K
    if not len(truth.points):
        return {"heatmaps": np.zeros((*shape, count), "float32"), "weights": np.zeros(count, "float32")}
    person = _middle(truth.boxes, window)
    points = window.to_input(truth.points[person])  # (K, 2), pixels of the network's input
    # A pixel reaches half a pixel around its middle, so the window is -0.5 .. columns - 0.5.
    within = ((points >= -0.5) & (points < np.array([window.columns, window.rows]) - 0.5)).all(axis=-1)
    weights = ((truth.visible[person] > 0) & within).astype("float32")  # (K,)
    maps = gaussians((points - first) / STRIDE, shape, sigma, rounded)  # (h, w, K)
    return {"heatmaps": maps * weights, "weights": weights}


def _middle(boxes: np.ndarray, window: Window) -> int:
    """Return the box whose centre is nearest to that of the window."""
    centres = boxes[:, :2] + boxes[:, 2:] / 2  # (B, 2), of left, top, width, height
    middle = np.array([window.left + window.width / 2, window.top + window.height / 2])
    return int(np.square(centres - middle).sum(axis=1).argmin())


def gaussians(points: np.ndarray, shape: tuple[int, int], sigma: float, rounded: bool) -> np.ndarray:
    """Return a Gaussian with a peak of 1 around every point.

    Args:
        points: `(K, 2)`, cells.
        shape: height and width of the maps.
        sigma: in cells.
        rounded: as published: the centre is the nearest cell, and it ends 3 sigma from there along each
            axis. Otherwise it is where the point is, also between cells (Zhang et al. 2020, section 3.3).

    Returns:
        float32 `(*shape, K)`.
    """
    centres = np.floor(points + 0.5) if rounded else points  # (K, 2)
    # exp(-((x - mu_x)^2 + (y - mu_y)^2) / (2 sigma^2)) is a product of one factor per axis: (w, K), (h, K).
    across, down = (
        _bumps(side, centres[:, axis], sigma, rounded) for axis, side in ((0, shape[1]), (1, shape[0]))
    )
    return (down[:, None] * across).astype("float32")  # (h, 1, K) * (w, K) -> (h, w, K)


def _bumps(length: int, centres: np.ndarray, sigma: float, cut: bool) -> np.ndarray:
    distance = np.arange(length)[:, None] - centres  # (length, K)
    values = np.exp(-np.square(distance) / (2 * sigma**2))
    return np.where(np.abs(distance) <= 3 * sigma, values, 0) if cut else values


def peaks(heatmaps: np.ndarray, sigma: float | None) -> np.ndarray:
    """Return where every map is highest, between its cells, and how high.

    Args:
        heatmaps: float32 `(h, w, K)`, at least 5 x 5 cells.
        sigma: refine by the logarithm of the maps (`refined`); None shifts by a quarter of a cell.

    Returns:
        float32 `(K, 3)`: x, y, and the height, 0 where nothing is above 0.
    """
    _, width, count = heatmaps.shape
    flat = heatmaps.reshape(-1, count)  # (h w, K)
    best = flat.argmax(axis=0)  # (K,)
    cells = np.stack([best % width, best // width], axis=-1)  # (K, 2), x before y: m of the paper
    shift = quarter(heatmaps, cells) if sigma is None else refined(heatmaps, cells, sigma)  # (K, 2)
    height = flat[best, np.arange(count)]  # (K,)
    return np.concatenate([cells + shift, np.where(height > 0, height, 0)[:, None]], axis=1, dtype="float32")


def quarter(heatmaps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return the published shift: a quarter of a cell towards the higher neighbour along each axis.

    Args:
        heatmaps: `(h, w, K)`.
        cells: int `(K, 2)`, of the maxima.

    Returns:
        `(K, 2)`, in cells; 0 for the first two rows and columns and the last.
    """
    at, inside = _around(heatmaps, cells, 1)
    slope = np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=-1)  # (K, 2); only its sign matters
    return 0.25 * np.sign(slope) * inside[:, None]


def refined(heatmaps: np.ndarray, cells: np.ndarray, sigma: float) -> np.ndarray:
    """Return the shift to the top of the Gaussian (DARK: Zhang et al. 2020, arXiv:1910.06278, section 3.2).

    The maps are smoothed by a Gaussian like that of the targets; a second-order Taylor expansion of their
    logarithm P at the highest cell m has its top at mu = m - (D'')^-1 D' (equation 9): D' its gradient and
    D'' its Hessian at m. For a Gaussian that is exact. Where it is no top within a cell's distance, or
    so near the border that no slopes are known, `quarter`.

    Args:
        heatmaps, cells: as for `quarter`.
        sigma: of the targets, in cells.
    """
    logs = np.log(np.maximum(_smoothed(heatmaps, sigma), 1e-10))  # P = ln G (equation 5), (h, w, K)
    at, inside = _around(logs, cells, 2)
    # D' by central differences, (K,): (P(m + 1) - P(m - 1)) / 2.
    dx, dy = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    # D'' by central differences of central differences, hence steps of 2 and a division by 4.
    dxx, dyy = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4, (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
    dxy = (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1)) / 4
    determinant = dxx * dyy - dxy**2
    is_top = inside & (determinant > 1e-8) & (dxx < 0)  # (K,): D'' is negative definite
    # -(D'')^-1 D' by Cramer: (D'')^-1 = [[dyy, -dxy], [-dxy, dxx]] / det D''.
    numerator = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)  # (K, 2)
    shift = numerator / np.where(is_top, determinant, 1)[:, None]
    is_top &= (np.abs(shift) <= 1).all(axis=-1)
    return np.where(is_top[:, None], shift, quarter(heatmaps, cells))


def _smoothed(heatmaps: np.ndarray, sigma: float) -> np.ndarray:
    """Return the maps after a Gaussian filter, h' = K * h (equation 10): `(h, w, K)` -> the same.

    Up to a factor, which is a summand of the logarithm and in none of its slopes; equation 11 is left out.
    """
    rows, columns = (_bell(side, sigma) for side in heatmaps.shape[:2])  # (h, h), (w, w)
    return np.tensordot(rows, np.matmul(columns, heatmaps), 1)  # the filter is a product, axis by axis


def _bell(length: int, sigma: float) -> np.ndarray:
    distance = np.arange(length) - np.arange(length)[:, None]
    return np.exp(-np.square(distance) / (2 * sigma**2)).astype("float32")


def _around(
    maps: np.ndarray, cells: np.ndarray, reach: int
) -> tuple[Callable[[int, int], np.ndarray], np.ndarray]:
    """Return a function from (dx, dy), up to `reach`, to the values `(K,)` there, and where those are known.

    That is, as published, beyond the first two rows and columns and before the last `reach`.
    """
    size, channel = np.array(maps.shape[1::-1]), np.arange(maps.shape[2])  # (w, h), (K,)
    inside = np.all((cells > 1) & (cells < size - reach), axis=-1, keepdims=False)  # (K,)
    x, y = np.clip(cells, reach, size - 1 - reach).T  # (K,) each, so that no index leaves the maps
    return lambda dx, dy: maps[y + dy, x + dx, channel], inside


def person_score(scores: np.ndarray) -> float:
    """Return the mean of the points' scores above `SEEN`, 0 where there are none: `(K,)`."""
    counted = scores[scores > SEEN]
    return float(counted.mean()) if len(counted) else 0.0
