"""Pictures by class, of which whole classes are held back: a folder or a zip file, such as Omniglot."""

import functools
import os
import zipfile
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import AfterValidator, Field

from kerazoo.data.draws import Classes, Episodes, Pairs, drawn_samples
from kerazoo.data.lazy import Lazy
from kerazoo.data.loader import Remembered
from kerazoo.data.source import Files, Share, Source, Split
from kerazoo.data.splits import NAMES, divide
from kerazoo.errors import UserError
from kerazoo.files import natural
from kerazoo.image import SUFFIXES, centred, decode_image, read_image
from kerazoo.settings import settings
from kerazoo.task import Sample
from kerazoo.tasks.classification import Label

OMNIGLOT: dict[str, Split] = {"images_background": "train", "images_evaluation": "test"}
"""What Lake et al. 2015 call the alphabets to learn from and those to be asked about."""

LARGEST = 2**26
"""Bytes of the largest member of an archive that is read: a small file may unpack to terabytes."""

Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=8)]
_Names = dict[str, list[str]]
"""Class -> the files of its pictures."""


@settings
class ByClass(Source):
    """Pictures by class, from which samples of several are drawn.

    Attributes:
        draws: how many samples are drawn from train (in an epoch), val and test.
        size: height and width that pictures are brought to (`kerazoo.image.centred`); None as they are.
        training: how samples to train on are drawn; the family says it.
        asked: how those of val and test are, in turns; the family says it.
        seed: of what is drawn from val and test.
    """

    draws: tuple[Count, Count, Count] = (500, 200, 1000)
    size: tuple[Side, Side] | None = None
    training: Episodes | Pairs | None = None
    asked: tuple[Episodes | Pairs, ...] = ()
    seed: Annotated[int, Field(ge=0)] = 0

    @abstractmethod
    def classes(self, split: Split) -> Classes:
        """Return the pictures of a split by class; there may be none."""

    @abstractmethod
    def told(self) -> str:
        """Return what messages call the data."""

    def samples(self, split: Split) -> Sequence[Sample]:
        count = dict(zip(NAMES, self.draws, strict=True))[split]
        if self.training is None:
            return self.classes(split).pictures
        return drawn_samples(
            self.classes(split), split, count, self.training, self.asked, self.seed, self.told()
        )

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        """Return every picture once, and what is wrong with the draws."""
        problems = []
        for split in NAMES:
            try:
                self.samples(split)
            except UserError as error:
                problems.append(error)
        return {split: self.classes(split).pictures for split in NAMES}, problems

    def class_names(self) -> tuple[str, ...]:
        return tuple(name for split in NAMES for name in self.classes(split).names)


class _Listed(NamedTuple):
    splits: dict[Split, list[str]]
    files: _Names


def _absolute(path: str) -> str:
    """Return a path that a run finds from wherever it is opened."""
    return os.path.abspath(os.path.expanduser(path))


@settings
class PictureClasses(ByClass, Files):
    """Every folder that holds pictures is a class; in a folder, or in a zip file.

    The classes may lie in `train/`, `val/` and `test/`, or as Omniglot has them in `images_background/`
    and `images_evaluation/`. What there is not of val and test is held back from train: whole groups of
    classes where folders such as alphabets hold them, else whole classes.

    Attributes:
        path: of the folder or the zip file.
        validation, test: shares of groups or classes that are held back where no folder says it.
        splits: folder of train.txt, val.txt and test.txt with a class in each line, such as those of
            Vinyals et al. 2016; `Latin/character01/rot090` names the class of that rotation.
    """

    validation: Share = 0.2
    splits: Annotated[str, AfterValidator(_absolute)] | None = None

    def told(self) -> str:
        return self.path

    def classes(self, split: Split) -> Classes:
        return self._by_split[split]

    @functools.cached_property
    def _by_split(self) -> dict[Split, Classes]:
        listed, first, found = self._listed, 0, {}
        for split in NAMES:
            names = listed.splits.get(split, [])
            files = [(file, first + label) for label, name in enumerate(names) for file in listed.files[name]]
            starts = np.cumsum([0, *(len(listed.files[name]) for name in names)]).tolist()
            found[split] = Classes(names, Remembered(Lazy(files, self._read)), starts)
            first += len(names)
        return found

    def _read(self, place: tuple[str, int]) -> Sample:
        file, label = place
        image = self._picture(file)
        return Sample(image if self.size is None else centred(image, self.size), Label(label), file)

    def _picture(self, file: str) -> np.ndarray:
        if self._archive is None:
            return read_image(self.root / file)
        return decode_image(self._archive[file], f"{self.path}: {file}")

    @functools.cached_property
    def _archive(self) -> "Members | None":
        return None if self.root.is_dir() else Members(self.root)

    @functools.cached_property
    def _listed(self) -> _Listed:
        if not self.root.exists():
            raise UserError(f"data {self.path} does not exist", _LAYOUT)
        files = _below(self.root) if self._archive is None else list(self._archive)
        found = _by_folder([file for file in files if PurePosixPath(file).suffix.lower() in SUFFIXES])
        if not found:
            raise UserError(f"{self.path} holds no folders of pictures", _LAYOUT)
        given, named = _split(found)
        if self.splits is not None:
            return _Listed(_listed_in(Path(self.splits), named), named)
        shares = (0.0 if "val" in given else self.validation), (0.0 if "test" in given else self.test)
        return _Listed(given | _held_back(given.get("train", []), shares, self.seed), named)


