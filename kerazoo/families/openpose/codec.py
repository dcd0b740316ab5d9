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
    labelled, points = people.visible > 0, people.points.astype("float64")  # (B, K), (B, K, 2)
    offset = 0.0 if _coded(mode) else (stride - 1) / 2  # input pixel in the middle of cell 0
    lines, limb = _lines((points - offset) / stride, labelled, people.skeleton.limbs)
    return {
        "heatmaps": _heatmaps(points, labelled, size, stride, sigma, mode),
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
    # The mean over a cell's pixels, (H, W) -> (h, w): a cell half ignored has half the weight.
    return 1 - cv2.resize(ignore.astype("float32"), (columns, rows), interpolation=cv2.INTER_AREA)


def _heatmaps(
    points: np.ndarray, labelled: np.ndarray, size: tuple[int, int], stride: int, sigma: float, mode: Targets
) -> np.ndarray:
    """Return float32 `(h, w, K + 1)`: every Gaussian is drawn into the cells around its point."""
    (x, across), (y, down) = (  # (N, W) each, N labelled points of all people
        _around(points[labelled][:, axis], size[1 - axis], stride, sigma, mode) for axis in (0, 1)
    )
    exponents = down[:, :, None] + across[:, None]  # (N, W, W), |p - x|^2 / (2 sigma^2)
    values = np.exp(-exponents)  # eq. 6, whose sigma^2 is 2 sigma^2 here
    if _coded(mode):
        values[exponents > FARTHEST] = 0
    maps = np.zeros((*size, points.shape[1] + 1), "float32")
    point = np.nonzero(labelled)[1][:, None, None]  # (N, 1, 1), which map
    place = (y[:, :, None] * size[1] + x[:, None]) * maps.shape[
        -1
    ] + point  # (N, W, W), index of the flat maps
    combine = np.add if mode == "published" else np.maximum  # eq. 7 takes the maximum over people
    combine.at(maps.reshape(-1), place.ravel(), values.ravel().astype("float32"))
    np.minimum(maps, 1, out=maps)
    maps[..., -1] = 1 - maps.max(axis=-1)  # the background
    return maps


def _around(
    places: np.ndarray, count: int, stride: int, sigma: float, mode: Targets
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells around each place along one axis, and their squared distance by 2 sigma^2.

    Both are `(N, W)`; a cell that is not to be drawn into is infinitely far.
    """
    reach = int(np.ceil(REACH * sigma / stride))
    cells = np.rint(places / stride).astype("int64")[:, None] + np.arange(-reach, reach + 1)  # (N, W)
    pixels = stride * cells + (stride - 1) / 2  # the middle of a cell
    exponents = (pixels - places[:, None]) ** 2 / (2 * sigma**2)
    low, high = np.zeros_like(cells[:, :1]), np.full_like(cells[:, :1], count)
    if _coded(mode):  # the window that the code looks at, 4 sigma either way, cut to whole cells
        low = np.maximum(places - 4 * sigma, 0).astype("int64")[:, None] // stride
        high = np.minimum(places + 4 * sigma, stride * count).astype("int64")[:, None] // stride
    exponents[(cells < low) | (cells >= high)] = np.inf
    return cells.clip(0, count - 1), exponents


def _lines(
    points: np.ndarray, labelled: np.ndarray, limbs: tuple[tuple[int, int], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return all limbs that are known, person by person: their ends `(N, 2, 2)` and which limbs, `(N,)`."""
    ends = np.array(limbs).reshape(len(limbs), 2)  # (L, 2), the points of a limb
    person, limb = np.nonzero(labelled[:, ends].all(axis=-1))  # of (B, L): both ends are labelled
    lines = points[person[:, None], ends[limb]]  # (N, 2, 2): limb, end, x and y
    long = (lines[:, 0] != lines[:, 1]).any(axis=-1)  # a limb of length 0 has no direction
    return lines[long], limb[long]


def _fields(
    lines: np.ndarray, limb: np.ndarray, shape: tuple[int, int, int], half_width: float, mode: Targets
) -> np.ndarray:
    """Return float32 `(h, w, 2 L)`; lines, `shape` (h, w, L) and half width are in cells."""
    rows, columns, limbs = shape
    vectors = lines[:, 1] - lines[:, 0]  # (N, 2)
    lengths = np.hypot(*vectors.T)  # (N,), l
    directions = vectors / lengths[:, None]  # (N, 2), v = (x_2 - x_1) / |x_2 - x_1| of eq. 8
    line, x, y = _covered(lines, lengths, directions, half_width, (rows, columns), mode)  # (M,) each
    place = (y * columns + x) * limbs + limb[line]  # (M,), index of the flat fields
    fields = np.zeros((rows * columns * limbs, 2), "float32")
    if mode == "published":
        fields[place] = directions[line]  # of several in one place, the last stays
    else:  # eq. 9: the sum of v over people by their number n_c(p)
        sums = np.zeros((3, len(fields)))  # n, sum of v_x, sum of v_y
        for total, values in zip(sums, (1.0, *directions[line].T), strict=True):
            np.add.at(total, place, values)
        fields[place] = (sums[1:, place] / sums[0, place]).T
    return fields.reshape(rows, columns, -1)


def _covered(
    lines: np.ndarray,
    lengths: np.ndarray,
    directions: np.ndarray,
    half_width: float,
    size: tuple[int, int],
    mode: Targets,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what fields cover: which line, column and row, `(M,)` each, an entry per line and cell."""
    low = np.maximum(lines.min(axis=1) - half_width, 0).astype("int64")  # (N, 2), x and y of the box around
    high = np.minimum(lines.max(axis=1) + half_width + (not _coded(mode)), size[::-1]).astype("int64")
    line, x, y = _boxed(low, np.maximum(high - low, 0))  # (M,) each, all cells of the boxes
    start, direction, length = lines[line, 0], directions[line], lengths[line]
    from_x, from_y = x - start[:, 0], y - start[:, 1]  # p - x_1
    along = from_x * direction[:, 0] + from_y * direction[:, 1]  # v . (p - x_1)
    across = np.abs(from_x * direction[:, 1] - from_y * direction[:, 0])  # |v_perp . (p - x_1)|
    on = across <= half_width  # section 2.3: across <= sigma_l
    if mode == "paper":  # and 0 <= along <= l
        on &= (along >= 0) & (along <= length)
    elif mode == "capsule":  # the distance to the nearest point of the limb, so that its ends are round
        on = np.hypot(along - np.clip(along, 0, length), across) <= half_width
    return line[on], x[on], y[on]


def _boxed(low: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cells of boxes, one box after the other: which box, column and row."""
    areas = size.prod(axis=1)  # (N,), cells
    box = np.repeat(np.arange(len(areas)), areas)  # (M,), M the sum of the areas
    nth = np.arange(len(box)) - np.repeat(areas.cumsum() - areas, areas)  # (M,), 0.. within the box
    down, right = np.divmod(nth, size[box, 0])  # row by row
    return box, low[box, 0] + right, low[box, 1] + down
