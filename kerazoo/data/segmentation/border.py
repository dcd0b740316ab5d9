"""U-Net's weight map: the narrow gaps between touching objects count more (paper, section 3, eq. 2)."""

import contextlib
import hashlib
import io
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.files.cache import cache_folder
from kerazoo.files.writing import atomic_bytes
from kerazoo.settings import settings

_REACH = 5.0
"""In units of sigma: a gap wider than this adds less than w0 * exp(-_REACH^2 / 2) = 4e-6 w0."""


MOST = 100.0
"""Where balancing stops: a class of a few pixels would otherwise outweigh its image by thousands."""


@settings
class BorderWeights:
    """The weight map w = w_c + w0 exp(-(d1 + d2)^2 / (2 sigma^2)).

    Attributes:
        w0: weight added where two objects touch.
        sigma: in pixels, how wide a gap is still emphasised.
        balance: weigh objects and background so that both count half (w_c of the paper), image
            by image; otherwise w_c is 1.
    """

    w0: Annotated[float, Field(ge=0)] = 10.0
    sigma: Annotated[float, Field(gt=0)] = 5.0
    balance: bool = True


def border_weights(
    instances: np.ndarray, w0: float = 10.0, sigma: float = 5.0, balance: bool = True
) -> np.ndarray:
    """Return how much every pixel's loss counts; see `BorderWeights`.

    d1 and d2 are the distances of a background pixel to the nearest and second nearest object
    (to the centre of its nearest pixel, so a pixel between two touching objects has 1 and 1).
    Pixels of objects, and images of fewer than two objects, get no border term.

    Args:
        instances: integers `(H, W)`, 0 = background, every object its own number.

    Returns:
        float32 `(H, W)`, positive.
    """
    background = instances == 0
    weights = _class_weights(background) if balance else np.ones(instances.shape, "float32")
    nearest, second = two_nearest(instances, reach=_REACH * sigma)
    gap = np.where(background, nearest + second, np.inf)  # d1 + d2; exp(-inf) = 0 on objects
    # Eq. 2: w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2))
    return weights + np.float32(w0) * np.exp(-np.square(gap) / np.float32(2 * sigma * sigma))


def two_nearest(instances: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances to the nearest and second nearest object: float32 `(H, W)`, inf beyond `reach`.

    Every object's distance transform is taken only in its bounding box widened by `reach`.
    """
    from kerazoo.media.opencv import cv2

    nearest, second = np.full((2, *instances.shape), np.inf, "float32")
    margin = int(np.ceil(reach))
    for label, (top, left, bottom, right) in _object_boxes(instances):
        # Only here can this object be nearer than `reach`; distanceTransform gives the distance to the
        # nearest zero, and the object's own pixels are the zeros.
        box = np.s_[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
        outside = (instances[box] != label).astype("uint8")
        distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # OpenCV's last digit changes from call to call; squared distances are whole numbers.
        squared = np.round(np.square(distance))
        squared[squared > reach * reach] = np.inf
        # The two smallest distances so far, updated by a third one.
        second[box] = np.minimum(second[box], np.maximum(nearest[box], squared))
        nearest[box] = np.minimum(nearest[box], squared)
    return np.sqrt(nearest), np.sqrt(second)


def cached_border_weights(instances: np.ndarray, settings: BorderWeights) -> np.ndarray:
    """Return `border_weights`, computed once for all runs and kept in the cache folder.

    Kept, and always returned, with the precision of float16, so that a cached map equals a fresh one. An
    unreadable entry is computed anew; a cache that cannot be written is done without.
    """
    options = (settings.w0, settings.sigma, settings.balance)
    head = repr((2, instances.shape, instances.dtype.str, *options)).encode()
    key = hashlib.sha256(head + np.ascontiguousarray(instances).tobytes()).hexdigest()
    path = cache_folder() / "border" / f"{key}.npy"
    weights = _load_cached(path, instances.shape)
    if weights is None:
        weights = border_weights(instances, *options).astype("float16")
        buffer = io.BytesIO()
        np.save(buffer, weights, allow_pickle=False)
        with contextlib.suppress(UserError):
            atomic_bytes(path, buffer.getvalue())
    return weights.astype("float32")


def _load_cached(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        with path.open("rb") as file:
            weights = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return weights if weights.shape == shape and weights.dtype == np.float16 else None


def _class_weights(background: np.ndarray) -> np.ndarray:
    share = background.mean(dtype="float64")
    if share in (0, 1):  # one class alone needs no balance
        return np.ones(background.shape, "float32")
    # Each class gets half of the sum: share * N pixels of weight 0.5 / share, the same for the rest.
    weights = np.where(background, 0.5 / share, 0.5 / (1 - share))
    return np.minimum(weights, MOST).astype("float32")


def _object_boxes(instances: np.ndarray) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Return every object's number and its (top, left, bottom, right), the last two exclusive."""
    rows, columns = np.nonzero(instances)
    if not rows.size:
        return []
    # All pixels of objects, sorted by object: a box is the minimum and maximum of a run of equal labels.
    labels = instances[rows, columns]
    order = np.argsort(labels, kind="stable")
    labels = labels[order]
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    low = [np.minimum.reduceat(axis[order], starts) for axis in (rows, columns)]
    high = [np.maximum.reduceat(axis[order], starts) + 1 for axis in (rows, columns)]
    boxes = np.stack([*low, *high], axis=1).tolist()
    return [(int(label), tuple(box)) for label, box in zip(labels[starts], boxes, strict=True)]
