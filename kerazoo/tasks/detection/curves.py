"""Precision over recall, drawn."""

from collections.abc import Sequence

import numpy as np

from kerazoo.draw import PALETTE
from kerazoo.files.text import drawable

_TOLD_APART = 10
"""Classes that get a colour and a line of the legend each; of more, all are grey but the mean."""


def precision_recall(precision: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return an image of the curves of all classes and of their mean: uint8 `(H, W, 3)`.

    Args:
        precision: float `(C, R)`, at recalls from 0 to 1 in equal steps; NaN where a class has no object.
        names: class names in label order.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=110, layout="constrained")
    axis = figure.subplots()
    recall = np.linspace(0, 1, precision.shape[1])
    known = np.flatnonzero(~np.isnan(precision).any(axis=1)).tolist()
    for label in known:
        if len(known) <= _TOLD_APART:
            colour = PALETTE[1 + label % (len(PALETTE) - 1)] / 255
            text = f"{_short(names[label])} {precision[label].mean():.3f}"
            axis.plot(recall, precision[label], color=colour, linewidth=1.2, label=text)
        else:
            axis.plot(recall, precision[label], color="0.8", linewidth=0.6)
    if len(known):
        mean = precision[known].mean(axis=0)
        axis.plot(recall, mean, color="black", linewidth=2, label=f"mean {mean.mean():.3f}")
        axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    axis.set(xlabel="recall", ylabel="precision at IoU 0.5", xlim=(0, 1), ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _short(name: str) -> str:
    """Return a name for the legend; a dollar sign starts no formula."""
    shown = drawable(name)
    return (shown if len(shown) <= 24 else f"{shown[:23]}…").replace("$", r"\$")
