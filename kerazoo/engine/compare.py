"""The verb compare: runs beside each other, on the same images."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerazoo.data.source import Split
from kerazoo.draw import contact_sheet
from kerazoo.engine.options import options_for
from kerazoo.errors import UserError
from kerazoo.files.writing import atomic_folder, atomic_text
from kerazoo.image import write_image
from kerazoo.run import Run
from kerazoo.structures.sample import Sample
from kerazoo.task import Options

RESAMPLES = 10_000
"""Times that images are drawn anew, with replacement, for an interval (Efron 1979)."""

CONFIDENCE = 0.95
"""Share of them that the interval holds."""

SHOWN = 6
"""Images on the sheet: those by which the runs differ most."""


class Difference(NamedTuple):
    """By how much a run's scores of single images differ from those of the first run.

    Attributes:
        mean: of the images that both have a score for.
        low, high: the interval that `CONFIDENCE` of the resampled means lie in.
        images: how many these are.
    """

    mean: float
    low: float
    high: float
    images: int


class Comparison(NamedTuple):
    """Runs beside each other.

    Attributes:
        runs: their folders.
        score: what they are compared by.
        split: of the data.
        totals: the score of each run on all images together; None where the data do not tell.
        parameters: values of each network.
        differences: of the second run and those after it from the first; None without common images.
        images: names.
        scores: of every image alone by every run, float64 `(runs, images)`, NaN where an image tells none.
        smaller: whether a smaller score is better.
    """

    runs: tuple[str, ...]
    score: str
    split: Split
    totals: tuple[float | None, ...]
    parameters: tuple[int, ...]
    differences: tuple[Difference | None, ...]
    images: tuple[str, ...]
    scores: np.ndarray
    smaller: bool

    def verdict(self, difference: Difference | None) -> str:
        """Return "better", "worse", or that the images do not tell."""
        if difference is None or difference.low <= 0 <= difference.high:
            return "no difference seen"
        return "worse" if (difference.mean > 0) == self.smaller else "better"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-ready data, with the scores of every image."""
        each = [
            {"image": name, "scores": [None if np.isnan(s) else float(s) for s in column]}
            for name, column in zip(self.images, self.scores.T, strict=True)
        ]
        told = [d and d._asdict() | {"verdict": self.verdict(d)} for d in self.differences]
        kept = {name: getattr(self, name) for name in ("runs", "score", "split", "totals", "parameters")}
        return kept | {"differences": told, "images": each}

    def rows(self) -> list[tuple[str, ...]]:
        """Return what people read: run, parameters, score, difference, interval and verdict."""
        told = [("", "", "")]
        for found in self.differences:
            interval = f"{found.low:+.4f} to {found.high:+.4f} ({found.images} images)" if found else "-"
            told.append((f"{found.mean:+.4f}" if found else "-", interval, self.verdict(found)))
        totals = ["-" if total is None else f"{total:.4f}" for total in self.totals]
        counts = [f"{count:,}" for count in self.parameters]
        return [(*row, *more) for *row, more in zip(self.runs, counts, totals, told, strict=True)]


def compare(
    runs: Sequence[Run],
    folder: Path,
    split: Split = "val",
    *,
    tile: int | None = None,
    tta: bool = False,
) -> Comparison:
    """Score runs on the same images, and tell by how much they differ and how sure that is.

    Every image counts alike in a difference: it is the mean over images of the difference of each image's own
    score, and its interval comes from drawing the images anew. Writes `comparison.json` and `comparison.png`,
    the images by which the runs differ most.

    Args:
        runs: two or more; the data are those of the first.
        folder: to make.
        split: "train", "val" or "test".
        tile: window for large images; None as each recipe says.
        tta: average over flips and turns.

    Raises:
        UserError: the split is empty, or the runs have other classes or scores; the folder exists.
    """
    if len(runs) < 2:
        raise UserError("there is nothing to compare a run with", "name two runs or more")
    if folder.exists():
        raise UserError(f"{folder} exists already", "choose another --output")
    first, score = runs[0].recipe, runs[0].recipe.score
    for run in runs:
        if score not in run.family.evaluate([]).numbers:
            raise UserError(f"{run.folder} has no score {score}", "compare runs of one task")
    options = [options_for(run.family, tile=tile or run.recipe.tile, tta=tta) for run in runs]
    data = [_samples(run, first.data, split) for run in runs]
    found = [
        _scored(run, samples, chosen, score) for run, samples, chosen in zip(runs, data, options, strict=True)
    ]
    scores = np.array([each for _, each, _ in found])
    result = Comparison(
        runs=tuple(str(run.folder) for run in runs),
        score=score,
        split=split,
        totals=tuple(total for total, _, _ in found),
        parameters=tuple(run.deployed.count_params() for run in runs),
        differences=tuple(difference(other - scores[0]) for other in scores[1:]),
        images=tuple(found[0][2]),
        scores=scores,
        smaller=first.monitor.startswith("-"),
    )
    with atomic_folder(folder) as partial:
        atomic_text(partial / "comparison.json", json.dumps(result.plain(), indent=2) + "\n")
        write_image(partial / "comparison.png", _sheet(runs, data, options, _most_different(scores)))
    return result


