"""Images of what a Siamese network says: pairs, queries beside their nearest, the results of a search."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerazoo.draw import add_caption, contact_sheet

if TYPE_CHECKING:
    from kerazoo.structures.pairs import Distances, Nearest

SHOWN = 6
"""Pairs, or queries, that an image of a sample has room for."""

TITLES = "pairs that are alike, or queries", "different pairs, or queries"
"""Of the columns: rows of pairs and of queries, each beside what it is nearest to, take turns."""

RIGHT, WRONG, NEUTRAL = np.array([(0, 158, 115), (213, 60, 40), (200, 200, 200)], "uint8")


def draw_pairs(
    image: np.ndarray, result: "Distances", alike: np.ndarray, threshold: float
) -> dict[str, np.ndarray]:
    """Return pairs in two columns: those alike and those different.

    Framed green where the threshold tells them right, red where not; each with its distance.

    Args:
        image: uint8 `(P, 2, H, W, 3)`.
        result: of these.
        alike: bool `(P,)`.
        threshold: distance up to which they are taken for alike.
    """
    distances = result.of_pairs()
    right = (distances.astype("float64") <= threshold) == alike
    columns = np.flatnonzero(alike), np.flatnonzero(~alike)
    return {
        title: _tiled([_pair(image[i], f"{distances[i]:.2f}", right[i]) for i in chosen[:SHOWN]])
        for title, chosen in zip(TITLES, columns, strict=True)
    }


def draw_queries(image: np.ndarray, result: "Distances", shots: int) -> dict[str, np.ndarray]:
    """Return queries of an episode, each beside the nearest image shown; red where it is of another class.

    Args:
        image: uint8 `(ways, shots + queries, H, W, 3)`.
        result: of these.
        shots: so many images of each class come first and were shown.
    """
    right, pairs = result.right(shots)[:, 0], []
    for way in range(min(len(image), 2 * SHOWN)):
        nearest = result.between[way, shots, :, :shots]
        row, shot = np.unravel_index(nearest.argmin(), nearest.shape)
        both = np.stack([image[way, shots], image[row, shot]])
        pairs.append(_pair(both, f"{nearest.min():.2f}", right[way]))
    half = -(-len(pairs) // 2)
    return {title: _tiled(part) for title, part in zip(TITLES, (pairs[:half], pairs[half:]), strict=True)}


def draw_stack(image: np.ndarray) -> np.ndarray:
    """Return a stack of images as a grid, uint8 `(R, M, H, W, 3)`; a single image as it is."""
    if image.ndim == 3:
        return image
    return np.concatenate([np.concatenate(list(_framed(row, NEUTRAL)), axis=1) for row in image], axis=0)


def draw_couple(images: Sequence[np.ndarray], names: Sequence[str], caption: str, alike: bool) -> np.ndarray:
    """Return two images side by side with their names and, below, what they are to each other."""
    framed = [_framed(image[None], RIGHT if alike else WRONG)[0] for image in images]
    return add_caption(contact_sheet([framed], [_short(name) for name in names]), caption)


def draw_nearest(image: np.ndarray, result: "Nearest") -> np.ndarray:
    """Return an image beside its nearest with names and distances; a file that is gone is blank.

    Only those that `result` has images of are shown.
    """
    blank = np.full((8, 8, 3), 200, "uint8")
    images = [blank if near is None else near for near in result.images]
    neighbours = zip(result.files[: len(images)], result.distances[: len(images)], strict=True)
    titles = ["query", *(f"{apart:.2f} {_short(file, 18)}" for file, apart in neighbours)]
    return contact_sheet([[image, *images]], titles)


def _short(name: str, length: int = 24) -> str:
    """Return a name's end, which tells files apart."""
    return name if len(name) <= length else f"..{name[2 - length :]}"


def _pair(both: np.ndarray, caption: str, right: bool) -> np.ndarray:
    sides = np.concatenate(list(_framed(both, RIGHT if right else WRONG)), axis=1)
    return add_caption(sides, caption)


def _framed(images: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return images in frames: uint8 `(N, H, W, 3)` -> `(N, H + 2 b, W + 2 b, 3)`."""
    count, height, width, _ = images.shape
    line = max(min(height, width) // 40, 1)
    framed = np.empty((count, height + 2 * line, width + 2 * line, 3), "uint8")
    framed[:] = colour
    framed[:, line:-line, line:-line] = images
    return framed


def _tiled(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return images of one size two to a row; white where there is none."""
    if not images:
        return np.full((8, 8, 3), 255, "uint8")
    filled = [*images, *[np.full_like(images[0], 255)] * (len(images) % 2)]
    rows = [np.concatenate(filled[place : place + 2], axis=1) for place in range(0, len(filled), 2)]
    return np.concatenate(rows, axis=0)
