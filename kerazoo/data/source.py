"""The interface of data sources."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from kerazoo.data.dark import dark_image_warnings
from kerazoo.errors import UserError
from kerazoo.files.listing import FolderTree, skipped_link_warnings, unread_file_warnings, walk_folder
from kerazoo.media.pixels import ImageReading
from kerazoo.settings import settings
from kerazoo.structures.sample import Sample

Split = Literal["train", "val", "test"]
Share = Annotated[float, Field(ge=0, lt=1)]


def existing_path(path: Path) -> Path:
    """Return the path of a data set; raise a `UserError` if it does not exist."""
    if not os.path.exists(path):  # also where no file can have such a name
        raise UserError(f"data {path} does not exist", "check the path, or give a run's new one: --data DIR")
    return path


@settings
class Source(ImageReading, ABC):
    """A description of where samples come from; its fields are its settings.

    How its image files are read is a part of it; `kerazoo predict` reads images as the run's data were.

    Attributes:
        generated: samples are made by a program, so that none can be broken.
    """

    generated: ClassVar[bool] = False

    @abstractmethod
    def samples(self, split: Split) -> Sequence[Sample]:
        """Return the samples of a split, read when indexed and in an order that never changes.

        Raises:
            UserError: the data cannot be used; names the file and the remedy.
        """

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        """Return the usable samples of all splits, and errors about the rest.

        Where there are problems, `samples` raises the first of them; `kerazoo data check` tells all.
        """
        return {split: self.samples(split) for split in get_args(Split)}, []

    def sampling_problems(self) -> list[UserError]:
        """Return why samples cannot be drawn as the family wants them, though no file is broken."""
        return []

    def class_sizes(self) -> dict[str, tuple[int, ...]]:
        """Return the number of images of each class by split, where whole classes are held back."""
        return {}

    def whole_images(self) -> "Source":
        """Return the source of the whole images, if this one cuts or resizes them; else itself."""
        return self

    def warnings(self) -> list[str]:
        """Return warnings that only the user can judge, such as about skipped files.

        `kerazoo data check` tells all of them, `kerazoo train` the first few.

        Raises:
            UserError: the data cannot be used at all.
        """
        return []

    def facts(self) -> dict[str, str]:
        """Return decisions about the whole data set, by name, such as the meaning of mask values."""
        return {}

    def files(self) -> Iterable[Path]:
        """Return all files that samples and classes are read from, in any order; generated data have none."""
        return ()

    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Return the names of all classes, background included, in label order."""


@settings
class FileSource(Source):
    """A folder of files that `survey` lists, with sub-folders for the splits or without.

    Attributes:
        path: of the folder.
        validation, test: shares of the images held back where there is no such sub-folder.
        seed: of the random choice of what is held back.
    """

    path: str
    validation: Share = 0.2
    test: Share = 0.0
    seed: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self.path).expanduser()

    def image_files(self) -> Sequence[Path]:
        """Return the image files of all splits; empty if they are in an archive."""
        return ()

    def files(self) -> Iterable[Path]:
        return self.image_files()

    def warnings(self) -> list[str]:
        tree = walk_folder(self.root) if self.root.is_dir() else FolderTree([], [], [])
        skipped = unread_file_warnings(self.path, tree.files)
        links = skipped_link_warnings(self.path, tree.parent_links, "lead back to a folder that they lie in")
        return [*skipped, *links, *dark_image_warnings(self.image_files(), self)]

    def samples(self, split: Split) -> Sequence[Sample]:
        splits, problems = self.survey()
        if problems:
            raise problems[0]
        if split == "train" and not splits["train"]:
            raise UserError(f"{self.path} has no images to train on", "add train/, or a train.json")
        return splits[split]
