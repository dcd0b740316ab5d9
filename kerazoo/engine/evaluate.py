"""The verb evaluate: a run against the truth of a data set."""

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from kerazoo import backend
from kerazoo.data.source import Split
from kerazoo.engine.options import options_for
from kerazoo.engine.training.report import sample_sheet, write_drawings
from kerazoo.errors import UserError
from kerazoo.files.text import printable
from kerazoo.files.writing import atomic_text
from kerazoo.run import Run
from kerazoo.settings import to_plain
from kerazoo.structures.sample import Sample
from kerazoo.structures.scores import Scores
from kerazoo.task import Forward, Options, Task

SHOWN = 6
"""Samples on the sheet."""


def evaluate(run: Run, split: Split = "val", *, tile: int | None = None, tta: bool = False) -> dict[str, Any]:
    """Return the scores of a run on a split of its recipe's data, and write them into the run.

    Writes `evaluation-SPLIT.json`, `evaluation-SPLIT.png`, the drawings of its scores, and what it has
    for others' tools, such as `evaluation-SPLIT-coco.json`.

    Args:
        run: with the data to evaluate on in its recipe.
        split: "train", "val" or "test".
        tile: window for large images; None as the recipe says.
        tta: average over flips and turns.

    Raises:
        UserError: the split is empty, its classes are not the family's, or a file is broken.
    """
    family = run.family
    data = family.configure(run.recipe.data)
    samples = data.samples(split)
    if len(samples) == 0:
        raise UserError(f"the data have no {split} samples", "choose another --split")
    if not family.accepts(data.class_names()):
        raise UserError(
            f"the data have the classes {', '.join(data.class_names())}, "
            f"the run {', '.join(family.class_names())}",
            "evaluate on data of the same classes",
        )
    options = options_for(family, tile=tile or run.recipe.tile, tta=tta)
    scores, shown = scored(family, run.forward, samples, options, count=SHOWN)
    conditions = {"split": split, "backend": backend.name()} | options._asdict()
    numbers = conditions | scores.numbers | {"facts": data.facts(), "data": to_plain(data)}
    run.write_json(f"evaluation-{split}.json", numbers)
    for name, content in scores.files.items():
        atomic_text(run.folder / f"evaluation-{split}-{name}.json", json.dumps(content))
    sample_sheet(run.folder / f"evaluation-{split}.png", family, shown)
    write_drawings(run.folder, f"evaluation-{split}-", scores)
    return numbers


def scored(
    family: Task, forward: Forward, samples: Sequence[Sample], options: Options, *, count: int
) -> tuple[Scores, list[tuple]]:
    """Return the scores on samples, and the first `count` (sample, result) pairs.

    Args:
        family: the network's task.
        forward: the network on a batch.
        samples: read once, one after the other.
        options: of prediction.
        count: of the pairs to return.
    """
    shown: list[tuple] = []

    def pairs() -> Iterator[tuple]:
        read, kept = itertools.tee(samples)
        results = family.infer(forward, (sample.image for sample in read), options)
        for sample, result in zip(kept, results, strict=True):
            if len(shown) < count:
                shown.append((sample, result))
            yield sample.truth, result

    return family.evaluate(pairs()), shown


def table(scores: dict[str, Any]) -> str:
    """Return the scores as a person reads them: single numbers, then a line per class."""
    single = [
        f"{name:18} {_shown(value)}" for name, value in scores.items() if not isinstance(value, (dict, list))
    ]
    single += [f"{name:18} {text}" for name, text in scores.get("facts", {}).items()]
    about_data = {"facts", "data"}
    columns = {
        name: value for name, value in scores.items() if isinstance(value, dict) and name not in about_data
    }
    if not columns:
        return "\n".join(single)
    keys = next(iter(columns.values()))
    rows = [{name: name for name in columns}]
    rows += [{name: _shown(values[key]) for name, values in columns.items()} for key in keys]
    lines = [" ".join(f"{text:>{max(len(name), 8)}}" for name, text in row.items()) for row in rows]
    return "\n".join(
        single + [f"{printable(key):18} {line}" for key, line in zip(("class", *keys), lines, strict=True)]
    )


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
