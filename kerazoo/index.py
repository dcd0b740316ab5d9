"""The verb index: the embeddings of a folder's pictures in a file, for `kerazoo predict --index`."""

import functools
import hashlib
import importlib.util
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerazoo import backend
from kerazoo.errors import UserError
from kerazoo.files import sha256, whole_file
from kerazoo.image import read_image
from kerazoo.listing import find_images
from kerazoo.pixels import ImageReading
from kerazoo.progress import PictureProgress
from kerazoo.run import WEIGHTS, Run
from kerazoo.settings import to_plain
from kerazoo.tasks.measures import Measure
from kerazoo.tasks.verification import SHOWN, Nearest, Verification

NAME = "index.npz"
"""What an index is called inside its run."""

FAISS_FROM = 100_000
"""Pictures from which on FAISS searches an index, where it is installed and distances are Euclidean."""

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""From an embedding and a number to that many places and their distances, the nearest first."""


@dataclass(frozen=True)
class Index:
    """The embeddings of a folder's pictures.

    Attributes:
        folder: of the pictures.
        files: their names below it, `/` between folders.
        embeddings: float32 `(N, D)`.
        measure: how far apart they are.
        how: their files are read.
    """

    folder: Path
    files: tuple[str, ...]
    embeddings: np.ndarray
    measure: Measure
    how: ImageReading

    @functools.cached_property
    def _search(self) -> Search:
        return _searching(self.embeddings, self.measure)

    def nearest(self, embedding: np.ndarray, top: int) -> Nearest:
        """Return the pictures that are nearest to an embedding, `top` of them or all.

        Args:
            embedding: float32 `(D,)`.
        """
        places, distances = self._search(embedding, min(top, len(self.files)))
        files = tuple(self.files[place] for place in places)
        return Nearest(files, distances, tuple(self._picture(file) for file in files[:SHOWN]))

    def _picture(self, file: str) -> np.ndarray | None:
        try:
            return read_image(self.folder / file, how=self.how)
        except UserError:  # moved or gone since: its name and distance stay true
            return None


def index(run: Run, folder: Path, output: Path | None = None) -> tuple[Path, list[str]]:
    """Write the embeddings of all pictures of a folder and its sub-folders into a file.

    The file is an `.npz` without pickles: `embeddings` float32 `(N, D)`, `files` (names below the folder),
    `folder`, and `run`, a fingerprint of the weights, by which another run's index is refused.

    Args:
        run: of a Siamese network.
        folder: of pictures.
        output: the file; `index.npz` in the run by default.

    Returns:
        The file, and a line for each picture that could not be read and is not in it.

    Raises:
        UserError: not such a run, no picture can be read, or the file cannot be written.
    """
    family, output = _comparing(run), output or run.folder / NAME
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "give the folder of the pictures to be found")
    paths, read, problems = find_images([folder]), list[Path](), list[str]()

    def pictures() -> Iterator[np.ndarray]:
        for path in PictureProgress().through(paths, len(paths), str(folder)):
            try:
                image = read_image(path, how=run.recipe.data)
            except UserError as error:
                problems.append(str(error))
                continue
            read.append(path)
            yield image

    embeddings = list(family.embed(backend.forward(run.deployed), pictures()))
    if not read:
        raise UserError(f"no picture in {folder} can be read: {problems[0]}", "mend or replace them")
    with whole_file(output) as partial, partial.open("wb") as file:
        np.savez(
            file,
            embeddings=np.stack(embeddings).astype("float32"),
            files=[path.relative_to(folder).as_posix() for path in read],
            folder=str(folder.resolve()),
            run=fingerprint(run),
        )
    return output, problems


def open_index(run: Run, path: Path) -> Index:
    """Return the index in a file.

    Raises:
        UserError: it cannot be read, is none, or was made by another run.
    """
    family, remedy = _comparing(run), f"make it with: kerazoo index {run.folder} FOLDER --output {path}"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in ("embeddings", "files", "folder", "run")}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no index that can be read: {error}", remedy) from None
    embeddings, files = arrays["embeddings"], arrays["files"]
    if embeddings.ndim != 2 or embeddings.dtype != "float32" or files.shape != embeddings.shape[:1]:
        raise UserError(f"{path} is no index that can be read: its arrays do not fit together", remedy)
    if str(arrays["run"]) != fingerprint(run):
        raise UserError(f"{path} was made by another run than {run.folder}, or before it went on", remedy)
    folder, measure = Path(str(arrays["folder"])), family.measure(run.network)
    return Index(folder, tuple(files.tolist()), embeddings, measure, run.recipe.data)


def searching(run: Run, path: Path, top: int) -> Callable[[np.ndarray], Nearest]:
    """Return what finds the `top` pictures of an index that are nearest to a photograph.

    Raises:
        UserError: as for `open_index`.
    """
    family, found = _comparing(run), open_index(run, path)
    forward = backend.forward(run.deployed)
    return lambda image: found.nearest(next(family.embed(forward, [image])), top)


def fingerprint(run: Run) -> str:
    """Return what tells a run's embeddings from another's, by its weights and what goes into them."""
    family = run.recipe.family
    made_of = [sha256(run.folder / WEIGHTS), to_plain(family.meaning()), getattr(family, "size", None)]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def _comparing(run: Run) -> Verification:
    family = run.family
    if not isinstance(family, Verification):
        raise UserError(
            f"{type(family).__name__} makes no embeddings", "train one that does: kerazoo train siamese"
        )
    return family


def _searching(embeddings: np.ndarray, measure: Measure) -> Search:
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
