"""A list of pairs of pictures and whether they are alike, such as LFW's, to be evaluated on."""

import csv
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from kerazoo.data.lazy import Lazy
from kerazoo.data.loader import Remembered
from kerazoo.data.source import Source, Split
from kerazoo.errors import UserError
from kerazoo.image import centred, read_image
from kerazoo.settings import settings
from kerazoo.task import Sample
from kerazoo.tasks.verification import Couples

SUFFIXES = frozenset({".csv", ".tsv", ".txt"})

TOGETHER = 32
"""Pairs of a sample."""

ALIKE = dict.fromkeys(("1", "true", "alike", "same"), True) | dict.fromkeys(
    ("0", "false", "different"), False
)
"""What the last column may say."""

Side = Annotated[int, Field(ge=8)]


def is_list(path: Path) -> bool:
    """Whether a path is that of a list of pairs: a text file by its name."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


class _Pair(NamedTuple):
    first: str
    second: str
    alike: bool


@settings
class PairList(Source):
    """A text file with a pair in every line: two pictures beside the file, and 1 (alike) or 0 (different).

    Commas, tabs or spaces stand between the three; a first line that names the columns is passed over.
    The order stays, since scores by folds take parts that lie one after the other.

    Attributes:
        path: of the text file; the pictures' names are relative to its folder.
        size: height and width that pictures are brought to; the family says it.
    """

    path: str
    size: tuple[Side, Side] = (28, 28)

    def samples(self, split: Split) -> Sequence[Sample]:
        """Return all pairs, some to a sample, whatever the split."""
        groups = [self._pairs[start : start + TOGETHER] for start in range(0, len(self._pairs), TOGETHER)]
        return Lazy(groups, self._sample)

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        raise UserError(f"{self.path} holds questions and nothing to train on", "use it with 'evaluate'")

    def class_names(self) -> tuple[str, ...]:
        return "different", "alike"

    @functools.cached_property
    def _pairs(self) -> list[_Pair]:
        path = Path(self.path).expanduser()
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}", _REMEDY) from None
        parted = [(number, _parted(line)) for number, line in enumerate(lines, 1) if line.strip()]
        if parted and len(parted[0][1]) == 3 and not any(Path(name).suffix for name in parted[0][1]):
            parted = parted[1:]  # the names of the columns, and none of files
        if not parted:
            raise UserError(f"{path} holds no pair", _REMEDY)
        return [self._pair(path, number, parts) for number, parts in parted]

    def _pair(self, path: Path, number: int, parts: Sequence[str]) -> _Pair:
        alike = ALIKE.get(parts[2].lower()) if len(parts) == 3 else None
        if alike is None:
            raise UserError(f"{path}: line {number} is no pair: {' '.join(parts)[:80]!r}", _REMEDY)
        for name in parts[:2]:
            if not (path.parent / name).is_file():
                raise UserError(
                    f"{path}: line {number} names {name}, which is not there", f"is it below {path.parent}?"
                )
        return _Pair(parts[0], parts[1], alike)

    @functools.cached_property
    def _pictures(self) -> tuple[dict[str, int], Remembered]:
        """The places of all pictures by name, and the pictures: many are in several pairs."""
        names = list(dict.fromkeys(name for pair in self._pairs for name in pair[:2]))
        return {name: place for place, name in enumerate(names)}, Remembered(Lazy(names, self._read))

    def _read(self, name: str) -> Sample:
        image = centred(read_image(Path(self.path).expanduser().parent / name), self.size)
        return Sample(image, Couples(np.zeros(0, bool)), name)

    def _sample(self, pairs: Sequence[_Pair]) -> Sample:
        places, pictures = self._pictures
        stack = [[pictures[places[name]].image for name in pair[:2]] for pair in pairs]
        alike = np.array([pair.alike for pair in pairs])
        return Sample(np.array(stack), Couples(alike), f"{pairs[0].first} ...")


_REMEDY = "write a pair in every line: a.png,b.png,1 (alike) or a.png,c.png,0 (different)"


def _parted(line: str) -> list[str]:
    for separator in (",", "\t"):
        if separator in line:
            return [part.strip() for part in next(csv.reader([line], delimiter=separator))]
    return line.split()
