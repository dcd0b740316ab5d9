"""Plausibility checks of key points and boxes: common mistakes that types do not show."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerazoo.data.annotations import Remarks
from kerazoo.errors import UserError

SHARE = 1.5
"""Points none of whose coordinates is larger are shares of their image's sides."""

SMALLEST = 16
"""Images with no side longer than so many pixels are too small to tell shares from pixels."""

SLACK = 1.0
"""Points up to so many pixels beyond their image's border are brought into it."""

LOOSE = 0.1
"""By this share of its sides, and two pixels, a box may leave its image and miss its points."""


def validate_points(
    points: np.ndarray,
    visible: np.ndarray,
    sizes: np.ndarray,
    name: Callable[[int], str],
    file: Path,
    remarks: Remarks,
) -> tuple[np.ndarray, np.ndarray]:
    """Return points clipped to their images, and visibilities that are 0 for points too far outside.

    Args:
        points: float64 `(N, K, 2)`, pixel centres at whole numbers.
        visible: uint8 `(N, K)`, 0 for what is not labelled.
        sizes: float64 `(N, 2)`, height and width of the image that each is in; infinite where unknown.
        name: what the file calls the annotation of an index.
        file: of the annotations.
        remarks: gets how many points are outside or in the corner, and who has shares of sides among others
            that have pixels.

    Raises:
        UserError: nothing is labelled though there are points, all have shares of sides, or more points are
            outside than inside.
    """
    labelled = visible > 0
    if points.any() and not labelled.any():
        message = f"{file}: all visibilities are 0, which says that no point is labelled"
        raise UserError(message, "write 1 or 2 for those that are")
    shares = are_shares(points, labelled, sizes)
    remedy = "multiply x by the image's width and y by its height: points are pixels"
    if shares.any() and (shares == labelled.any(axis=1)).all():
        message = f"{file}: no labelled point is beyond {SHARE}: they are shares of the images' sides"
        raise UserError(message, remedy)
    remarks.problems += [
        UserError(f"{file}: {name(index)} has shares of the image's sides for points", remedy)
        for index in np.flatnonzero(shares & (labelled.sum(axis=1) > 1)).tolist()
    ]
    if count := int((labelled & (points == 0).all(axis=2)).sum()):
        message = f"{file}: {count} labelled points are at 0, 0"
        remarks.warnings.append(f"{message}: those that are not labelled need visibility 0")
    is_outside = are_outside(points, labelled, sizes)
    if count := int(is_outside.sum()):
        message = f"{file}: {count} of {int(labelled.sum())} labelled points are outside of their images"
        if 2 * count > labelled.sum():
            raise UserError(message, "are the images of another size, or are x and y swapped?")
        first = name(int(is_outside.any(axis=1).argmax()))
        remarks.warnings.append(f"{message} and count as not labelled, the first in {first}")
    last = np.nextafter(sizes[:, None, ::-1] - 0.5, 0, dtype="float32")
    return np.where(labelled[..., None], np.clip(points, -0.5, last), points), np.where(
        is_outside, 0, visible
    )


def are_shares(points: np.ndarray, labelled: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return whose labelled points all seem to be shares of the image's sides: bool `(N,)`.

    Args:
        points, sizes: as for `validate_points`.
        labelled: bool `(N, K)`.
    """
    small = (np.abs(points) <= SHARE).all(axis=2)
    return (small | ~labelled).all(axis=1) & labelled.any(axis=1) & (sizes.max(axis=1) > SMALLEST)


def are_outside(points: np.ndarray, labelled: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return which labelled points are more than `SLACK` beyond their image's border: bool `(N, K)`.

    Args:
        points, labelled, sizes: as for `are_shares`.
    """
    last = sizes[:, None, ::-1] - 0.5
    return labelled & ((points < -0.5 - SLACK) | (points > last + SLACK)).any(axis=2)


def are_misplaced(
    boxes: np.ndarray, sizes: np.ndarray, points: np.ndarray, expected: np.ndarray
) -> np.ndarray:
    """Return which boxes are empty, leave their image or miss a point that they should hold: bool `(N,)`.

    Args:
        boxes: float64 `(N, 4)`, left, top, width and height.
        points, sizes: as for `validate_points`.
        expected: bool `(N, K)`, the points that the box of the same number should hold.
    """
    low, sides = boxes[:, :2], boxes[:, 2:]
    slack = 2 + LOOSE * np.abs(sides)
    leaves = (low < -slack) | (low + sides > sizes[:, ::-1] + slack)
    missed = (points < (low - slack)[:, None]) | (points > (low + sides + slack)[:, None])
    return (leaves | (sides <= 0)).any(axis=1) | (missed.any(axis=2) & expected).any(axis=1)


def are_corners(boxes: np.ndarray, sizes: np.ndarray, points: np.ndarray, expected: np.ndarray) -> bool:
    """Whether boxes are corners: some are misplaced as (left, top, width, height), none as corners.

    Args:
        boxes, sizes, points, expected: as for `are_misplaced`.
    """
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    others = sizes, points, expected
    return bool(are_misplaced(boxes, *others).any()) and not are_misplaced(corners, *others).any()
