"""What the numbers and colours of mask files mean."""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.image import read_codes
from kerazoo.settings import build, settings
from kerazoo.tasks.segmentation import VOID

MOST_CLASSES = 64
"""More classes than this are not guessed from the masks: they are rather grey values."""

_UNDECLARED = 254
_EXAMPLE = '[{"name": "road", "color": [128, 64, 128]}, {"name": "other", "color": [0, 0, 0], "void": true}]'
_REMEDY = f'say what they mean in classes.json beside images/, such as {_EXAMPLE}; "value": 3 for grey masks'

Byte = Annotated[int, Field(ge=0, le=255)]


@settings
class ClassEntry:
    """One entry of classes.json; classes are numbered in the order of the file.

    Attributes:
        name: of the class.
        value: grey value or palette index in the masks, or
        color: red, green, blue in the masks; either all entries have one or none.
        void: the pixels count for nothing; such an entry is no class.
    """

    name: str
    value: Annotated[int, Field(ge=0, lt=2**16)] | None = None
    color: tuple[Byte, Byte, Byte] | None = None
    void: bool = False

    def __post_init__(self) -> None:
        if (self.value is None) == (self.color is None):
            raise ValueError('one of "value" and "color" is needed')


@dataclass(frozen=True)
class Classes:
    """How stored values become labels.

    Attributes:
        names: in label order.
        lookup: uint8, the label of every grey value `(2**16,)` or packed colour `(2**24,)`.
    """

    names: tuple[str, ...]
    lookup: np.ndarray

    def labels(self, codes: np.ndarray, path: Path) -> np.ndarray:
        """Return the labels of a mask: uint8 `(H, W)`.

        Args:
            codes: as `kerazoo.image.read_codes` gives them.
            path: for the message.

        Raises:
            UserError: a value that is no class, or colours where numbers are expected.
        """
        packed = self._packed(codes, path)
        labels = self.lookup[packed]
        if (labels == _UNDECLARED).any() and (error := self.undeclared(packed, path)):
            raise error
        return labels

    def undeclared(self, values: np.ndarray, path: Path) -> UserError | None:
        """Return what is wrong with a mask that holds `values` (as `labels` packs them), or None."""
        unknown = values[self.lookup[values] == _UNDECLARED]
        if not unknown.size:
            return None
        value, last = int(unknown[0]), len(self.names) - 1
        told = (
            f"colour {[value >> 16, value >> 8 & 255, value & 255]}" if self._coloured else f"value {value}"
        )
        return UserError(f"{path} holds the {told}, which is none of the classes 0..{last}", _REMEDY)

    @property
    def _coloured(self) -> bool:
        return len(self.lookup) > 2**16

    def _packed(self, codes: np.ndarray, path: Path) -> np.ndarray:
        if not self._coloured:
            return as_numbers(codes, path)
        if codes.dtype != np.uint8:
            raise UserError(f"{path} has 16 bits, the classes are told by colours", _REMEDY)
        if codes.ndim == 2:
            codes = np.dstack([codes] * 3)
        return codes.astype("int32") @ np.array([2**16, 2**8, 1], "int32")


def as_numbers(codes: np.ndarray, path: Path) -> np.ndarray:
    """Return the numbers a mask holds, `(H, W)`; colours are taken where they are all grey.

    Raises:
        UserError: the mask is in colour.
    """
    if codes.ndim == 2:
        return codes
    if (codes == codes[..., :1]).all():
        return codes[..., 0]
    raise UserError(f"{path} is a mask in colours", _REMEDY)


