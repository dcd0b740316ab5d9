"""Checking a whole data set before a training."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kerazoo.data.annotations import NAMED
from kerazoo.data.check.near_duplicates import near_duplicates, thumbnail
from kerazoo.data.source import Source, Split
from kerazoo.errors import UserError
from kerazoo.files.text import printable
from kerazoo.files.writing import natural_key
from kerazoo.structures.fingerprint import Fingerprint, quantiles
from kerazoo.structures.sample import Sample

LISTED = 100
"""Classes that get a line each; of more only their number is told."""

ALIKE = 16
"""Grey levels by which pixels of one paper may differ."""

MOST = 0.9
"""Share of an image's border, and of images, that is called nearly all."""

COMMON = 8
"""Images that have a class, before anything is said of where in images it is."""

LOOKED_AT = 2**14
"""Pixels of an image that its mean and deviation are taken from, at most about."""


@dataclass(frozen=True, kw_only=True)
class Report(Fingerprint):
    """The result of a check of a data set.

    Attributes:
        problems: a line each, naming the file; nothing should be trained on before they are mended.
        warnings: a line each about what only the user can judge: those of the source, and an image in
            two splits or with two labels (blank tiles are alike, copies make a score too good).
        facts: what was decided about the data as a whole, by name, such as what the values of masks mean.
    """

    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        samples = ", ".join(f"{count} {split}" for split, count in self.splits.items()) or "none"
        rows = [("samples", samples)]
        rows += [
            (name, f"{height} x {width} (height x width)") for name, (height, width) in self.sizes.items()
        ]
        if self.sizes:
            rows += [("grey images", f"{self.grey:.0%}")]
            colours = zip(self.mean, self.std, strict=True)
            rows += [("mean and std", ", ".join(f"{mean:.1f} {std:.1f}" for mean, std in colours))]
            rows += [("values", f"{self.range[0]} to {self.range[1]}")]
        rows += [(name, str(count)) for name, count in self.tally.items()]
        rows += [(name, _range_text(quantiles(numbers))) for name, numbers in self.measures.items()]
        rows += self._class_rows()
        of = f"of the {self.counted}"
        rows += [("void", f"{self.void:7.2%} {of}")] if self.void else []
        rows += self.facts.items()
        width = max(len(name) for name, _ in rows)
        text_lines = [f"{name:<{width}}  {text}" for name, text in rows]
        return [
            *text_lines,
            *(f"warning: {line}" for line in self.warnings),
            *self.problems,
            f"{len(self.problems) or 'no'} problem{'s' * (len(self.problems) != 1)}",
        ]

    def _class_rows(self) -> list[tuple[str, str]]:
        of = f"of the {self.counted}"
        if len(self.classes) > LISTED:
            least, most = min(self.classes.values()), max(self.classes.values())
            return [("classes", f"{len(self.classes)}, each {least:.2%} to {most:.2%} {of}")]
        shares = enumerate(self.classes.items())
        return [
            (f"{label:>3} {printable(name)}", f"{share:7.2%} {of}, {self.counts[name]}")
            for label, (name, share) in shares
        ]


class _SampleFacts(NamedTuple):
    """The facts that are kept of a sample."""

    split: Split
    name: str
    size: tuple[int, int]
    grey: bool
    mean: np.ndarray
    std: np.ndarray
    range: tuple[int, int]
    border: int | None
    levels: np.ndarray
    counts: np.ndarray
    counted: str
    tally: dict[str, int]
    measures: dict[str, np.ndarray]
    digest: bytes
    thumbnail: np.ndarray | None


def check(source: Source, progress: Callable[[int, int], None] | None = None) -> Report:
    """Read every sample of every split; report bad files and go on.

    Args:
        source: where the samples come from.
        progress: called with the number of samples read so far and of all.
    """
    splits, names, problems = _survey(source)
    facts = _read_samples(splits, len(names), problems, progress)
    whole = source.whole_images()
    # An image that is read a second time, for its twins alone, has no problem that is new.
    images = facts if whole is source else _read_samples(_survey(whole)[0], len(names), [])
    usable = bool(splits)
    warnings = [
        *(source.warnings() if usable else ()),
        *_duplicate_warnings(images),
        *_near_duplicate_warnings(images),
    ]
    counted = dict(Counter(str(sample.split) for sample in facts))
    known = (source.facts(), source.class_sizes()) if usable else ({}, {})
    return _make_report(facts, names, counted, problems, warnings, *known)


