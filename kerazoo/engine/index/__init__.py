"""The verb index: the embeddings of a folder's images in a file, for `kerazoo predict --index`."""

import functools
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerazoo.engine.index.file import Changes, Contents, Entry, Mark, mark_of, read_contents, write_contents
from kerazoo.engine.progress import ImageProgress, Progress
from kerazoo.errors import UserError
from kerazoo.files.listing import find_images
from kerazoo.files.writing import sha256
from kerazoo.image import read_image
from kerazoo.media.pixels import ImageReading
from kerazoo.run import WEIGHTS, Run
from kerazoo.settings import to_plain
from kerazoo.structures.pairs import Nearest
from kerazoo.tasks.verification import SHOWN, Verification
from kerazoo.tasks.verification.distances import EmbeddingDistance

NAME = "index.npz"
"""What an index is called inside its run."""

FAISS_FROM = 100_000
"""Images from which on FAISS searches an index, where it is installed and distances are Euclidean."""

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""From an embedding and a number to that many places and their distances, the nearest first."""


class Indexed(NamedTuple):
    """What came of making or updating an index.

    Attributes:
        path: of the index.
        problems: a line for each image that could not be read and is not in it.
        embedded: how many images were embedded.
        kept: how many were in it before, and have not changed.
        gone: how many were in it before, and are no more.
    """

    path: Path
    problems: list[str]
    embedded: int
    kept: int
    gone: int


@dataclass(frozen=True)
class Index:
    """The embeddings of a folder's images that can be searched.

    Attributes:
        folder: of the images.
        files: their names below it, `/` between folders.
        embeddings: float32 `(N, D)`.
        measure: how far apart they are.
        how: their files are read.
        outdated: a line that says how the folder has changed since, None where it has not. Images that
            are others now are not among `files`.
    """

    folder: Path
    files: tuple[str, ...]
    embeddings: np.ndarray
    measure: EmbeddingDistance
    how: ImageReading
    outdated: str | None = None

    @functools.cached_property
    def _search(self) -> Search:
        return _searching(self.embeddings, self.measure)

    def nearest(self, embedding: np.ndarray, top: int) -> Nearest:
        """Return the images that are nearest to an embedding, `top` of them or all.

        Args:
            embedding: float32 `(D,)`.
        """
        places, distances = self._search(embedding, min(top, len(self.files)))
        files = tuple(self.files[place] for place in places)
        return Nearest(files, distances, tuple(self._image(file) for file in files[:SHOWN]))

    def _image(self, file: str) -> np.ndarray | None:
        try:
            return read_image(self.folder / file, how=self.how)
        except UserError:  # moved or gone since: its name and distance stay true
            return None


def index(run: Run, folder: Path, output: Path | None = None, *, update: bool = False) -> Indexed:
    """Write the embeddings of all images of a folder and its sub-folders into a file.

    The file is an `.npz` without pickles: `embeddings` float32 `(N, D)`, `files` (names below the folder),
    `folder`; `sizes`, `times` and `hashes` of the files, by which changes are seen; `run`, the digest of
    the weights, by which another run's index is refused; and a checksum.

    Args:
        run: of a Siamese network.
        folder: of images.
        output: the file; `index.npz` in the run by default.
        update: go on with the file as it is: only images that are new or have changed are embedded.

    Raises:
        UserError: not such a run, no image can be read, or the file cannot be written; or there is none to
            be updated, or it is of another run or folder.
    """
    output = output or run.folder / NAME
    _comparing(run)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "give the folder of the images to be found")
    names = [path.relative_to(folder).as_posix() for path in find_images([folder])]
    before = _to_be_updated(run, folder, output) if update else Contents(folder.resolve(), "", {}, ())
    kept = before.unchanged()
    fresh, problems = _embedded(run, folder, [name for name in names if name not in kept])
    known = kept | fresh
    entries = {name: known[name] for name in names if name in known}
    if not entries:
        raise UserError(f"no image in {folder} can be read: {problems[0]}", "mend or replace them")
    unread = tuple(name for name in names if name not in entries)
    write_contents(Contents(folder.resolve(), embedder_digest(run), entries, unread), output)
    gone = set(before.entries).difference(names)
    return Indexed(output, problems, len(fresh), len(entries) - len(fresh), len(gone))


def _embedded(run: Run, folder: Path, names: list[str]) -> tuple[dict[str, Entry], list[str]]:
    """Return images embedded, and a line for each that cannot be read."""
    marks, problems = dict[str, Mark](), list[str]()

    def images() -> Iterator[np.ndarray]:
        for name in ImageProgress().through(names, len(names), str(folder)):
            try:
                mark = mark_of(folder / name)
                image = read_image(folder / name, how=run.recipe.data)
            except UserError as error:
                problems.append(str(error))
                continue
            marks[name] = mark
            yield image

    embeddings = list(_comparing(run).embed(run.forward, images()))
    return dict(zip(marks, map(Entry, marks.values(), embeddings), strict=True)), problems


def _to_be_updated(run: Run, folder: Path, path: Path) -> Contents:
    before = _opened(run, path)
    if before.folder != folder.resolve():
        raise UserError(
            f"{path} is of {before.folder}, not of {folder}", "leave --update out, or give --output"
        )
    return before


def open_index(run: Run, path: Path) -> Index:
    """Return the index in a file, without the images that have been overwritten since.

    Raises:
        UserError: it cannot be read, is none, is damaged, or was made by another run.
    """
    contents = _opened(run, path)
    changes = contents.changes()
    command = f"kerazoo index {run.folder} {contents.folder} --output {path} --update"
    left_out = set(changes.changed)
    entries = {name: entry for name, entry in contents.entries.items() if name not in left_out}
    if not entries:
        raise UserError(f"every image of {path} has changed since", f"update it with: {command}")
    embeddings = np.stack([entry.embedding for entry in entries.values()])
    measure, changed = _comparing(run).embedding_distance(run.network), _outdated(changes)
    outdated = f"{path} is out of date: {changed}; update it with: {command}" if changed else None
    return Index(contents.folder, tuple(entries), embeddings, measure, run.recipe.data, outdated)


def _opened(run: Run, path: Path) -> Contents:
    _comparing(run)
    remedy = f"make it with: kerazoo index {run.folder} FOLDER --output {path}"
    contents = read_contents(path, remedy)
    if contents.run != embedder_digest(run):
        raise UserError(f"{path} was made by another run than {run.folder}, or before it went on", remedy)
    return contents


def _outdated(changes: Changes) -> str:
    kinds = ("changed since and not searched", "new and not searched", "gone")
    parts = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
        for names, what in zip(changes, kinds, strict=True)
        if names
    ]
    return "; ".join(parts)


def searching(run: Run, path: Path, top: int) -> Callable[[np.ndarray], Nearest]:
    """Return what finds the `top` images of an index that are nearest to an image.

    Says on standard error how the folder has changed since the index was made.

    Raises:
        UserError: as for `open_index`.
    """
    family, opened = _comparing(run), open_index(run, path)
    if opened.outdated:
        Progress().say(opened.outdated)
    forward = run.forward
    return lambda image: opened.nearest(next(family.embed(forward, [image])), top)


def embedder_digest(run: Run) -> str:
    """Return what tells a run's embeddings from another's, by its weights and what goes into them."""
    family = run.recipe.family
    made_of = [
        sha256(run.folder / WEIGHTS),
        to_plain(family.weight_settings()),
        getattr(family, "size", None),
    ]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def _comparing(run: Run) -> Verification:
    family = run.family
    if not isinstance(family, Verification):
        raise UserError(
            f"{type(family).__name__} makes no embeddings", "train one that does: kerazoo train siamese"
        )
    return family


def _searching(embeddings: np.ndarray, measure: EmbeddingDistance) -> Search:
    """Return the way to search: the one place where it is chosen. All ways are exact."""
    euclidean = measure.weights is None
    if euclidean and len(embeddings) >= FAISS_FROM and importlib.util.find_spec("faiss"):
        return _by_faiss(embeddings)

    def search(query: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        distances = measure.between(query, embeddings)
        places = np.argsort(distances, kind="stable")[:top]
        return places, distances[places]

    return search


def _by_faiss(embeddings: np.ndarray) -> Search:
    import faiss

    flat = faiss.IndexFlatL2(embeddings.shape[1])
    flat.add(np.ascontiguousarray(embeddings))

    def search(query: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        squares, places = flat.search(np.ascontiguousarray(query[None], "float32"), top)
        return places[0], np.sqrt(np.maximum(squares[0], 0))

    return search
