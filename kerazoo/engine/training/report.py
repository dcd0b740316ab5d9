"""What a training leaves behind for people and for programs: log lines, curves, sample sheets."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerazoo.draw import contact_sheet
from kerazoo.files.writing import atomic_bytes
from kerazoo.image import write_image
from kerazoo.structures.scores import Scores
from kerazoo.task import Task


def json_line(row: dict[str, Any]) -> str:
    """Return one line of `log.jsonl`."""
    return json.dumps(row) + "\n"


def curves(path: Path, rows: Sequence[dict[str, Any]], monitor: str) -> None:
    """Draw loss and validation score over the epochs as a PNG.

    Args:
        path: where to write.
        rows: of the log.
        monitor: the score to draw.
    """
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([row["epoch"] for row in rows], [row["loss"] for row in rows], color="#0072b2", marker=".")
    left.set(title="training loss", xlabel="epoch")
    scored = [(row["epoch"], row["validation"][monitor]) for row in rows if "validation" in row]
    if scored:
        right.plot(*zip(*scored, strict=True), color="#d55e00", marker=".")
    right.set(title=f"validation {monitor}", xlabel="epoch")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    atomic_bytes(path, buffer.getvalue())


def sample_sheet(path: Path, task: Task, pairs: Sequence[tuple]) -> None:
    """Draw (sample, result) pairs, one or more, as the task lays them out: a row each, as a PNG."""
    rows = [task.row(sample, result) for sample, result in pairs]
    legend = task.class_names() if task.has_class_colours else ()
    write_image(path, contact_sheet([list(row.values()) for row in rows], list(rows[0]), legend=legend))


def write_drawings(folder: Path, prefix: str, scores: Scores) -> None:
    """Write the drawings of scores as PREFIXname.png into a folder."""
    for name, draw in scores.drawings.items():
        write_image(folder / f"{prefix}{name}.png", draw())
