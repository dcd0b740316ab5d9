"""Two folders of photographs, of domains A and B, of which none belong together."""

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kerazoo.data.lazy import Lazy
from kerazoo.data.loader import Remembered
from kerazoo.data.source import Files, Share, Split
from kerazoo.data.splits import NAMES, divide
from kerazoo.errors import UserError
from kerazoo.files import sha256
from kerazoo.image import images_below, read_image
from kerazoo.settings import settings
from kerazoo.task import Sample
from kerazoo.tasks.translation import Partners, Real

DOMAINS = ("A", "B")

Side = Annotated[int, Field(ge=8)]


@settings
class Unpaired(Files):
    """Photographs in `trainA/` and `trainB/`, as published data sets have them, or in `A/` and `B/`.

    `testA/` and `testB/` are the test split, `valA/` and `valB/` the validation; what of validation there
    is not is held back from training. Grey photographs get three equal channels, transparency is
    dropped; those smaller than the crop are mirrored beyond their borders. Which domain is A decides
    nothing but what the directions are called.

    Attributes:
        size: height and width that training photographs are brought to, whatever their shape (published:
            286 x 286, of which 256 x 256 are cut), or None.
        names: of the domains A and B.
    """

    validation: Share = 0.1
    size: tuple[Side, Side] | None = None
    names: tuple[str, str] = DOMAINS

    def class_names(self) -> tuple[str, ...]:
        return self.names

    def samples(self, split: Split) -> Sequence[Sample]:
        _, problems = self.survey()
        if problems:
            raise problems[0]
        first, second = (self._lazy(split, domain) for domain in (0, 1))
        return paired(first, second) if split == "train" else alternating(first, second)

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        """Return every photograph of both domains, also for training, and what is wrong with the folders."""
        splits = {split: alternating(*(self._lazy(split, d) for d in (0, 1))) for split in NAMES}
        return splits, self._problems

    def _lazy(self, split: Split, domain: int) -> Lazy:
        size = self.size if split == "train" else None
        read = functools.partial(_photograph, root=self.root, domain=domain, size=size)
        return Lazy(self._files[domain].get(split, []), read)

    @functools.cached_property
    def _files(self) -> tuple[dict[Split, list[Path]], dict[Split, list[Path]]]:
        """The files of both domains by split."""
        return self._of("A"), self._of("B")

    def _of(self, domain: str) -> dict[Split, list[Path]]:
        found = {split: _folder(self.root, split, domain) for split in NAMES}
        files = {split: images_below(folder) for split, folder in found.items() if folder}
        if not files.get("train"):
            place = found["train"] or self.root / f"train{domain}"
            raise UserError(
                f"{place} holds no photographs",
                f"put those of one domain into {self.root / 'trainA'}, those of the other into "
                f"{self.root / 'trainB'}",
            )
        shares = (0.0 if "val" in files else self.validation), (0.0 if "test" in files else self.test)
        return divide(files["train"], *shares, "random", self.seed) | {
            split: paths for split, paths in files.items() if split != "train"
        }

    @functools.cached_property
    def _problems(self) -> list[UserError]:
        lists = [[path for paths in files.values() for path in paths] for files in self._files]
        return [
            UserError(f"{one} and {other} are the same photograph", "no photograph is of both domains")
            for one, other in _twins(*lists)
        ]


def paired(first: Sequence[Sample], second: Sequence[Sample]) -> Sequence[Sample]:
    """Return as many training samples as the larger domain has photographs.

    Each of the first domain comes in turn; its partner is drawn anew every time it is asked for.
    """
    partners = Partners(Remembered(second))
    count = max(len(first), len(second)) if len(first) and len(second) else 0

    def pair(index: int) -> Sample:
        image, _, name = first[index % len(first)]
        return Sample(image, partners, name)

    return Lazy(range(count), pair)


def alternating(first: Sequence[Sample], second: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples of two domains in turns, and at the end what one has more."""
    longer = max(len(first), len(second))
    places = [(each, index) for index in range(longer) for each in (first, second) if index < len(each)]
    return Lazy(places, lambda place: place[0][place[1]])


def _photograph(path: Path, root: Path, domain: int, size: tuple[int, int] | None) -> Sample:
    import cv2

    image = read_image(path)
    if size is not None:
        method = cv2.INTER_AREA if image.shape[0] > size[0] else cv2.INTER_CUBIC
        image = cv2.resize(image, size[::-1], interpolation=method)
    return Sample(image, Real(domain, image), path.relative_to(root).as_posix())


def _folder(root: Path, split: Split, domain: str) -> Path | None:
    """Return the folder of a split and domain, if there is one."""
    names = [f"{name}{domain}" for name in NAMES[split]] + ([domain] if split == "train" else [])
    return next((root / name for name in names if (root / name).is_dir()), None)


def _twins(first: Sequence[Path], second: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield the files of `second` that hold the bytes of one of `first`; few are read for that."""
    by_size = defaultdict(list)
    for path in first:
        by_size[path.stat().st_size].append(path)
    for path in second:
        alike = by_size.get(path.stat().st_size, [])
        digest = sha256(path) if alike else ""
        yield from ((other, path) for other in alike if sha256(other) == digest)