def fingerprint(source: Source, most: int = 400) -> Fingerprint:
    """Return what data are like, by as many samples as are quick to read.

    Args:
        source: where the samples come from.
        most: samples that are read, spread evenly over each split in proportion.

    Raises:
        UserError: the data cannot be used, or a file is broken.
    """
    splits, errors = source.survey()
    if errors:
        raise errors[0]
    names = source.class_names()
    step = max(sum(map(len, splits.values())) / most, 1.0)
    places = [
        (split, samples, int(index), len(names))
        for split, samples in splits.items()
        for index in np.arange(0, len(samples), step)
    ]
    found = []
    with ThreadPoolExecutor() as pool:
        for result in pool.map(_read_sample, places):
            if isinstance(result, UserError):
                raise result
            found.append(result)
    whole = {str(split): len(samples) for split, samples in splits.items()}
    return _make_report(found, names, whole, (), (), {}, source.class_sizes())


def _read_samples(
    splits: dict[Split, Sequence[Sample]],
    classes: int,
    problems: list[str],
    progress: Callable[[int, int], None] | None = None,
) -> list[_SampleFacts]:
    """Return the facts of all readable samples; append the errors of the others to `problems`."""
    places = [(split, samples, i, classes) for split, samples in splits.items() for i in range(len(samples))]
    facts, broken = list[_SampleFacts](), set[str]()
    with ThreadPoolExecutor() as pool:
        for count, result in enumerate(pool.map(_read_sample, places), 1):
            if isinstance(result, _SampleFacts):
                facts.append(result)
            elif str(result) not in problems:
                broken.add(str(result))
            if progress:
                progress(count, len(places))
    problems += sorted(broken, key=natural_key)
    return facts


def _survey(source: Source) -> tuple[dict[Split, Sequence[Sample]], tuple[str, ...], list[str]]:
    """Return samples by split, class names and problems; no samples if there are no class names."""
    try:
        splits, errors = source.survey()
    except UserError as error:
        return {}, (), [str(error)]
    try:
        return splits, source.class_names(), [str(error) for error in errors]
    except UserError as error:
        return {}, (), list(dict.fromkeys(map(str, (*errors, error))))


