"""Drawing images for people: overlays, captions, confusion matrices, contact sheets."""

import bisect
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from kerazoo.files.text import drawable, font
from kerazoo.media.opencv import cv2

PALETTE = np.array(
    [
        (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178),
        (213, 94, 0), (204, 121, 167), (150, 75, 0), (120, 200, 60), (140, 90, 220), (255, 130, 130),
        (60, 200, 200), (180, 180, 180), (255, 200, 120), (90, 110, 160),
    ],
    "uint8",
)  # fmt: skip
"""Label colours: black background, then Okabe and Ito's, told apart by the colour-blind."""

_TABLE = np.concatenate([PALETTE[:1], PALETTE[1 + np.arange(254) % (len(PALETTE) - 1)], [(255, 255, 255)]])
_TABLE = _TABLE.astype("uint8")
_READABLE = 160
"""Pixels of the shorter side that a caption needs."""

_SMALL = 13
"""Pixels of the smallest letters: from the top of the highest to the bottom of the lowest."""


def colours(labels: np.ndarray) -> np.ndarray:
    """Return a colour per label, `VOID` (255) in white: uint8 `(H, W)` -> `(H, W, 3)`."""
    return _TABLE[labels]


def overlay(image: np.ndarray, labels: np.ndarray, opacity: float = 0.4) -> np.ndarray:
    """Return the image with classes above 0 tinted and every border between classes drawn.

    Args:
        image: uint8 `(H, W, 3)`.
        labels: uint8 `(H, W)`.
        opacity: of the tint, 0..1.
    """
    tint = colours(labels)
    mixed = cv2.addWeighted(image, 1.0 - opacity, tint, opacity, 0.0)
    shown = np.where((labels > 0)[..., None], mixed, image)
    edge = borders(labels)
    shown[edge] = tint[edge]
    return shown


def borders(labels: np.ndarray) -> np.ndarray:
    """Return where a pixel's right or lower neighbour has another label: bool `(H, W)`.

    The pixel of the higher class is marked, so that the line has the object's colour.
    """
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        first = np.moveaxis(labels, axis, 0)[:-1]
        second = np.moveaxis(labels, axis, 0)[1:]
        marks = np.moveaxis(edge, axis, 0)
        marks[:-1] |= first > second
        marks[1:] |= second > first
    return edge


def add_caption(image: np.ndarray, text: str) -> np.ndarray:
    """Return the image, enlarged where it is small, with a text in a band along its lower edge.

    A text that does not fit is cut.

    Args:
        image: uint8 `(H, W, 3)`.
        text: one line.
    """
    short, long = sorted(image.shape[:2])
    factor = max(min(-(-_READABLE // short), 4 * _READABLE // long), 1)
    shown = image.repeat(factor, axis=0).repeat(factor, axis=1)
    size = max(factor * short // 13, _SMALL)
    band = shown[-3 * size // 2 :]
    band[:] = band // 4
    place = size // 3, len(band) - size // 2
    _write_text(band, _truncate(text, shown.shape[1] - 2 * (size // 3), size), place, size, (255, 255, 255))
    return shown


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return an image of a confusion matrix: uint8 `(H, W, 3)`; few classes get names and numbers.

    Args:
        counts: integers `(classes, classes)`, the truth in rows; coloured by its share of the row.
        names: class names in label order.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    classes = len(names)
    side = 3 + 5 * min(classes, 40) / 20
    figure = Figure(figsize=(side, side), dpi=110, layout="constrained")
    axis = figure.subplots()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axis.set(xlabel="prediction", ylabel="truth")
    if classes <= 40:
        drawable_names = [drawable(name) for name in names]
        short = [name if len(name) <= 24 else f"{name[:23]}…" for name in drawable_names]
        axis.set_xticks(range(classes), short, rotation=90, parse_math=False)
        axis.set_yticks(range(classes), short, parse_math=False)
    for row, column in zip(*np.nonzero(counts), strict=True) if classes <= 20 else ():
        colour = "white" if share[row, column] > 0.5 else "black"
        axis.text(column, row, counts[row, column], ha="center", va="center", color=colour, fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str], legend: Sequence[str] = ()
) -> np.ndarray:
    """Return images side by side, a row per sample, with column titles and a legend of classes.

    Args:
        rows: uint8 `(H, W, 3)` images; each is fitted into a common cell.
        titles: of the columns.
        legend: class names in label order.
    """
    height, width = (min(max(r[0].shape[axis] for r in rows), 384) for axis in (0, 1))
    height, width = max(height, 200), max(width, 200)
    columns = len(titles) * (width + 8) + 8
    parts = [_title_row(titles, width, columns)]
    for row in rows:
        cells = [_fit_cell(image, height, width) for image in row]
        parts.append(np.concatenate([*cells, np.full((height + 8, 8, 3), 255, "uint8")], axis=1))
    if legend:
        parts.append(_legend_rows(legend, columns))
    return np.concatenate(parts, axis=0)


def _fit_cell(image: np.ndarray, height: int, width: int) -> np.ndarray:
    scale = min(height / image.shape[0], width / image.shape[1])
    size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    cell = np.full((height + 8, width + 8, 3), 255, "uint8")
    cell[8 : 8 + size[1], 8 : 8 + size[0]] = cv2.resize(image, size, interpolation=method)
    return cell


def _title_row(titles: Sequence[str], width: int, columns: int) -> np.ndarray:
    strip = np.full((24, columns, 3), 255, "uint8")
    for index, title in enumerate(titles):
        place = 8 + index * (width + 8), 18
        _write_text(strip, _truncate(title, width, _SMALL), place, _SMALL, (0, 0, 0))
    return strip


def _legend_rows(names: Sequence[str], columns: int) -> np.ndarray:
    lines, x = [np.full((24, columns, 3), 255, "uint8")], 8
    for label, name in enumerate(names):
        text = _truncate(name, columns - 34, _SMALL)
        needed = 26 + round(font(_SMALL).getlength(text))
        if x + needed > columns and x > 8:
            lines.append(np.full((24, columns, 3), 255, "uint8"))
            x = 8
        colour = colours(np.array([[label]], "uint8"))[0, 0].tolist()
        cv2.rectangle(lines[-1], (x, 6), (x + 12, 18), colour, -1)
        cv2.rectangle(lines[-1], (x, 6), (x + 12, 18), (90, 90, 90), 1)
        _write_text(lines[-1], text, (x + 17, 17), _SMALL, (0, 0, 0))
        x += needed
    return np.concatenate(lines, axis=0)


def _truncate(text: str, width: int, size: int) -> str:
    """Return the beginning of a drawable text that fits into `width` pixels."""
    shown = drawable(text[: max(width, 1)])  # a letter takes a pixel or more
    fits = bisect.bisect_right(
        range(1, len(shown) + 1), width, key=lambda n: math.ceil(font(size).getlength(shown[:n]))
    )
    return shown[: max(fits, 1)]


def _write_text(
    image: np.ndarray, text: str, position: tuple[int, int], size: int, colour: tuple[int, int, int]
) -> None:
    """Write a drawable text into an image.

    Args:
        image: uint8 `(H, W, 3)`.
        text: of `drawable`.
        position: x and y of where its baseline begins.
        size: of the letters in pixels.
        colour: RGB.
    """
    canvas = Image.fromarray(image)
    ImageDraw.Draw(canvas).text(position, text, colour, font(size), anchor="ls")
    image[:] = np.asarray(canvas)
