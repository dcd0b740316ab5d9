"""The classes of masks, and the values or colours that stand for them."""

import functools
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from kerazoo.data.segmentation.mask_files import (
    Channel,
    MaskFile,
    Summary,
    channel_values,
    pack_colors,
    unpack_color,
)
from kerazoo.errors import UserError
from kerazoo.files.reading import read_json, validate_json
from kerazoo.settings import replace, settings
from kerazoo.structures.mask import VOID

REMEDY = (
    "say what every value means in classes.json beside images/, such as "
    '[{"name": "background", "value": 0}, {"name": "road", "value": 10}]; '
    '"range": [128, 255] for many, "void": true where nobody labelled'
)

_AS_LIST = (
    'write a JSON list such as [{"name": "road", "color": [128, 64, 128]}, '
    '{"name": "other", "color": [0, 0, 0], "void": true}]'
)

NEAR = 96
"""Values and colours of lossy files that are farther from a class than this are not taken for it,"""

CLEAR = 2 / 3
"""nor those whose distance is more than this part of that to the next class: edges between two."""

APART = 8
"""Values and colours that are closer to one another than this cannot be told apart in lossy files."""

UNCLEAR = 0.2
"""Share of a lossy mask's pixels that may be near no class; they count for nothing."""

_UNDECLARED = 254
_TOLD = 6
"""As many entries are told in an error."""


Byte = Annotated[int, Field(ge=0, le=255)]
Value = Annotated[int, Field(ge=0, lt=2**16)]
Color = tuple[Byte, Byte, Byte]


@settings
class ClassEntry:
    """One entry of classes.json; classes are numbered in the order of the file.

    Attributes:
        name: of the class.
        value: grey value in the masks, of palettes in colours the number of the entry; or
        range: the first and the last of such values, as of masks with smooth edges; or
        color: red, green, blue in the masks. Either all entries have a colour or none.
        void: the pixels count for nothing; such an entry is no class.
    """

    name: str
    value: Value | None = None
    range: tuple[Value, Value] | None = None
    color: Color | None = None
    void: bool = False

    def __post_init__(self) -> None:
        if [self.value, self.range, self.color].count(None) != 2:
            raise ValueError('one of "value", "range" and "color" is needed')
        if self.range and self.range[0] > self.range[1]:
            raise ValueError("the first value of the range is above its last")

    @property
    def bounds(self) -> tuple[int, int]:
        """The first and the last number that mean this class; a colour is one, as `pack_colors` gives it."""
        if self.color is not None:
            number = int(pack_colors(np.array(self.color, "uint8")))
            return number, number
        return self.range or (self.value or 0, self.value or 0)

    def describe(self) -> str:
        """Return the stored value, range or colour as text."""
        if self.range is not None:
            return f"{self.range[0]}..{self.range[1]}"
        return str(self.value if self.color is None else list(self.color))


