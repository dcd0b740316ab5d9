"""Files and folders of results: what kerazoo wrote is replaced, and nothing else."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from kerazoo.errors import UserError
from kerazoo.files.reading import read_json
from kerazoo.files.writing import atomic_text, move_into_place, sha256, temporary_path

LISTING = ".kerazoo_results.json"
"""The SHA-256 of all that was written into a folder this way, by its path in it."""


def check_owned(path: Path) -> None:
    """Raise where something at `path` is not as `replaced` left it.

    Raises:
        UserError: a file was not written by kerazoo, or was changed since.
    """
    listed = _listed(path.parent)
    for file in _files(path):
        if listed.get(_key(file, path)) != _digest(file):
            message = f"{file} was not written by kerazoo, or was changed since"
            raise UserError(message, "choose another folder, or move it away")


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a file or folder; at the end it replaces an earlier one as a whole.

    Raises:
        UserError: as `check_owned`, or it cannot be written; what was there stays.
    """
    with temporary_path(path) as temporary:
        yield temporary
        check_owned(path)
        digests = {
            _key(path / file.relative_to(temporary), path): _digest(file) for file in _files(temporary)
        }
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        move_into_place(temporary, path)
    known = _listed(path.parent)
    others = {key: value for key, value in known.items() if key.partition("/")[0] != path.name}
    atomic_text(path.parent / LISTING, json.dumps(others | digests))


def _listed(folder: Path) -> dict[str, str]:
    """Return the listing of a folder; one that is not there or is broken vouches for nothing."""
    try:
        content = read_json(folder / LISTING)
    except UserError:
        return {}
    return content if isinstance(content, dict) else {}


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or all that is in a folder and is no folder; a link is no folder."""
    if path.is_dir() and not path.is_symlink():
        for child in sorted(path.iterdir()):
            yield from _files(child)
    elif os.path.lexists(path):
        yield path


def _key(file: Path, path: Path) -> str:
    return file.relative_to(path.parent).as_posix()


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file, nothing for what is none or cannot be read."""
    try:
        return "" if file.is_symlink() or not file.is_file() else sha256(file)
    except OSError:
        return ""
