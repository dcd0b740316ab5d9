"""A list of image pairs for evaluation, each alike or different, such as LFW's."""

import functools
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from kerazoo.data.lazy import CachedSamples, Lazy
from kerazoo.data.source import Source, Split, existing_path
from kerazoo.errors import UserError
from kerazoo.files.reading import is_file, read_rows, read_text
from kerazoo.image import center_crop, read_image
from kerazoo.media.formats import SUFFIXES as IMAGES
from kerazoo.settings import settings
from kerazoo.structures.pairs import Couples
from kerazoo.structures.sample import Sample

SUFFIXES = frozenset({".csv", ".tsv", ".txt"})

TOGETHER = 32
"""Pairs of a sample."""

ALIKE = dict.fromkeys(("1", "true", "alike", "same"), True) | dict.fromkeys(
    ("0", "-1", "false", "different"), False
)
"""What the last column may say."""

_ANY = ".*"
"""Ends a name that may have any suffix."""

Side = Annotated[int, Field(ge=8)]


def is_list(path: Path) -> bool:
    """Whether a path is a list of pairs: a text file, by its suffix."""
    return path.suffix.lower() in SUFFIXES and not os.path.isdir(path)


class _Pair(NamedTuple):
    line: int
    first: str
    second: str
    alike: bool


class _Listing(NamedTuple):
    pairs: list[_Pair]
    files: dict[str, Path]
    warnings: list[str]


@settings
class PairList(Source):
    """A text file with a pair in every line: two images beside the file, and 1 (alike) or 0 (different).

    Commas, tabs or spaces stand between the three; a first line that names the columns is passed over.
    LFW's `pairs.txt` is read as it is: `NAME 1 2` are `NAME/NAME_0001.jpg` and `NAME/NAME_0002.jpg`, alike,
    and `NAME 1 OTHER 2` a pair that is not. The order stays, since scores by folds take parts that lie one
    after the other. Names that begin with a folder of another machine are looked for beside the file.

    Attributes:
        path: of the text file; the images' names are relative to its folder.
        size: height and width that images are brought to; the family says it.
    """

    path: str
    size: tuple[Side, Side] = (28, 28)

    def samples(self, split: Split) -> Sequence[Sample]:
        """Return all pairs, several per sample, for any split."""
        pairs = self._listing.pairs
        groups = [pairs[start : start + TOGETHER] for start in range(0, len(pairs), TOGETHER)]
        return Lazy(groups, self._sample)

    def warnings(self) -> list[str]:
        return self._listing.warnings

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        raise UserError(f"{self.path} holds questions and nothing to train on", "use it with 'evaluate'")

    def class_names(self) -> tuple[str, ...]:
        return "different", "alike"

    @functools.cached_property
    def _listing(self) -> _Listing:
        path = existing_path(Path(self.path).expanduser())
        pairs = _read_pairs(path)
        names = dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second))
        files, warnings = _locate_files(path.parent, names)
        for line, first, second, alike in pairs:
            for name in (first, second):
                if name not in files:
                    message = f"{path}: line {line} names {name[:200]}, which is not there"
                    raise UserError(message, f"is it below {path.parent}?")
            if files[first] == files[second] and not alike:
                message = f"{path}: line {line} calls {first} different from itself"
                raise UserError(message, "write 1 where two are alike and 0 where they are different")
        return _Listing(pairs, files, [f"{path}: {warning}" for warning in warnings])

    @functools.cached_property
    def _images(self) -> tuple[dict[str, int], CachedSamples]:
        """The index of every image by name, and the cached images: many are in several pairs."""
        names = list(self._listing.files)
        return {name: place for place, name in enumerate(names)}, CachedSamples(Lazy(names, self._read))

    def _read(self, name: str) -> Sample:
        image = center_crop(read_image(self._listing.files[name], how=self), self.size)
        return Sample(image, Couples(np.zeros(0, bool)), name)

    def _sample(self, pairs: Sequence[_Pair]) -> Sample:
        places, images = self._images
        stack = [[images[places[name]].image for name in (pair.first, pair.second)] for pair in pairs]
        alike = np.array([pair.alike for pair in pairs])
        return Sample(np.array(stack), Couples(alike), f"{pairs[0].first} ...")


_REMEDY = "write a pair in every line: a.png,b.png,1 (alike) or a.png,c.png,0 (different), or as LFW does"


def _read_pairs(path: Path) -> list[_Pair]:
    """Return the pairs in the lines of a file."""
    text = read_text(path)
    rows = read_rows(path, next((separator for separator in ",\t" if separator in text), ""))
    first = rows[0][1] if rows else []
    counts = [int(field) for field in first if _is_number(field)] if len(first) < 3 else []
    columns = len(first) == 3 and not _is_number(first[1]) and not any(Path(name).suffix for name in first)
    pairs = [_parse_pair(path, number, fields) for number, fields in rows[bool(counts or columns) :]]
    if not pairs:
        raise UserError(f"{path} holds no pair", _REMEDY)
    if counts and len(pairs) != 2 * math.prod(counts):
        message = f"{path}: its first line tells {2 * math.prod(counts)} pairs, it has {len(pairs)}"
        raise UserError(message, "download it again, or remove that line")
    return pairs


def _parse_pair(path: Path, number: int, fields: Sequence[str]) -> _Pair:
    """Return the pair of a line."""
    match fields:
        case [name, one, other] if _is_number(one) and _is_number(other):
            return _Pair(number, _lfw_name(name, one), _lfw_name(name, other), alike=True)
        case [name, one, second, other] if _is_number(one) and _is_number(other):
            return _Pair(number, _lfw_name(name, one), _lfw_name(second, other), alike=False)
        case [name, second, label] if label.lower() in ALIKE:
            return _Pair(number, name, second, ALIKE[label.lower()])
    raise UserError(f"{path}: line {number} is no pair: {' '.join(fields)[:80]!r}", _REMEDY)


def _is_number(field: str) -> bool:
    return re.fullmatch("[0-9]{1,9}", field) is not None


def _lfw_name(name: str, number: str) -> str:
    """Return the name of LFW's image, with any suffix: cropped faces are often .png."""
    return f"{name}/{name}_{int(number):04}{_ANY}"


def _locate_files(root: Path, names: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
    """Return the files of the names that exist, and warnings."""
    files: dict[str, Path] = {}
    before = None
    for name in names:
        file = _find_file(root, name)
        plain = name.replace("\\", "/")
        if file is None and (plain.startswith("/") or re.match("[A-Za-z]:/", plain)):
            before = _foreign_prefix(root, plain) if before is None else before
            file = _find_file(root, plain.removeprefix(before)) if plain.startswith(before) else None
        if file is not None:
            files[name] = file
    message = f"its names begin with {before}, which is not there; taken from {root} instead"
    return files, [message] if before else []


def _find_file(root: Path, name: str) -> Path | None:
    """Return the file of a name: as it is, with Windows' separators, or with any suffix."""
    plain = name.replace("\\", "/")
    stem = plain.removesuffix(_ANY)
    suffixes = (".jpg", ".png", *sorted(IMAGES)) if stem != plain else ()
    places = [root / candidate for candidate in (name, plain, *(f"{stem}{suffix}" for suffix in suffixes))]
    return next((place for place in places if is_file(place)), None)


def _foreign_prefix(root: Path, name: str) -> str:
    """Return the prefix of another machine in an absolute name; "" if there is none."""
    parts = PurePosixPath(name).parts
    tails = ("/".join(parts[begin:]) for begin in range(1, len(parts)))
    tail = next((tail for tail in tails if _find_file(root, tail)), name)
    return name.removesuffix(tail)