@settings
class MaskClasses:
    """The mapping from stored values to labels.

    Attributes:
        names: in label order; some may have no entry.
        entries: what is stored for each.
        channel: where in the files; see `kerazoo.data.segmentation.mask_files.Channel`.
        palette: the colours of a palette's entries, against which those of other masks are checked.
        assumed: nobody said which value is void, or where between two values the limit is.
    """

    names: tuple[str, ...]
    entries: tuple[ClassEntry, ...]
    channel: Channel = "values"
    palette: Mapping[int, Color] = field(default_factory=dict)
    assumed: bool = False

    def __post_init__(self) -> None:
        if not 2 <= len(self.names) < _UNDECLARED or len(set(self.names)) < len(self.names):
            raise ValueError(f"classes need 2 to {_UNDECLARED - 1} different names")
        if unknown := [
            entry.name for entry in self.entries if not entry.void and entry.name not in self.names
        ]:
            raise ValueError(f"{unknown[0]!r} is none of the classes")
        if {entry.color is not None for entry in self.entries} - {self.channel == "colors"}:
            raise ValueError(f"an entry does not tell {self.channel}")

    def labels(self, mask: MaskFile, path: Path) -> np.ndarray:
        """Return the labels of a mask: uint8 `(H, W)`.

        What a lossy file holds beside the declared values is taken for the nearest one where that is
        clear, and otherwise is void.

        Args:
            mask: as `kerazoo.data.segmentation.mask_files.read_mask` gives it.
            path: for the message.

        Raises:
            UserError: a value that is no class, too many that are unclear, or another channel or palette.
        """
        numbers = channel_values(mask, self.channel, path)
        labels = self._look_up(numbers)
        unknown = labels == _UNDECLARED
        if not unknown.any():
            return labels
        if not mask.lossy:
            raise self._undeclared_error(int(numbers[unknown].min()), path)
        labels[unknown] = self._nearest(numbers[unknown])
        unclear = labels == _UNDECLARED
        if unclear.mean() > UNCLEAR:
            values, counts = np.unique(numbers[unclear], return_counts=True)
            raise self._undeclared_error(int(values[counts.argmax()]), path, float(unclear.mean()))
        labels[unclear] = VOID
        return labels

    def problem(self, summary: Summary, numbers: np.ndarray) -> UserError | None:
        """Return the problem of a mask that contains `numbers`, or None."""
        if summary.lossy and self._closest < APART:
            message = (
                f"{summary.path} was compressed with loss, which changes values by more than classes differ"
            )
            return UserError(message, "save masks as PNG, where need be from the original labels")
        unknown = numbers[self._look_up(numbers) == _UNDECLARED]
        lost = unknown.size and not summary.lossy
        return self._undeclared_error(int(unknown[0]), summary.path) if lost else None

    def describe(self) -> dict[str, str]:
        """Return `{channel: "value -> class, ..."}` for the report."""
        what = {
            "values": "mask values",
            "indices": "palette entries",
            "alpha": "mask alpha",
            "colors": "mask colours",
        }
        means = (f"{entry.describe()} -> {'void' if entry.void else entry.name}" for entry in self.entries)
        return {what[self.channel]: ", ".join(means)}

    def with_names(self, names: Sequence[str]) -> "MaskClasses":
        """Return these classes in the label order of `names`; unchanged if a class is missing there."""
        return replace(self, {"names": tuple(names)}) if set(self.names) <= set(names) else self

    def label(self, entry: ClassEntry) -> int:
        """Return the label of an entry."""
        return VOID if entry.void else self.names.index(entry.name)

    @functools.cached_property
    def _lookup(self) -> np.ndarray:
        """The label of every value `(2**16,)` or packed colour `(2**24,)`; uint8."""
        lookup = np.full(2**24 if self.channel == "colors" else 2**16, _UNDECLARED, "uint8")
        for entry in self.entries:
            first, last = entry.bounds
            lookup[first : last + 1] = self.label(entry)
        return lookup

    @functools.cached_property
    def _closest(self) -> float:
        """The distance between the two closest values or colours; ranges may touch."""
        points = [
            _coordinates(np.array(entry.bounds[0]), self.channel) for entry in self.entries if not entry.range
        ]
        return min(
            (float(np.linalg.norm(a - b)) for a, b in itertools.combinations(points, 2)), default=np.inf
        )

    def _look_up(self, numbers: np.ndarray) -> np.ndarray:
        if numbers.dtype in (np.uint8, np.uint16) or self.channel == "colors":
            return self._lookup[numbers]
        inside = (numbers >= 0) & (numbers < len(self._lookup))
        return np.where(inside, self._lookup[np.where(inside, numbers, 0)], np.uint8(_UNDECLARED))

    def _nearest(self, numbers: np.ndarray) -> np.ndarray:
        """Return the labels of the nearest entries; undeclared if none is near or two are."""
        values, places = np.unique(numbers, return_inverse=True)
        points = _coordinates(values, self.channel)
        labels = np.full(values.shape, _UNDECLARED, "uint8")
        nearest = second = np.full(values.shape, np.inf, "float32")
        for entry in self.entries:
            low, high = (_coordinates(np.array(bound), self.channel) for bound in entry.bounds)
            distance = np.linalg.norm(points - np.clip(points, low, high), axis=-1)
            # The two smallest distances so far, updated by another; (N,) each.
            second = np.minimum(second, np.maximum(nearest, distance))
            labels[distance < nearest] = self.label(entry)
            nearest = np.minimum(nearest, distance)
        labels[(nearest > NEAR) | (nearest > CLEAR * second)] = _UNDECLARED
        return labels[places.ravel()]

    def _undeclared_error(self, number: int, path: Path, share: float | None = None) -> UserError:
        """Return the error for an undeclared number, or for a `share` of unclear pixels in a lossy file."""
        coloured = self.channel == "colors"
        what, stored = ("colour", list(unpack_color(number))) if coloured else ("value", number)
        declared = (
            f"{len(self.names)} classes" if len(self.entries) > _TOLD else ", ".join(self.describe().values())
        )
        message = f"holds the {what} {stored}, which is none of {declared}"
        if share is not None:
            message = (
                f"is near none of {declared} in {share:.0%} of its pixels, such as at the {what} {stored}"
            )
        entry = json.dumps({"name": self.names[-1], "color" if coloured else "value": stored})
        return UserError(
            f"{path} {message}",
            f"list all in classes.json beside images/, such as {entry} if this {what} is that class; "
            "it may be another class, or pixels that nobody labelled",
        )