def difference(each: np.ndarray) -> Difference | None:
    """Return mean and interval of differences by image; None where there are none.

    Args:
        each: float64 `(images,)`, NaN where an image has no score.
    """
    known = each[~np.isnan(each)]
    if not len(known):
        return None
    rng = np.random.default_rng(0)
    means = [known[rng.integers(len(known), size=len(known))].mean() for _ in range(RESAMPLES)]
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [outside, 1 - outside])
    return Difference(float(known.mean()), float(low), float(high), len(known))


def _samples(run: Run, source: Any, split: Split) -> Sequence[Sample]:
    """Return the samples of the first run's data, as another run's family reads them."""
    data = run.family.configure(source)
    samples = data.samples(split)
    if len(samples) == 0:
        raise UserError(f"the data have no {split} samples", "choose another --split")
    if not run.family.accepts(data.class_names()):
        raise UserError(
            f"{run.folder} has the classes {', '.join(run.family.class_names())}, "
            f"the data {', '.join(data.class_names())}",
            "compare runs of the same classes",
        )
    return samples


def _scored(
    run: Run, samples: Sequence[Sample], options: Options, score: str
) -> tuple[float | None, list[float], list[str]]:
    """Return a run's score on all samples together, on each alone, and their names."""
    each: list[float] = []
    names: list[str] = []

    def pairs() -> Iterator[tuple]:
        for sample, result in zip(samples, _answers(run, samples, options), strict=True):
            alone = run.family.evaluate([(sample.truth, result)]).numbers[score]
            each.append(np.nan if alone is None else alone)
            names.append(sample.name)
            yield sample.truth, result

    return run.family.evaluate(pairs()).numbers[score], each, names


def _answers(run: Run, samples: Sequence[Sample], options: Options) -> Iterator[Any]:
    return run.family.infer(run.forward, (sample.image for sample in samples), options)


def _most_different(scores: np.ndarray) -> list[int]:
    """Return the images by which the runs differ most, those first: `(runs, images)` -> indices."""
    spread = np.nan_to_num(scores.max(axis=0) - scores.min(axis=0), nan=-1.0)
    return np.argsort(-spread, kind="stable")[:SHOWN].tolist()


def _sheet(
    runs: Sequence[Run],
    data: Sequence[Sequence[Sample]],
    options: Sequence[Options],
    chosen: Sequence[int],
) -> np.ndarray:
    """Draw the chosen images: what is the same for all runs once, then each run's own."""
    drawn = []
    for run, samples, how in zip(runs, data, options, strict=True):
        shown = [samples[index] for index in chosen]
        drawn.append([run.family.row(*pair) for pair in zip(shown, _answers(run, shown, how), strict=True)])
    table = [_row([run.folder.name for run in runs], rows) for rows in zip(*drawn, strict=True)]
    titles = list(dict.fromkeys(title for row in table for title in row))
    blank = np.full((1, 1, 3), 255, "uint8")
    legend = runs[0].family.class_names() if runs[0].family.has_class_colours else ()
    return contact_sheet(
        [[row.get(title, blank) for title in titles] for row in table], titles, legend=legend
    )


def _row(names: Sequence[str], rows: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the cells of an image: what all runs show alike once, what they answer by the run's name."""
    cells: dict[str, np.ndarray] = {}
    for title, image in rows[0].items():
        own = {f"{name}: {title}": row[title] for name, row in zip(names, rows, strict=True) if title in row}
        alike = len(own) == len(rows) and all(np.array_equal(image, other) for other in own.values())
        cells |= {title: image} if alike and title != "prediction" else own
    return cells
