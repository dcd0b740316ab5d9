"""Unpaired images of two domains, A and B, in folders."""

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from kerazoo.data.lazy import CachedSamples, Lazy
from kerazoo.data.source import FileSource, Share, Source, Split, existing_path
from kerazoo.data.splits import NAMES, divide, folders_by_split, split_of
from kerazoo.errors import UserError, error_context
from kerazoo.files.listing import list_images
from kerazoo.files.reading import is_file, list_folder
from kerazoo.files.writing import sha256
from kerazoo.image import read_image
from kerazoo.settings import replace, settings
from kerazoo.structures.images import Partners, Real
from kerazoo.structures.sample import Sample

DOMAINS = ("A", "B")


class _Listing(NamedTuple):
    domains: list[dict[Split, list[Path]]]
    problems: list[UserError]


Side = Annotated[int, Field(ge=8)]


@settings
class Unpaired(FileSource):
    """Images in `trainA/` and `trainB/`, as published data sets have them, or in `A/` and `B/`.

    `testA/` and `testB/` are the test split, `valA/` and `valB/` the validation, in any capitals and by any
    name of `kerazoo.data.splits`; so are `train/A/`, `train/B/` and so on. What of validation there is not is
    held back from training. Grey images get three equal channels, transparency is dropped; those smaller
    than the crop are mirrored beyond their borders. Which domain is A decides nothing but what the directions
    are called.

    Attributes:
        size: height and width that training images are brought to, whatever their shape (published:
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
        return pair_domains(first, second) if split == "train" else alternate_domains(first, second)

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        """Return every image of both domains, also for train, and errors about the folders."""
        splits = {split: alternate_domains(*(self._lazy(split, d) for d in (0, 1))) for split in NAMES}
        return splits, self._problems

    def whole_images(self) -> Source:
        return replace(self, {"size": None}) if self.size else self

    def image_files(self) -> Sequence[Path]:
        return [path for files in self._listing.domains for paths in files.values() for path in paths]

    def _lazy(self, split: Split, domain: int) -> Lazy:
        size = self.size if split == "train" else None
        read = functools.partial(_read_sample, source=self, domain=domain, size=size)
        return Lazy(self._listing.domains[domain].get(split, []), read)

    @functools.cached_property
    def _listing(self) -> _Listing:
        """The files of both domains by split, and the domains that are too small to be divided."""
        places, domains, problems = _domain_folders(existing_path(self.root)), [], []
        for domain in DOMAINS:
            files = {split: list_images(path) for (split, of), path in places.items() if of == domain}
            if not files.get("train"):
                raise _no_images_error(self.root, domain, places)
            shares = (0.0 if "val" in files else self.validation), (0.0 if "test" in files else self.test)
            try:
                with error_context(places["train", domain]):
                    remedy = f"add some, or put others into {self.root / f'val{domain}'}"
                    files = divide(files["train"], *shares, "random", self.seed, remedy=remedy) | {
                        split: paths for split, paths in files.items() if split != "train"
                    }
            except UserError as error:
                problems.append(error)
            domains.append(files)
        return _Listing(domains, problems)

    @functools.cached_property
    def _problems(self) -> list[UserError]:
        lists = [list(filter(is_file, itertools.chain(*files.values()))) for files in self._listing.domains]
        twins = [
            UserError(f"{one} and {other} are the same image", "no image is of both domains")
            for one, other in _duplicate_files(*lists)
        ]
        return self._listing.problems + twins


def pair_domains(first: Sequence[Sample], second: Sequence[Sample]) -> Sequence[Sample]:
    """Return training samples, as many as the larger domain has images.

    Each of the first domain comes in turn; its partner is drawn anew every time it is asked for.
    """
    partners = Partners(CachedSamples(second))
    count = max(len(first), len(second)) if len(first) and len(second) else 0

    def pair(index: int) -> Sample:
        image, _, name = first[index % len(first)]
        return Sample(image, partners, name)

    return Lazy(range(count), pair)


def alternate_domains(first: Sequence[Sample], second: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples of two domains alternately, then the rest of the larger one."""
    longer = max(len(first), len(second))
    places = [(domain, index) for index in range(longer) for domain in (first, second) if index < len(domain)]
    return Lazy(places, lambda place: place[0][place[1]])


def _read_sample(path: Path, source: Unpaired, domain: int, size: tuple[int, int] | None) -> Sample:
    from kerazoo.media.opencv import cv2

    image = read_image(path, how=source)
    if size is not None:
        method = cv2.INTER_AREA if image.shape[0] > size[0] else cv2.INTER_CUBIC
        image = cv2.resize(image, size[::-1], interpolation=method)
    return Sample(image, Real(domain, image), path.relative_to(source.root).as_posix())


def _domain_folders(root: Path) -> dict[tuple[Split, str], Path]:
    """Return the image folders by split and domain."""
    folders = [path for path in list_folder(root) if path.is_dir()]
    candidates = [(_split_and_domain(path.name), path) for path in folders]
    for split, folder in folders_by_split(
        path for path in folders if not _split_and_domain(path.name)
    ).items():
        inside = ((path.name.upper(), path) for path in list_folder(folder) if path.is_dir())
        candidates += [((split, name), path) for name, path in inside if name in DOMAINS]
    by_domain: dict[tuple[Split, str], Path] = {}
    for split_and_domain, path in candidates:
        if split_and_domain in by_domain:
            raise UserError(
                f"{by_domain[split_and_domain]} and {path} are the same split and domain", "keep one of them"
            )
        if split_and_domain is not None:
            by_domain[split_and_domain] = path
    return by_domain


def _split_and_domain(name: str) -> tuple[Split, str] | None:
    """Return the split and domain of a folder with this name, None if it has no domain.

    >>> _split_and_domain("TrainA"), _split_and_domain("b"), _split_and_domain("horse")
    (('train', 'A'), ('train', 'B'), None)
    """
    before, domain = name[:-1].rstrip("_- "), name[-1:].upper()
    split = split_of(before) if before else "train"
    return (split, domain) if split and domain in DOMAINS else None


def _no_images_error(root: Path, domain: str, places: dict[tuple[Split, str], Path]) -> UserError:
    """Return the error for a domain without training images."""
    remedy = f"put those of one domain into {root / 'trainA'}, those of the other into {root / 'trainB'}"
    if ("train", domain) in places:
        return UserError(f"{places['train', domain]} holds no images", remedy)
    contents = ", ".join(path.name for path in list_folder(root)[:5]) or "nothing"
    return UserError(f"{root} has no folder train{domain} or {domain}, only {contents}", remedy)


def _duplicate_files(first: Sequence[Path], second: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield pairs of files in `first` and `second` with equal content; sizes are compared first."""
    by_size = defaultdict(list)
    for path in first:
        by_size[path.stat().st_size].append(path)
    for path in second:
        alike = by_size.get(path.stat().st_size, [])
        digest = sha256(path) if alike else ""
        yield from ((other, path) for other in alike if sha256(other) == digest)
