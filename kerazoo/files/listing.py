"""Finding images in folders, and the files that are skipped."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kerazoo.errors import UserError
from kerazoo.files.reading import is_hidden, list_folder
from kerazoo.files.writing import natural_key
from kerazoo.media.formats import SUFFIXES

_NO_IMAGES = frozenset({
    ".cache", ".cfg", ".csv", ".data", ".db", ".doc", ".docx", ".gz", ".h5", ".hdf5", ".htm", ".html", ".idx",
    ".ini", ".ipynb", ".json", ".jsonl", ".lock", ".log", ".mat", ".md", ".names", ".npy", ".npz", ".onnx",
    ".pdf", ".pkl", ".pt", ".pth", ".py", ".rst", ".safetensors", ".sh", ".tex", ".toml", ".tsv",
    ".txt", ".url", ".xls", ".xlsx", ".xml", ".yaml", ".yml", ".zip",
})  # fmt: skip
"""What lies beside images and is none; without a word."""


def is_image(path: str | Path, also: frozenset[str] = frozenset()) -> bool:
    """Whether a file's suffix is that of a readable image (`media.formats.SUFFIXES`) or in `also`."""
    return os.path.splitext(path)[1].lower() in SUFFIXES | also


class FolderTree(NamedTuple):
    """The content of a folder and its sub-folders.

    Attributes:
        files: all of them, hidden ones left out (`kerazoo.files.reading.is_hidden`).
        parent_links: links to a folder that they lie in, at any depth; not followed.
        repeated_links: links to a folder that is listed already; not followed.
    """

    files: list[Path]
    parent_links: list[Path]
    repeated_links: list[Path]


def walk_folder(folder: Path) -> FolderTree:
    """Return all files of a folder and its sub-folders, and the links that are not followed.

    Links to folders are followed, to each folder once, after all folders that are there themselves.

    Raises:
        UserError: a folder cannot be read.
    """
    tree, seen = FolderTree([], [], []), set[str]()
    folders, links = [(folder, os.path.realpath(folder))], list[tuple[Path, str]]()
    while folders or links:
        linked = not folders
        place, real = links.pop(0) if linked else folders.pop()
        if real in seen:
            tree.repeated_links.extend([place] * linked)
            continue
        seen.add(real)
        for path in list_folder(place):
            if not os.path.isdir(path):
                tree.files.append(path)
            elif not path.is_symlink():
                folders.append((path, os.path.join(real, path.name)))
            elif _leads_to_parent(path):
                tree.parent_links.append(path)
            else:
                links.append((path, os.path.realpath(path)))
    return tree


def _leads_to_parent(link: Path) -> bool:
    """Whether a link points to one of the folders above it."""
    parent = Path(os.path.realpath(link.parent))
    return Path(os.path.realpath(link)) in (parent, *parent.parents)


def list_files(folder: Path) -> list[Path]:
    """Return all files of a folder and its sub-folders, as `walk_folder`."""
    return walk_folder(folder).files


def list_subfolders(folder: Path) -> list[Path]:
    """Return the sub-folders of a folder, in natural order, each once, without links to folders above."""
    inside = [path for path in list_folder(folder) if path.is_dir()]
    by_real_path: dict[str, Path] = {}
    for path in sorted(inside, key=Path.is_symlink):
        if not (path.is_symlink() and _leads_to_parent(path)):
            by_real_path.setdefault(os.path.realpath(path), path)
    return sorted(by_real_path.values(), key=natural_key)


def skipped_link_warnings(where: str | Path, links: Sequence[Path], why: str) -> list[str]:
    """Return a warning about links to folders that are not followed; an empty list if there are none."""
    names = ", ".join(repr(str(link)) for link in links[:5]) + ", ..." * (len(links) > 5)
    return [f"{where}: links to folders are left out, since they {why}: {names}"] if links else []


def list_images(folder: Path, also: frozenset[str] = frozenset()) -> list[Path]:
    """Return all image files of a folder and its sub-folders, as `list_files`, in natural order."""
    return sorted((path for path in list_files(folder) if is_image(path, also)), key=natural_key)


def unread_file_warnings(
    where: str | Path, files: Iterable[Path], read: frozenset[str] = frozenset()
) -> list[str]:
    """Return a warning about files that may be images but have an unknown suffix; else an empty list.

    Args:
        where: they are, for the line.
        files: such as those of `list_files`.
        read: suffixes of what else is read.
    """
    others = [path for path in files if _is_unread(path, read)]
    if not others:
        return []
    counts = Counter(path.suffix.lower() for path in others).most_common()
    summary = ", ".join(f"{count} {suffix}" for suffix, count in counts[:8]) + ", ..." * (len(counts) > 8)
    first = min(others, key=natural_key)
    return [f"files in {where} that are not read: {summary}, such as {first}; convert them to JPEG or PNG"]


def unread_file_warnings_in(paths: Iterable[str | Path], read: frozenset[str]) -> list[str]:
    """Return the `unread_file_warnings` of every folder among some paths."""
    folders = [Path(path) for path in paths if os.path.isdir(path)]
    return [line for folder in folders for line in unread_file_warnings(folder, list_files(folder), read)]


def find_images(paths: Sequence[str | Path], also: frozenset[str] = frozenset()) -> list[Path]:
    """Return the images that files, folders (searched recursively) and globs name.

    Folders and globs are listed in natural order, hidden files left out; a file named
    outright is taken whatever it is called. Nothing is listed twice.

    Args:
        paths: of files and folders, and globs.
        also: suffixes of other files that are wanted, such as videos.

    Raises:
        UserError: one that holds no image, or a folder that cannot be read.
    """
    unique: dict[Path, None] = {}
    for path in paths:
        images = _images_at(str(path), also)
        if not images:
            skipped = unread_file_warnings(path, list_files(Path(path))) if os.path.isdir(path) else []
            raise UserError(f"no images in {path}", *(skipped or ["docs/data.md tells what is read"]))
        unique.update(dict.fromkeys(images))
    return list(unique)


def _images_at(path: str, also: frozenset[str]) -> list[Path]:
    if os.path.isdir(path):
        return list_images(Path(path), also)
    if os.path.exists(path) or not glob.has_magic(path):
        return [Path(path)]  # what is missing is told when it is read, so that it stops no other
    # Path.glob knows no absolute patterns.
    matches = [
        Path(match) for match in sorted(glob.glob(_escaped_glob(path), recursive=True), key=natural_key)
    ]
    named = set(Path(path).parts)
    visible = (
        match for match in matches if not any(is_hidden(Path(part)) for part in {*match.parts} - named)
    )
    nested = (list_images(match, also) if match.is_dir() else [match] for match in visible)
    return [image for images in nested for image in images if is_image(image, also)]


def _escaped_glob(path: str) -> str:
    """Return a glob with special characters escaped in the part of the path that exists."""
    folder = Path(path).parent
    while not folder.is_dir():
        folder = folder.parent
    return str(Path(glob.escape(str(folder)), Path(path).relative_to(folder)))


def _is_unread(path: Path, read: frozenset[str]) -> bool:
    suffix = path.suffix.lower()
    return bool(suffix) and suffix not in SUFFIXES | _NO_IMAGES | read
