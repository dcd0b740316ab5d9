"""The verb evaluate: a run against the truth of a data set."""

from pathlib import Path
from typing import Any

from kerazoo import backend
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.report import sample_sheet
from kerazoo.run import Run
from kerazoo.settings import to_plain

SHOWN = 6
"""Samples on the sheet."""


def evaluate(run: Run, split: Split = "val", *, tile: int | None = None, tta: bool = False) -> dict[str, Any]:
    """Return the scores of a run on a split of its recipe's data, and write them into the run.

    Writes `evaluation-SPLIT.json` and `evaluation-SPLIT.png`.

    Args:
        run: with the data to evaluate on in its recipe.
        split: "train", "val" or "test".
        tile: window for large photographs; None as the recipe says.
        tta: average over flips and turns.

    Raises:
        UserError: the split is empty, its classes are not the family's, or a file is broken.
    """
    family, data = run.recipe.family, run.recipe.data
    samples = data.samples(split)
    if len(samples) == 0:
        raise UserError(f"the data have no {split} samples", "choose another --split")
    if len(data.class_names()) != len(family.class_names()):
        raise UserError(
            f"the data have the classes {', '.join(data.class_names())}, "
            f"the run {', '.join(family.class_names())}",
            "evaluate on data of the same classes",
        )
    forward = backend.forward(run.deployed)
    shown: list[tuple] = []

    def pairs():
        for sample in samples:
            result = family.infer(forward, sample.image, tile=tile or run.recipe.tile, tta=tta)
            if len(shown) < SHOWN:
                shown.append((sample, result))
            yield sample.truth, result

    told = {"split": split, "backend": backend.name(), "tile": tile or run.recipe.tile, "tta": tta}
    scores = told | family.evaluate(pairs()) | {"data": to_plain(data)}
    run.write_json(f"evaluation-{split}.json", scores)
    sample_sheet(Path(run.folder) / f"evaluation-{split}.png", family, shown)
    return scores


def table(scores: dict[str, Any]) -> str:
    """Return the scores as a person reads them: single numbers, then a line per class."""
    single = [
        f"{name:18} {_shown(value)}" for name, value in scores.items() if not isinstance(value, (dict, list))
    ]
    columns = {name: value for name, value in scores.items() if isinstance(value, dict) and name != "data"}
    keys = next(iter(columns.values()), {})
    head = [f"{'class':18} " + " ".join(f"{name:>8}" for name in columns)]
    return "\n".join(
        single + head + [f"{k:18} " + " ".join(f"{_shown(c[k]):>8}" for c in columns.values()) for k in keys]
    )


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
