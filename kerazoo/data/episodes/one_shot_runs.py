"""Omniglot's official one-shot classification: 20 runs with 20 training and 20 test images."""

import functools
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from kerazoo.data.episodes.by_class import ByClass
from kerazoo.data.episodes.sampling import Classes
from kerazoo.data.lazy import Lazy
from kerazoo.data.source import Split, existing_path
from kerazoo.errors import UserError
from kerazoo.files.reading import is_file
from kerazoo.files.zip_members import ZipMembers
from kerazoo.image import center_crop, decode_image
from kerazoo.settings import settings
from kerazoo.structures.episodes import Episode
from kerazoo.structures.sample import Sample

LABELS = "class_labels.txt"
"""In every run: a line for each test image, its file and that of the training image of its class."""


def holds_runs(path: Path) -> bool:
    """Whether a path is a zip file of one-shot runs."""
    if not is_file(path) or path.suffix.lower() != ".zip":
        return False
    return any(PurePosixPath(name).name == LABELS for name in ZipMembers(path))


@settings
class OneShotRuns(ByClass):
    """The runs of Lake et al. 2015 in their zip file (`all_runs.zip`): an episode each, whatever the split.

    Attributes:
        path: of the zip file.
    """

    path: str

    def display_name(self) -> str:
        return self.path

    def classes(self, split: Split) -> Classes:
        return Classes((), (), (0,))

    def class_names(self) -> tuple[str, ...]:
        return tuple(self._runs)

    def samples(self, split: Split) -> Sequence[Sample]:
        return Lazy(list(self._runs), self._episode)

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        raise UserError(f"{self.path} holds questions and nothing to train on", "use it with 'evaluate'")

    @functools.cached_property
    def _members(self) -> ZipMembers:
        return ZipMembers(existing_path(Path(self.path).expanduser()))

    @functools.cached_property
    def _runs(self) -> dict[str, list[tuple[str, str]]]:
        """The pairs of training and test image of every run."""
        runs = {}
        for name in sorted(self._members):
            if PurePosixPath(name).name == LABELS:
                folder = PurePosixPath(name).parent
                lines = self._members[name].decode("utf-8", "replace").split("\n")
                pairs = [line.split() for line in lines if line.strip()]
                if not pairs:
                    raise UserError(f"{self.path}: {name} holds no line", "download the archive again")
                runs[str(folder)] = [self._pair(folder, name, pair) for pair in pairs]
        return runs

    def _pair(self, folder: PurePosixPath, where: str, files: Sequence[str]) -> tuple[str, str]:
        paths = [str(folder.parent / file.replace("\\", "/")) for file in files]
        if len(paths) != 2 or not all(file in self._members for file in paths):
            message = f"{self.path}: {where} names {' '.join(files)!r}"
            raise UserError(message, "a line is a test and a training image, both in the archive")
        return paths[1], paths[0]

    def _episode(self, run: str) -> Sample:
        rows = [np.stack([self._image(file) for file in pair]) for pair in self._runs[run]]
        names = tuple(training for training, _ in self._runs[run])
        return Sample(np.stack(rows), Episode(names, shots=1), run)

    def _image(self, file: str) -> np.ndarray:
        image = decode_image(self._members[file], f"{self.path}: {file}", self)
        return image if self.size is None else center_crop(image, self.size)
