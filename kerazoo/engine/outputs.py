"""Where predictions go: which images are asked about, what their files are called, and the rows."""

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kerazoo.errors import UserError
from kerazoo.files.listing import find_images
from kerazoo.files.writing import make_folder, sync_folder, write_error
from kerazoo.video import SUFFIXES, camera_number

Row = dict[str, Any]

LONGEST = 160
"""Bytes of the longest name of a file's own that its results are called by; file systems take 255 at most."""


def find_inputs(names: Sequence[str], output: Path) -> tuple[list[Path], int]:
    """Return the images and videos that files, folders and globs name, without results of before.

    Those in the output folder are left out where a folder or glob around it found them. Whoever names
    that folder itself, or a file in it, gets them.

    Args:
        names: as for `find_images`.
        output: where results go.

    Returns:
        The images, and how many were left out.

    Raises:
        UserError: as `find_images`, or results of before are all that was found.
    """
    images = find_images(names, SUFFIXES)
    if any(_within(name, output) for name in names):
        return images, 0
    kept = [path for path in images if not _within(path, output)]
    if not kept:
        raise UserError(
            f"no images in {names[0]} but results of before in {output}", "give the images' folder"
        )
    return kept, len(images) - len(kept)


def holds_any(folder: Path, paths: Sequence[Path]) -> bool:
    """Whether any of the files lies in a folder itself, not further below."""
    real = os.path.realpath(folder)
    return any(os.path.realpath(path.parent) == real and os.path.exists(path) for path in paths)


def stems(paths: Sequence[Path]) -> list[str]:
    """Return a distinct name per path: the file's stem, with its folder or a number where it recurs."""
    names: list[str] = []
    taken: set[str] = set()
    numbers: dict[str, Iterator[int]] = {}
    for path in paths:
        number = camera_number(path)
        stem = shortened(path.stem if number is None else f"camera{number}")
        numbered = (f"{stem}-{n}" for n in numbers.setdefault(stem, itertools.count(2)))
        candidates = itertools.chain([stem, shortened(f"{path.parent.name}-{stem}")], numbered)
        names.append(next(name for name in candidates if name not in taken))
        taken.add(names[-1])
    return names


def shortened(stem: str) -> str:
    """Return a name of at most `LONGEST` bytes; what is cut off stands as a hash at the end."""
    whole = os.fsencode(stem)
    if len(whole) <= LONGEST:
        return stem
    digest = hashlib.sha256(whole).hexdigest()[:12]
    return f"{whole[: LONGEST - 13].decode(errors='ignore')}-{digest}"


def partial(path: Path) -> Path:
    """Return where the rows of `path` are until all of them are there."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def write_rows(rows: Iterable[Row], path: Path) -> Generator[Row, None, None]:
    """Pass rows on, writing each as a line of JSON as soon as it is there.

    They go into `partial(path)`, which takes the place of `path` at the end. If that is an interruption or
    an error, it does so only where nothing is lost; an older file stays, with the new one beside it.

    Raises:
        UserError: the file cannot be written.
    """
    make_folder(path.parent)
    with _writable(path):
        _keep(path)
        file = partial(path).open("w", encoding="utf-8")
    finished = False
    try:
        for row in rows:
            with _writable(path):
                file.write(json.dumps(row) + "\n")
                file.flush()
            yield row
        finished = True
    finally:
        with _writable(path), file:
            os.fsync(file.fileno())
        with _writable(path):
            partial(path).replace(path) if finished else _keep(path)
            sync_folder(path.parent)


def _keep(path: Path) -> None:
    """Have the rows of a run that was cut short be those of `path`, unless it has older ones."""
    if partial(path).exists() and not path.exists():
        partial(path).replace(path)


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from None


def _within(path: str | Path, folder: Path) -> bool:
    """Whether a path is a folder or lies in it; a file that is a link lies where the link does."""
    parent, name = os.path.split(os.path.abspath(path))
    place = os.path.join(os.path.realpath(parent), name)
    real = os.path.realpath(folder)
    return os.path.realpath(path) == real or place.startswith(os.path.join(real, ""))