def _read_sample(place: tuple[Split, Sequence[Sample], int, int]) -> _SampleFacts | UserError:
    split, samples, index, classes = place
    try:
        image, truth, name = samples[index]
    except UserError as error:
        return error
    step = math.isqrt(math.prod(image.shape[:2]) // LOOKED_AT) + 1
    some = image[::step, ::step].astype("float32")
    return _SampleFacts(
        split,
        name,
        image.shape[:2],
        grey=bool((image == image[..., :1]).all()),
        mean=some.mean((0, 1)),
        std=some.std((0, 1)),
        range=(int(image.min()), int(image.max())),
        border=_border(image),
        levels=truth.levels(classes) if hasattr(truth, "levels") else np.full(classes, np.nan),
        counts=truth.counts(classes),
        counted=truth.counted,
        tally=truth.tally() if hasattr(truth, "tally") else {},
        measures=truth.measures() if hasattr(truth, "measures") else {},
        digest=hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest(),
        thumbnail=thumbnail(image),
    )


def _border(image: np.ndarray) -> int | None:
    """Return the grey level of an image's outermost pixels, or None where they differ."""
    edges = [image[0], image[-1], image[:, 0], image[:, -1]]
    grey = np.concatenate(edges).mean(axis=1)
    level = float(np.median(grey))
    return round(level) if (np.abs(grey - level) <= ALIKE).mean() >= MOST else None


def _duplicate_warnings(facts: Sequence[_SampleFacts]) -> list[str]:
    """Return a warning for every image in two splits (the score would be too good) or in two classes."""
    first: dict[bytes, _SampleFacts] = {}
    lines = []
    for sample in facts:
        earlier = first.setdefault(sample.digest, sample)
        labels = "" if np.array_equal(earlier.counts[:-1], sample.counts[:-1]) else " with different labels"
        if earlier.split != sample.split or labels:
            same = f"{earlier.name} ({earlier.split}) and {sample.name} ({sample.split}) are the same image"
            lines.append(f"{same}{labels}; keep one")
    return lines


def _near_duplicate_warnings(facts: Sequence[_SampleFacts]) -> list[str]:
    """Return a warning about images of two splits that are nearly the same."""
    pairs = near_duplicates([sample.thumbnail for sample in facts], [sample.split for sample in facts])
    names = [
        " and ".join(f"{facts[index].name} ({facts[index].split})" for index in pair)
        for pair in pairs
        if facts[pair[0]].digest != facts[pair[1]].digest
    ]
    if not names:
        return []
    more = f"; {len(names) - 1} more pair(s): " + ", ".join(names[1 : 1 + NAMED]) if len(names) > 1 else ""
    return [f"{names[0]} are nearly the same image{more}; keep such images in one split"]


def _range_text(found: dict[str, float]) -> str:
    if not found:
        return "none"
    return "{least:.3g} to {most:.3g}, half of them {quarter:.3g} to {three quarters:.3g}".format(**found)


def _colours(samples: Sequence[_SampleFacts]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of the channels of all images, each of which counts alike."""
    if not samples:
        return (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    means, deviations = (np.array([getattr(sample, n) for sample in samples]) for n in ("mean", "std"))
    variance = (np.square(deviations) + np.square(means)).mean(0) - np.square(means.mean(0))
    rounded = (np.round(of.astype("float64"), 2).tolist() for of in (means.mean(0), np.sqrt(variance)))
    mean, std = map(tuple, rounded)
    return mean, std


def _uprightness(levels: np.ndarray) -> float:
    """Return the largest mean distance from the middle, in deviations, of a class that enough images have.

    Shape: levels `(n, classes)`, NaN where an image has none of a class.
    """
    found = [column[~np.isnan(column)] - 0.5 for column in levels.T] if levels.size else []
    common = [column for column in found if len(column) >= COMMON]
    return round(max((abs(c.mean()) / max(c.std(), 0.01) for c in common), default=0.0), 2)


def _paper(borders: Sequence[int | None]) -> int | None:
    """Return the grey level that nearly all images have at their border, None if there is none."""
    known = [border for border in borders if border is not None]
    level = round(float(np.median(known))) if known else 0
    alike = sum(abs(border - level) <= ALIKE for border in known)
    return level if borders and alike >= MOST * len(borders) else None


def _make_report(
    samples: Sequence[_SampleFacts],
    names: Sequence[str],
    splits: dict[str, int],
    problems: Sequence[str],
    warnings: Sequence[str],
    facts: dict[str, str],
    class_sizes: dict[str, tuple[int, ...]],
) -> Report:
    sizes = Counter(sample.size for sample in samples)
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    counts = (
        np.sum([sample.counts for sample in samples], axis=0) if samples else np.zeros(len(names) + 1, int)
    )
    labelled = max(int(counts[:-1].sum()), 1)
    mean, std = _colours(samples)
    return Report(
        splits=splits,
        looked_at=len(samples),
        sizes={"smallest": by_area[0], "largest": by_area[-1], "most common": sizes.most_common(1)[0][0]}
        if samples
        else {},
        grey=sum(sample.grey for sample in samples) / max(len(samples), 1),
        mean=mean,
        std=std,
        contrast=round(float(np.median([sample.std.mean() for sample in samples])), 2) if samples else 0.0,
        range=(min(s.range[0] for s in samples), max(s.range[1] for s in samples)) if samples else (0, 0),
        uprightness=_uprightness(np.array([sample.levels for sample in samples])),
        classes={name: float(counts[label] / labelled) for label, name in enumerate(names)},
        counts={name: int(counts[label]) for label, name in enumerate(names)},
        void=float(counts[-1] / max(int(counts.sum()), 1)),
        counted=samples[0].counted if samples else "samples",
        tally={
            name: sum(sample.tally[name] for sample in samples)
            for name in (samples[0].tally if samples else ())
        },
        class_sizes=class_sizes,
        paper=_paper([sample.border for sample in samples]),
        heights=np.array([sample.size[0] for sample in samples], "float32"),
        widths=np.array([sample.size[1] for sample in samples], "float32"),
        problems=tuple(problems),
        warnings=tuple(warnings),
        facts=facts,
        measures={
            name: np.concatenate([sample.measures[name] for sample in samples])
            for name in (samples[0].measures if samples else ())
        },
    )
