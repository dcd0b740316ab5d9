"""Targets of part affinity fields (Cao et al. 2017, section 2.2 and 2.3); their inverse is `grouping`.

Three ways to draw them are compared with others' numbers under test ("paper", "mixed", "published"); the
default, "capsule", differs from the paper's in one thing: a limb's field also covers what is near its
ends, without which limbs shorter than a cell (nose to eye, of a small person) would have none.
"""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from kerazoo.tasks.pose import People

Targets = Literal["capsule", "paper", "mixed", "published"]

FARTHEST = np.log(100)
"""Exponent beyond which the published code takes a Gaussian for 0."""


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
    coded = mode in ("mixed", "published")
    heatmaps = _heatmaps(points, seen, size, stride, sigma, coded=coded, added=mode == "published")
    parts = heatmaps.max(axis=-1, keepdims=True)
    fields = np.zeros((*size, len(people.skeleton.limbs), 2))
    for limb, ends in enumerate(people.skeleton.limbs):
        both = np.flatnonzero(seen[:, ends].all(axis=1))
        lines = points[both][:, ends]
        fields[:, :, limb] = _field(lines, size, stride, half_width, mode)
    return {
        "heatmaps": np.concatenate([heatmaps, 1 - parts], axis=-1).astype("float32"),
        "fields": fields.reshape(*size, -1).astype("float32"),
        "weights": _weights(people.silent, size),
    }


def _weights(silent: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    if silent is None:
        return np.ones(size, "float32")
    rows, columns = size
    return 1 - cv2.resize(silent.astype("float32"), (columns, rows), interpolation=cv2.INTER_AREA)


def _heatmaps(
    points: np.ndarray,
    seen: np.ndarray,
    size: tuple[int, int],
    stride: int,
    sigma: float,
    *,
    coded: bool,
    added: bool,
) -> np.ndarray:
    """Return float64 `(h, w, K)`; a Gaussian is the product of one along each axis."""
    maps = np.zeros((points.shape[1], *size))
    along = [_exponents(points[..., axis], size[1 - axis], stride, sigma, coded) for axis in (0, 1)]
    for person, point in zip(*np.nonzero(seen), strict=True):
        exponent = along[1][person, point][:, None] + along[0][person, point]
        values = np.exp(-exponent)
        if coded:
            values[exponent > FARTHEST] = 0
        maps[point] = np.minimum(maps[point] + values, 1) if added else np.maximum(maps[point], values)
    return np.moveaxis(maps, 0, -1)


def _exponents(places: np.ndarray, cells: int, stride: int, sigma: float, coded: bool) -> np.ndarray:
    """Return the squared distance of every cell along one axis by 2 sigma^2: float64 `(P, K, cells)`."""
    centres = stride * np.arange(cells) + (stride - 1) / 2
    exponents = (centres - places[..., None]) ** 2 / (2 * sigma**2)
    if coded:  # the window that the code looks at, 4 sigma either way, cut to whole cells
        low = np.maximum(places - 4 * sigma, 0).astype(int) // stride
        high = np.minimum(places + 4 * sigma, stride * cells).astype(int) // stride
        cell = np.arange(cells)
        exponents[(cell < low[..., None]) | (cell >= high[..., None])] = np.inf
    return exponents


def _field(
    lines: np.ndarray, size: tuple[int, int], stride: int, half_width: float, mode: Targets
) -> np.ndarray:
    """Return one limb's field of all people: lines `(P, 2, 2)` -> float64 `(h, w, 2)`."""
    field, count = np.zeros((*size, 2)), np.zeros((*size, 1))
    offset = 0.0 if mode in ("mixed", "published") else (stride - 1) / 2
    for start, end in (lines - offset) / stride:  # in cells
        length = np.hypot(*(end - start))
        if length == 0:
            continue
        way = (end - start) / length
        rows, columns, on = _covered(start, way, length, half_width / stride, size, mode)
        if mode == "published":
            field[rows, columns][on] = way
        else:
            field[rows, columns] += on[..., None] * way
            count[rows, columns] += on[..., None]
    return field if mode == "published" else field / np.maximum(count, 1)


def _covered(
    start: np.ndarray, way: np.ndarray, length: float, half_width: float, size: Sequence[int], mode: Targets
) -> tuple[slice, slice, np.ndarray]:
    """Return the rows and columns around a limb, and which of their cells its field covers."""
    ends = np.stack([start, start + way * length])
    low = np.maximum(ends.min(axis=0) - half_width, 0).astype(int)
    high = np.minimum(ends.max(axis=0) + half_width + (mode in ("capsule", "paper")), size[::-1]).astype(int)
    columns, rows = (slice(first, max(last, first)) for first, last in zip(low, high, strict=True))
    x = np.arange(columns.start, columns.stop) - start[0]
    y = np.arange(rows.start, rows.stop)[:, None] - start[1]
    along, across = x * way[0] + y * way[1], np.abs(x * way[1] - y * way[0])
    on = across <= half_width
    if mode == "paper":
        on &= (along >= 0) & (along <= length)
    elif mode == "capsule":
        beyond = along - np.clip(along, 0, length)
        on = np.hypot(beyond, across) <= half_width
    return rows, columns, on
