"""A picture of what a data set holds: bars for classes, a histogram for each measure."""

from typing import TYPE_CHECKING

import numpy as np

from kerazoo.data.check import Report
from kerazoo.files.text import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS = 40
"""The most frequent classes, so many, get a bar."""

BINS = 50

LONGEST = 24
"""Characters of a name that are shown."""

_BLUE = "#4477aa"


def draw_report(report: Report) -> np.ndarray:
    """Return a picture of a report: uint8 `(H, W, 3)`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = 1 + len(report.measures)
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = Figure(figsize=(6 * columns, 4 * rows), dpi=110, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    _draw_classes(axes[0], report)
    for axis, (name, numbers) in zip(axes[1:], report.measures.items(), strict=False):
        _draw_histogram(axis, name, numbers)
    for axis in axes[count:]:
        axis.axis("off")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_classes(axis: "Axes", report: Report) -> None:
    shown = sorted(report.counts.items(), key=lambda item: -item[1])[:BARS]
    names = [drawable(name) for name, _ in shown]
    short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    bars = axis.barh(range(len(shown)), [number for _, number in shown], color=_BLUE)
    axis.bar_label(bars, padding=3, fontsize=8)
    axis.set_yticks(range(len(shown)), short, parse_math=False)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    left_out = len(report.counts) - len(shown)
    axis.set_xlabel(f"{report.counted} of each class" + f" ({left_out} more classes)" * bool(left_out))


def _draw_histogram(axis: "Axes", name: str, numbers: np.ndarray) -> None:
    """Draw a histogram, over a logarithmic axis where numbers differ by more than a factor of ten.

    Small whole numbers get a bar each.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 1.0)
    if high - low < BINS and (numbers % 1 == 0).all():
        axis.hist(numbers, bins=(np.arange(low, high + 2) - 0.5).tolist(), color=_BLUE, rwidth=0.9)
    elif low > 0 and high > 10 * low:
        axis.hist(numbers, bins=np.geomspace(low, high, BINS).tolist(), color=_BLUE)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.hist(numbers, bins=BINS, color=_BLUE)
    axis.set_xlabel(name)
    axis.set_ylabel("how many")
