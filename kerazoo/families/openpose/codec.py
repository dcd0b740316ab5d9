"""Targets of part affinity fields (Cao et al. 2017, section 2.2 and 2.3); their inverse is `grouping`.

Three ways to draw them are compared with others' numbers under test ("paper", "mixed", "published"); the
default, "capsule", differs from the paper's in one thing: a limb's field also covers what is near its
ends, without which limbs shorter than a cell (nose to eye, of a small person) would have none.
"""

from typing import Literal

import numpy as np

from kerazoo.media.opencv import cv2
from kerazoo.structures.keypoints import People

Targets = Literal["capsule", "paper", "mixed", "published"]

STRIDE = 8
"""Input pixels per cell of the maps, of all trunks."""

FARTHEST = np.log(100)
"""Exponent beyond which the published code takes a Gaussian for 0."""

REACH = 8.0
"""Deviations up to which Gaussians are computed at all; what is farther is below 1e-13."""


def targets(
    people: People,
    size: tuple[int, int],
    *,
    stride: int = 8,
    sigma: float = 7.0,
    half_width: float = 8.0,
    mode: Targets = "capsule",
) -> dict[str, np.ndarray]:
    """Return heat maps, fields and what of them counts.

    Args:
        people: in input pixels.
        size: height and width of the maps.
        stride: input pixels per cell; cell g is at pixel `stride * g + (stride - 1) / 2`.
        sigma: of a point's Gaussian, in input pixels.
        half_width: of a limb's field, in input pixels.
        mode: where people overlap, "capsule", "paper" and "mixed" take the maximum of heat maps and the mean
            of fields, "published" the sum, at most 1, and the last person's field. "paper" ends a
            field at the limb's ends; "mixed" and "published" have the geometry of the published code: no
            Gaussian beyond 3 sigma, fields half a cell off and as far as the limb's upright box.

    Returns:
        "heatmaps" float32 `(h, w, K + 1)`, the last the background's; "fields" float32 `(h, w, 2 L)`, x and y
        of limb after limb; "weights" float32 `(h, w)`, 1 where everything is known and 0 where nothing is.
    """
    seen, points = people.visible > 0, people.points.astype("float64")
    offset = 0.0 if _coded(mode) else (stride - 1) / 2
    lines, limb = _lines((points - offset) / stride, seen, people.skeleton.limbs)
    return {
        "heatmaps": _heatmaps(points, seen, size, stride, sigma, mode),
        "fields": _fields(lines, limb, (*size, len(people.skeleton.limbs)), half_width / stride, mode),
        "weights": _weights(people.ignore, size),
    }


def _coded(mode: Targets) -> bool:
    """Whether the geometry is the published code's."""
    return mode in ("mixed", "published")


