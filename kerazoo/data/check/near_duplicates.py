"""Images that are nearly the same: saved again, resized, of another brightness, or of the next second."""

from collections.abc import Sequence

import numpy as np

SIDE = 16
"""Images are compared as grey images of this height and width."""

ALIKE = 0.97
"""Correlation of two that are nearly the same: unlike photographs of one microscope have 0.75 at most, copies
that were shrunk, saved as bad JPEG or cut by some pixels 0.98."""

SMALLEST = 100
"""Images with a side below so many pixels show too little to be told apart."""

FLATTEST = 3.0
"""So do those with a standard deviation below so many grey levels."""

_ROWS = 256
"""So many are compared with all others at once: 120 MB for COCO's 118,000 images."""


def thumbnail(image: np.ndarray) -> np.ndarray | None:
    """Return what an image is compared by: float32 `(SIDE^2,)`, of mean 0 and length 1; None if too little.

    Args:
        image: uint8 `(H, W, 3)`; for others, such as stacks, the answer is None.
    """
    from kerazoo.media.opencv import cv2

    if image.ndim != 3 or min(image.shape[:2]) < SMALLEST:
        return None
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    values = grey.astype("float32").ravel() - np.float32(grey.mean())
    length = np.linalg.norm(values)
    return values / length if length >= FLATTEST * SIDE else None


def near_duplicates(
    thumbnails: Sequence[np.ndarray | None], groups: Sequence[object]
) -> list[tuple[int, int]]:
    """Return pairs of indices that are nearly the same and of different groups.

    Args:
        thumbnails: of each image.
        groups: such as the split of each image.
    """
    usable = [index for index, values in enumerate(thumbnails) if values is not None]
    if not usable:
        return []
    stacked = np.stack([values for values in thumbnails if values is not None])  # (N, SIDE^2)
    numbers = np.unique([str(groups[index]) for index in usable], return_inverse=True)[1]
    pairs = []
    for start in range(0, len(usable), _ROWS):
        rows = slice(start, start + _ROWS)
        alike = stacked[rows] @ stacked.T >= ALIKE  # (n, N)
        alike &= numbers[rows, None] != numbers
        pairs += [(usable[start + i], usable[j]) for i, j in np.argwhere(alike).tolist() if start + i < j]
    return pairs