def declared(path: Path) -> Classes:
    """Return the classes that a classes.json declares.

    Raises:
        UserError: the file is unreadable or contradicts itself; names the entry.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", f"write a JSON list such as {_EXAMPLE}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f"{path} is no list of objects", f"write a JSON list such as {_EXAMPLE}")
    return _numbered([build(ClassEntry, entry, f"{path}[{i}]") for i, entry in enumerate(entries)], path)


def _numbered(entries: Sequence[ClassEntry], path: Path) -> Classes:
    names = tuple(entry.name for entry in entries if not entry.void)
    coloured = any(entry.color for entry in entries)
    keys = [_key(entry) for entry in entries]
    if coloured and any(entry.color is None for entry in entries):
        raise UserError(
            f"{path} mixes values and colours", 'give every entry a "color" or every entry a "value"'
        )
    if len(set(keys)) < len(keys) or len(set(names)) < len(names):
        raise UserError(f"{path} declares a class twice", "give every class its own name and value or colour")
    if not 2 <= len(names) < _UNDECLARED:
        raise UserError(
            f"{path} declares {len(names)} classes", f"declare 2 to {_UNDECLARED - 1}, background included"
        )
    labels = iter(range(len(names)))
    table = {key: VOID if entry.void else next(labels) for key, entry in zip(keys, entries, strict=True)}
    return Classes(names, _lookup(table, 2**24 if coloured else 2**16))


def learned(
    masks: Sequence[Path], names: Sequence[str] | None, void: int | None, where: Path
) -> tuple[Classes, list[UserError]]:
    """Return the `guessed` classes of mask files, all of which are read, and what is wrong with some."""
    with ThreadPoolExecutor() as pool:
        stored = list(pool.map(_stored, masks))
    readable = [values for values in stored if not isinstance(values, UserError)]
    problems = [error for error in stored if isinstance(error, UserError)]
    if not readable:
        raise problems[0]
    classes = guessed(np.unique(np.concatenate(readable)).tolist(), names, void, where)
    pairs = [
        (values, path)
        for values, path in zip(stored, masks, strict=True)
        if not isinstance(values, UserError)
    ]
    problems += [error for values, path in pairs if (error := classes.undeclared(values, path))]
    return classes, problems


def guessed(values: Iterable[int], names: Sequence[str] | None, void: int | None, where: Path) -> Classes:
    """Return the classes of masks for which nothing is declared.

    Masks of 0 and one other value are binary, whatever that value is. Otherwise the value is the
    label, with 255 as void unless `void` says another.

    Args:
        values: that occur in any of the masks.
        names: of the classes in label order, if the user gave them.
        void: the value of unlabelled pixels, if the user gave it.
        where: the folder of the masks, for messages.

    Raises:
        UserError: there is nothing to learn, or the values look like no labels.
    """
    known = set(values) - {void}
    if len(known - {0}) <= 1 and (names is None or len(names) == 2):
        foreground = max(known | {0}) or 1
        if names is None and known <= {0}:
            raise UserError(
                f"all masks in {where} hold the value 0 alone", "there is nothing to learn: check the masks"
            )
        table: dict[int, int] = {0: 0, foreground: 1}
        names = names or ("background", "foreground")
    else:
        void = VOID if void is None else void
        count = len(names) if names else max(known - {void}) + 1
        if count > MOST_CLASSES:
            raise UserError(
                f"masks in {where} hold {len(known)} values up to {count - 1}",
                f"JPEG destroys masks, PNG keeps them; if these are labels, {_REMEDY}",
            )
        table = {value: value for value in range(count)}
        names = names or [
            ("background", "foreground")[k] if count == 2 else f"class {k}" for k in range(count)
        ]
    return Classes(tuple(names), _lookup(table | ({} if void is None else {void: VOID}), 2**16))


def _stored(path: Path) -> np.ndarray | UserError:
    """Return the values that occur in a mask, ascending, or why it cannot be told."""
    try:
        return np.flatnonzero(np.bincount(as_numbers(read_codes(path), path).ravel()))
    except UserError as error:
        return error


def _key(entry: ClassEntry) -> Any:
    if entry.color is None:
        return entry.value
    red, green, blue = entry.color
    return red << 16 | green << 8 | blue


def _lookup(table: dict[int, int], size: int) -> np.ndarray:
    lookup = np.full(size, _UNDECLARED, "uint8")
    lookup[list(table)] = list(table.values())
    return lookup
