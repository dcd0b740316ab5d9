"""Images by class in a folder or a zip file, such as Omniglot; whole classes are held back."""

import functools
import os
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import AfterValidator, Field

from kerazoo.data.classification.class_lists import (
    Names,
    class_folder_warnings,
    classes_by_split,
    files_by_folder,
    hold_back_classes,
    read_split_lists,
    select_class_folders,
)
from kerazoo.data.episodes.sampling import Classes, Episodes, Pairs, sample_sequence
from kerazoo.data.lazy import CachedSamples, Lazy
from kerazoo.data.source import FileSource, Share, Source, Split, existing_path
from kerazoo.data.splits import NAMES
from kerazoo.errors import UserError, error_context
from kerazoo.files.listing import (
    FolderTree,
    is_image,
    skipped_link_warnings,
    unread_file_warnings,
    walk_folder,
)
from kerazoo.files.reading import is_hidden
from kerazoo.files.zip_members import ZipMembers
from kerazoo.image import center_crop, decode_image, read_image
from kerazoo.settings import settings
from kerazoo.structures.label import Label
from kerazoo.structures.sample import Sample

Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=8)]


@settings
class ByClass(Source):
    """Images by class, from which episodes or pairs are sampled.

    Attributes:
        episodes_per_epoch: number of samples from train (per epoch), val and test.
        size: height and width of images after `kerazoo.image.center_crop`; None keeps their size.
        training: the sampler of training samples; the family sets it.
        evaluation: the samplers of val and test, used in turns; the family sets them.
        seed: of the samples of val and test.
    """

    episodes_per_epoch: tuple[Count, Count, Count] = (500, 200, 1000)
    size: tuple[Side, Side] | None = None
    training: Episodes | Pairs | None = None
    evaluation: tuple[Episodes | Pairs, ...] = ()
    seed: Annotated[int, Field(ge=0)] = 0

    @abstractmethod
    def classes(self, split: Split) -> Classes:
        """Return the images of a split by class; may be empty."""

    @abstractmethod
    def display_name(self) -> str:
        """Return the name of the data in messages."""

    def problems(self) -> list[UserError]:
        """Return errors about the files."""
        return []

    def samples(self, split: Split) -> Sequence[Sample]:
        problems, classes = [*self.problems(), *self._problems_of(split)], self.classes(split)
        if problems:
            raise problems[0]
        if self.training is None or not classes.names:
            return classes.images
        count = dict(zip(NAMES, self.episodes_per_epoch, strict=True))[split]
        return sample_sequence(classes, split, count, self.training, self.evaluation, self.seed)

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        """Return every image once, and errors about the files."""
        return {split: self.classes(split).images for split in NAMES}, self.problems()

    def sampling_problems(self) -> list[UserError]:
        return [problem for split in NAMES for problem in self._problems_of(split)]

    def _problems_of(self, split: Split) -> list[UserError]:
        """Return the reasons why samples of a split cannot be drawn."""
        classes = self.classes(split)
        samplers = self.evaluation if split != "train" else () if self.training is None else (self.training,)
        where = f"{self.display_name()} ({split})"
        return [p for sampler in samplers for p in sampler.problems(classes, where)] if classes.names else []

    def class_sizes(self) -> dict[str, tuple[int, ...]]:
        found = {str(split): self.classes(split) for split in NAMES}
        return {split: tuple(of.size(label) for label in range(len(of))) for split, of in found.items()}

    def class_names(self) -> tuple[str, ...]:
        return tuple(name for split in NAMES for name in self.classes(split).names)


class _Listing(NamedTuple):
    splits: dict[Split, list[str]]
    files: Names
    problems: list[UserError]
    warnings: list[str]


def _absolute_path(path: str) -> str:
    """Return an absolute path: a run may be opened from another folder."""
    return os.path.abspath(os.path.expanduser(path))


@settings
class ImageClasses(ByClass, FileSource):
    """Every folder that holds images is a class; in a folder, or in a zip file.

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
    splits: Annotated[str, AfterValidator(_absolute_path)] | None = None

    def display_name(self) -> str:
        return self.path

    def classes(self, split: Split) -> Classes:
        return self._by_split[split]

    def problems(self) -> list[UserError]:
        return self._listing.problems

    def warnings(self) -> list[str]:
        if self._archive is None:
            return [*super().warnings(), *self._listing.warnings]
        members = (path for path in map(Path, self._archive) if not is_hidden(path))
        return [*unread_file_warnings(self.path, members), *self._listing.warnings]

    def image_files(self) -> Sequence[Path]:
        names = [name for files in self._listing.files.values() for name in files]
        return [] if self._archive is not None else [self.root / name for name in names]

    def files(self) -> Iterable[Path]:
        lists = [Path(self.splits) / f"{split}.txt" for split in NAMES] if self.splits else []
        return [*lists, *(self.image_files() if self._archive is None else [self.root])]

    @functools.cached_property
    def _by_split(self) -> dict[Split, Classes]:
        listing, first, classes = self._listing, 0, {}
        for split in NAMES:
            names = listing.splits.get(split, [])
            files = [
                (file, first + label) for label, name in enumerate(names) for file in listing.files[name]
            ]
            starts = np.cumsum([0, *(len(listing.files[name]) for name in names)]).tolist()
            classes[split] = Classes(names, CachedSamples(Lazy(files, self._read)), starts)
            first += len(names)
        return classes

    def _read(self, file_and_label: tuple[str, int]) -> Sample:
        file, label = file_and_label
        image = self._image(file)
        return Sample(image if self.size is None else center_crop(image, self.size), Label(label), file)

    def _image(self, file: str) -> np.ndarray:
        if self._archive is None:
            return read_image(self.root / file, how=self)
        return decode_image(self._archive[file], f"{self.path}: {file}", self)

    @functools.cached_property
    def _archive(self) -> ZipMembers | None:
        return None if os.path.isdir(self.root) else ZipMembers(self.root)

    @functools.cached_property
    def _listing(self) -> _Listing:
        root = existing_path(self.root)
        tree = FolderTree([], [], []) if self._archive else walk_folder(root)
        files = self._archive or [path.relative_to(root).as_posix() for path in tree.files]
        by_folder = files_by_folder(filter(is_image, files))
        class_folders, problems = select_class_folders(self.path, by_folder)
        if not class_folders:
            raise UserError(f"{self.path} holds no folders of images", _LAYOUT)
        links = skipped_link_warnings(self.path, tree.repeated_links, "lead to folders that are read already")
        warnings = [*links, *class_folder_warnings(self.path, class_folders)]
        with error_context(self.path):
            named_splits, files_by_class = classes_by_split(class_folders)
            shares = (
                (0.0 if "val" in named_splits else self.validation),
                (0.0 if "test" in named_splits else self.test),
            )
            held_back = (
                {} if self.splits else hold_back_classes(named_splits.get("train", []), shares, self.seed)
            )
        splits = (
            read_split_lists(Path(self.splits), files_by_class) if self.splits else named_splits | held_back
        )
        return _Listing(splits, files_by_class, problems, warnings)


_LAYOUT = "give a folder or a .zip with a folder of images per class"