def read_class_file(path: Path) -> MaskClasses:
    """Return the classes of a classes.json, by colours or by values.

    Raises:
        UserError: the file is unreadable or contradicts itself; names the entry.
    """
    try:
        entries = tuple(validate_json(_read_entries(path), path, list[ClassEntry]))
    except UserError as error:
        raise UserError(error.message, _AS_LIST) from None
    names = tuple(entry.name for entry in entries if not entry.void)
    coloured = [entry.color is not None for entry in entries]
    if any(coloured) and not all(coloured):
        raise UserError(
            f"{path} mixes values and colours", 'give every entry a "color" or every entry a "value"'
        )
    bounds = sorted(entry.bounds for entry in entries)
    twice = any(last >= first for (_, last), (first, _) in itertools.pairwise(bounds))
    if twice or len(set(names)) < len(names):
        raise UserError(f"{path} declares a class twice", "give every class its own name and value or colour")
    if not 2 <= len(names) < _UNDECLARED:
        raise UserError(
            f"{path} declares {len(names)} classes", f"declare 2 to {_UNDECLARED - 1}, background included"
        )
    return MaskClasses(names=names, entries=entries, channel="colors" if any(coloured) else "values")


def _read_entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a classes.json after a check of their JSON types.

    Raises:
        UserError: others are not.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise UserError(f"{path} is no list of classes", _AS_LIST)
    for number, entry in enumerate(content):
        if not isinstance(entry, dict):
            message = (
                f"{path}: entry {number} is {json.dumps(entry)[:60]}, not an object with a name and a value"
            )
            raise UserError(message, _AS_LIST)
        for key, count in (("range", 2), ("color", 3)):
            numbers = entry.get(key)
            if numbers is not None and not (isinstance(numbers, list) and len(numbers) == count):
                message = (
                    f"{path}: the {key} of entry {number} is {json.dumps(numbers)[:60]}, not {count} numbers"
                )
                raise UserError(message, _AS_LIST)
    return content


def _coordinates(numbers: np.ndarray, channel: Channel) -> np.ndarray:
    """Return numbers as points `(..., 1)`, packed colours as `(..., 3)`; float32."""
    parts = unpack_color(numbers) if channel == "colors" else (numbers,)
    return np.stack(parts, axis=-1).astype("float32")