_LAYOUT = "give a folder or a .zip with a folder of pictures per class"


class Members(Mapping[str, bytes]):
    """The files of a zip file by name, read when they are asked for, by several threads.

    Raises:
        UserError: not a zip file, or a member that is damaged, encrypted or larger than `LARGEST`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} is no zip file that can be read: {error}", "download it again") from None
        self.members = {info.filename: info for info in self.archive.infolist() if not info.is_dir()}

    def __iter__(self):
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, name: str) -> bytes:
        info = self.members[name]
        if info.file_size > LARGEST:
            raise UserError(f"{self.path}: {name} unpacks to {info.file_size} bytes", "take it out")
        try:
            return self.archive.read(info)
        except Exception as error:  # a damaged member raises one of many kinds
            raise UserError(f"{self.path}: {name} cannot be read: {error}", "download it again") from None


def _below(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]


def _by_folder(files: Sequence[str]) -> _Names:
    """Return the files of every folder that holds some, hidden ones left out, all in natural order."""
    found: _Names = {}
    for path in sorted(map(PurePosixPath, files), key=lambda path: natural(Path(path))):
        if not any(part.startswith((".", "__MACOSX")) for part in path.parts):
            found.setdefault(path.parent.as_posix(), []).append(path.as_posix())
    return found


def _split(found: _Names) -> tuple[dict[Split, list[str]], _Names]:
    """Return the classes that a folder's name puts into each split, and all files by class without it."""
    known = {name: split for split, names in NAMES.items() for name in names} | OMNIGLOT
    splits: dict[Split, list[str]] = {}
    named: _Names = {}
    for folder, files in found.items():
        parts = PurePosixPath(folder).parts
        above = parts[: min(2, len(parts) - 1)]
        at = next((place for place, part in enumerate(above) if part in known), None)
        name = "/".join(parts if at is None else parts[at + 1 :])
        splits.setdefault("train" if at is None else known[parts[at]], []).append(name)
        if name in named:
            raise UserError(f"the class {name} is in two splits", "a class belongs to one of them")
        named[name] = files
    return splits, named


def _held_back(classes: Sequence[str], shares: tuple[float, float], seed: int) -> dict[Split, list[str]]:
    """Return train, val and test parts of classes, by whole groups where there are some."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(PurePosixPath(name).parent.as_posix(), []).append(name)
    if len(groups) < 2:
        groups = {name: [name] for name in classes}
    parts = divide(list(groups), *shares, "random", seed)
    return {split: [n for group in part for n in groups[group]] for split, part in parts.items() if part}


def _listed_in(folder: Path, named: _Names) -> dict[Split, list[str]]:
    """Return the splits of a folder of text files."""
    splits: dict[Split, list[str]] = {}
    for split in NAMES:
        path = folder / f"{split}.txt"
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}", "data.splits wants three files") from None
        names = dict.fromkeys(line.strip().partition("/rot")[0] for line in lines if line.strip())
        for name in names:
            if name not in named:
                raise UserError(f"{path}: there is no class {name!r}", "does it belong to these data?")
            if any(name in others for others in splits.values()):
                raise UserError(f"{path}: the class {name!r} is in two splits", "keep one of them")
        splits[split] = list(names)
    return splits
