"""A folder of photographs per class."""

import functools
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from kerazoo.data.lazy import Lazy
from kerazoo.data.source import Files, Split
from kerazoo.data.splits import NAMES, divide
from kerazoo.errors import UserError
from kerazoo.files import natural
from kerazoo.image import SUFFIXES, images_below, read_image
from kerazoo.settings import settings
from kerazoo.task import Sample
from kerazoo.tasks.classification import Label

_ByClass = dict[str, list[Path]]
"""The photographs of every class."""


class _Listed(NamedTuple):
    names: tuple[str, ...]
    splits: dict[Split, list[tuple[Path, int]]]
    problems: list[UserError]


@settings
class ClassFolders(Files):
    """Photographs in `DIR/CLASS/`, or in `DIR/train/CLASS/`, `DIR/val/CLASS/` and `DIR/test/CLASS/`.

    What of val and test is not there is taken from every class' training photographs by
    `validation` and `test`. A folder `train/` without folders in it is a class.

    Attributes:
        classes: names of the class folders in label order; by default all, in natural order.
    """

    classes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes is not None and len(set(self.classes)) != len(self.classes):
            raise ValueError("classes names one twice")

    def class_names(self) -> tuple[str, ...]:
        return self._listed.names

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        listed = self._listed
        return {split: Lazy(files, self._read) for split, files in listed.splits.items()}, listed.problems

    def _read(self, file: tuple[Path, int]) -> Sample:
        path, label = file
        return Sample(read_image(path), Label(label), path.relative_to(self.root).as_posix())

    @functools.cached_property
    def _listed(self) -> _Listed:
        folders = _split_folders(self.root)
        found = {split: _by_class(folder) for split, folder in folders.items()}
        known = found.get("train") or [name for classes in found.values() for name in classes]
        names = self.classes or tuple(sorted(set(known), key=natural))
        if len(names) < 2:
            raise UserError(f"{self.path} holds {len(names)} class(es)", _layout(self.root))
        problems = [error for split in found for error in _problems(folders[split], found[split], names)]
        shares = (0.0 if "val" in folders else self.validation), (0.0 if "test" in folders else self.test)
        parts, errors = _divided(found.pop("train", {}), shares, self.seed)
        files = {split: _interleaved(each, names) for split, each in (parts | found).items()}
        return _Listed(names, files, problems + errors)


def _split_folders(root: Path) -> dict[Split, Path]:
    """Return the train, val and test folders that hold class folders, or `root` itself as train."""
    if not root.is_dir():
        told = "is a file" if root.exists() else "does not exist"
        raise UserError(f"data folder {root} {told}", _layout(root))
    named = {split: root / name for split, names in NAMES.items() for name in names if _folders(root / name)}
    return named or {"train": root}


def _by_class(folder: Path) -> _ByClass:
    """Return the photographs below each class folder, in natural order."""
    return {path.name: images_below(path) for path in _folders(folder)}


def _divided(
    files: _ByClass, shares: tuple[float, float], seed: int
) -> tuple[dict[Split, _ByClass], list[UserError]]:
    """Return train, val and test parts of every class, and which classes are too small for that."""
    parts: dict[Split, _ByClass] = {"train": {}, "val": {}, "test": {}}
    problems = []
    for name, each in files.items():
        try:
            for split, part in divide(each, *shares, "random", seed).items():
                parts[split][name] = part
        except UserError as error:
            problems.append(UserError(f"class {name!r}: {error.message}", error.remedy))
    return parts, problems


def _problems(folder: Path, found: _ByClass, names: Iterable[str]) -> list[UserError]:
    loose = [
        UserError(f"{path} lies in no class folder", f"move it into one of {folder}/*")
        for path in _photographs(folder)
    ]
    empty = [
        UserError(f"{folder / name} holds no images", "add some or remove it")
        for name, files in found.items()
        if not files
    ]
    unknown = [
        UserError(
            f"{folder / name} is none of the classes {', '.join(names)}",
            "remove it or name it in data.classes",
        )
        for name in found
        if name not in names
    ]
    return loose + empty + unknown


def _interleaved(files: _ByClass, names: Sequence[str]) -> list[tuple[Path, int]]:
    """Return the first photograph of every class, then the second: a few of them show all classes."""
    columns = [[(path, label) for path in files.get(name, [])] for label, name in enumerate(names)]
    return [file for row in zip_longest(*columns) for file in row if file is not None]


def _folders(folder: Path) -> list[Path]:
    inside = folder.iterdir() if folder.is_dir() else ()
    return sorted((p for p in inside if p.is_dir() and not p.name.startswith(".")), key=natural)


def _photographs(folder: Path) -> list[Path]:
    """Return the images that lie in the folder itself."""
    inside = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted((path for path in inside if not path.name.startswith(".")), key=natural)


def _layout(folder: Path) -> str:
    example = f"such as {folder / 'cat'} and {folder / 'dog'}"
    return f"put the photographs of each class into a folder of its own, {example}"