def _weights(ignore: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    if ignore is None:
        return np.ones(size, "float32")
    rows, columns = size
    return 1 - cv2.resize(ignore.astype("float32"), (columns, rows), interpolation=cv2.INTER_AREA)


def _heatmaps(
    points: np.ndarray, seen: np.ndarray, size: tuple[int, int], stride: int, sigma: float, mode: Targets
) -> np.ndarray:
    """Return float32 `(h, w, K + 1)`: every Gaussian is drawn into the cells around its point."""
    (x, across), (y, down) = (
        _around(points[seen][:, axis], size[1 - axis], stride, sigma, mode) for axis in (0, 1)
    )
    exponents = down[:, :, None] + across[:, None]
    values = np.exp(-exponents)
    if _coded(mode):
        values[exponents > FARTHEST] = 0
    maps = np.zeros((*size, points.shape[1] + 1), "float32")
    place = (y[:, :, None] * size[1] + x[:, None]) * maps.shape[-1] + np.nonzero(seen)[1][:, None, None]
    combined = np.add if mode == "published" else np.maximum
    combined.at(maps.reshape(-1), place.ravel(), values.ravel().astype("float32"))
    np.minimum(maps, 1, out=maps)
    maps[..., -1] = 1 - maps.max(axis=-1)
    return maps


def _around(
    places: np.ndarray, count: int, stride: int, sigma: float, mode: Targets
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells around each place along one axis, and their squared distance by 2 sigma^2.

    Both are `(N, W)`; a cell that is not to be drawn into is infinitely far.
    """
    reach = int(np.ceil(REACH * sigma / stride))
    cells = np.rint(places / stride).astype("int64")[:, None] + np.arange(-reach, reach + 1)
    exponents = (stride * cells + (stride - 1) / 2 - places[:, None]) ** 2 / (2 * sigma**2)
    low, high = np.zeros_like(cells[:, :1]), np.full_like(cells[:, :1], count)
    if _coded(mode):  # the window that the code looks at, 4 sigma either way, cut to whole cells
        low = np.maximum(places - 4 * sigma, 0).astype("int64")[:, None] // stride
        high = np.minimum(places + 4 * sigma, stride * count).astype("int64")[:, None] // stride
    exponents[(cells < low) | (cells >= high)] = np.inf
    return cells.clip(0, count - 1), exponents


def _lines(
    points: np.ndarray, seen: np.ndarray, limbs: tuple[tuple[int, int], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return all limbs that are known, person by person: their ends `(N, 2, 2)` and which limbs, `(N,)`."""
    ends = np.array(limbs).reshape(-1, 2)
    person, limb = np.nonzero(seen[:, ends].all(axis=-1))
    lines = points[person[:, None], ends[limb]]
    long = (lines[:, 0] != lines[:, 1]).any(axis=-1)
    return lines[long], limb[long]


def _fields(
    lines: np.ndarray, limb: np.ndarray, shape: tuple[int, int, int], half_width: float, mode: Targets
) -> np.ndarray:
    """Return float32 `(h, w, 2 L)`; lines, `shape` (h, w, L) and half width are in cells."""
    rows, columns, limbs = shape
    vectors = lines[:, 1] - lines[:, 0]
    lengths = np.hypot(*vectors.T)
    ways = vectors / lengths[:, None]
    line, x, y = _covered(lines, lengths, ways, half_width, (rows, columns), mode)
    place = (y * columns + x) * limbs + limb[line]
    fields = np.zeros((rows * columns * limbs, 2), "float32")
    if mode == "published":
        fields[place] = ways[line]  # of several in one place, the last stays
    else:
        sums = np.zeros((3, len(fields)))
        for total, values in zip(sums, (1.0, *ways[line].T), strict=True):
            np.add.at(total, place, values)
        fields[place] = (sums[1:, place] / sums[0, place]).T
    return fields.reshape(rows, columns, -1)


def _covered(
    lines: np.ndarray,
    lengths: np.ndarray,
    ways: np.ndarray,
    half_width: float,
    size: tuple[int, int],
    mode: Targets,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what fields cover: which line, column and row, a row of each per line and cell."""
    low = np.maximum(lines.min(axis=1) - half_width, 0).astype("int64")
    high = np.minimum(lines.max(axis=1) + half_width + (not _coded(mode)), size[::-1]).astype("int64")
    line, x, y = _boxed(low, np.maximum(high - low, 0))
    start, way, length = lines[line, 0], ways[line], lengths[line]
    from_x, from_y = x - start[:, 0], y - start[:, 1]
    along = from_x * way[:, 0] + from_y * way[:, 1]
    across = np.abs(from_x * way[:, 1] - from_y * way[:, 0])
    on = across <= half_width
    if mode == "paper":
        on &= (along >= 0) & (along <= length)
    elif mode == "capsule":
        on = np.hypot(along - np.clip(along, 0, length), across) <= half_width
    return line[on], x[on], y[on]


def _boxed(low: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cells of boxes, one box after the other: which box, column and row."""
    areas = size.prod(axis=1)
    box = np.repeat(np.arange(len(areas)), areas)
    nth = np.arange(len(box)) - np.repeat(areas.cumsum() - areas, areas)
    down, right = np.divmod(nth, size[box, 0])
    return box, low[box, 0] + right, low[box, 1] + down
