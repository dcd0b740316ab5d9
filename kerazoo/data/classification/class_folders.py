"""A folder of images per class."""

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from kerazoo.data.classification.class_lists import class_name
from kerazoo.data.lazy import Lazy
from kerazoo.data.source import FileSource, Split, existing_path
from kerazoo.data.splits import divide, folders_by_split, split_in_name, split_of, splits_by_name
from kerazoo.errors import UserError, error_context
from kerazoo.files.listing import is_image, list_subfolders, skipped_link_warnings, walk_folder
from kerazoo.files.reading import list_folder
from kerazoo.files.writing import natural_key
from kerazoo.image import read_image
from kerazoo.settings import settings
from kerazoo.structures.label import Label
from kerazoo.structures.sample import Sample


class _ClassFolder(NamedTuple):
    """The folder of a class, and its images."""

    folder: Path
    files: list[Path]


_ByClass = dict[str, _ClassFolder]
_Images = dict[Path, list[Path]]


class _Listing(NamedTuple):
    names: tuple[str, ...]
    splits: dict[Split, list[tuple[Path, int]]]
    problems: list[UserError]
    warnings: list[str]


@settings
class ClassFolders(FileSource):
    """Images in `DIR/CLASS/`, `DIR/train/CLASS/` or `DIR/CLASS/train/`, and so for `val` and `test`.

    `kerazoo.data.splits.splits_by_name` says what the folders of splits may be called. A split that is not
    there is taken from the training images of every class, by `validation` and `test`. A folder
    `train/` that holds images itself is a class, and warned about.

    Attributes:
        classes: names of the class folders in label order; by default all, in natural order.
    """

    classes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes is not None and len(set(self.classes)) != len(self.classes):
            raise ValueError("classes names one twice")

    def class_names(self) -> tuple[str, ...]:
        return self._listing.names

    def warnings(self) -> list[str]:
        return [*super().warnings(), *self._listing.warnings]

    def image_files(self) -> Sequence[Path]:
        return [path for files in self._listing.splits.values() for path, _ in files]

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        listing = self._listing
        return {split: Lazy(files, self._read) for split, files in listing.splits.items()}, listing.problems

    def _read(self, file: tuple[Path, int]) -> Sample:
        path, label = file
        return Sample(read_image(path, how=self), Label(label), path.relative_to(self.root).as_posix())

    @functools.cached_property
    def _listing(self) -> _Listing:
        if not os.path.isdir(existing_path(self.root)):
            raise UserError(f"data {self.root} is no folder", _layout_remedy(self.root))
        tree = walk_folder(self.root)
        images = _images_by_folder(tree.files, self.root)
        folders = folders_by_split(path for path in list_subfolders(self.root) if list_subfolders(path))
        inner = {split: _innermost_split_folder(split, folder) for split, folder in folders.items()}
        by_split = _group_by_class(
            _classes_in_splits(inner) if folders else _splits_in_classes(self.root), images
        )
        names = tuple(map(class_name, self.classes or ())) or _class_names(by_split, self.root)
        problems = [*_loose_image_errors(inner.values() or [self.root]), *_class_errors(by_split, names)]
        links = skipped_link_warnings(self.path, tree.repeated_links, "lead to folders that are read already")
        warnings = [
            *links,
            *_class_warnings(by_split),
            *(_unread_warnings(self.root, folders, images) if folders else ()),
        ]
        shares = (0.0 if "val" in by_split else self.validation), (0.0 if "test" in by_split else self.test)
        parts, errors = _divide_classes(by_split.pop("train", {}), shares, self.seed)
        parts |= {
            split: {name: entry.files for name, entry in classes.items()}
            for split, classes in by_split.items()
        }
        files = {split: _interleave(entry, names) for split, entry in parts.items()}
        return _Listing(names, files, problems + errors, warnings)


def _images_by_folder(files: Iterable[Path], root: Path) -> _Images:
    """Return the images in and below every folder under a root, in natural order."""
    images: _Images = {}
    for path in sorted(filter(is_image, files), key=natural_key):
        for above in path.parents:
            if above == root:
                break
            images.setdefault(above, []).append(path)
    return images


def _innermost_split_folder(split: Split, folder: Path) -> Path:
    """Return the folder of a split; of `test/test/CLASS` the inner one."""
    inner = list_subfolders(folder)
    if (
        len(inner) == 1
        and split_in_name(inner[0].name) == split
        and list_subfolders(inner[0])
        and not _images_in(folder)
    ):
        return inner[0]
    return folder


def _classes_in_splits(folders: dict[Split, Path]) -> Iterator[tuple[Split, str, Path]]:
    """Yield split, class and folder of `train/CLASS/` and so on."""
    for split, folder in folders.items():
        for path in list_subfolders(folder):
            yield split, path.name, path


def _splits_in_classes(root: Path) -> Iterator[tuple[Split, str, Path]]:
    """Yield split, class and folder of `CLASS/train/` and so on, or of `CLASS/` itself as train."""
    for path in list_subfolders(root):
        inner = list_subfolders(path)
        splits = splits_by_name(folder.name for folder in inner)
        whole: dict[Split, Path] = {"train": path}
        divided = inner and len(splits) == len(inner) and not _images_in(path)
        for split, folder in (folders_by_split(inner) if divided else whole).items():
            yield split, path.name, folder


def _group_by_class(places: Iterable[tuple[Split, str, Path]], images: _Images) -> dict[Split, _ByClass]:
    by_split: dict[Split, _ByClass] = {}
    for split, folder, path in places:
        name, classes = class_name(folder), by_split.setdefault(split, {})
        if name in classes:
            raise UserError(f"{path} and {classes[name].folder} are the same class {name!r}", "rename one")
        classes[name] = _ClassFolder(path, images.get(path, []))
    return by_split


def _class_names(by_split: dict[Split, _ByClass], root: Path) -> tuple[str, ...]:
    """Return the names of the classes to be trained on, in natural order."""
    known = by_split.get("train") or {
        name: entry for classes in by_split.values() for name, entry in classes.items()
    }
    if len(known) < 2:
        deeper = [inner for folder, _ in known.values() if (inner := _nested_data_folder(folder))]
        message = f"{root} holds {len(known)} class(es){''.join(f', {name!r}' for name in known)}"
        raise UserError(message, f"give {str(deeper[0])!r}" if deeper else _layout_remedy(root))
    names = tuple(sorted(known, key=natural_key))
    if len(splits_by_name(names)) == len(names):
        raise UserError(f"{root} holds no classes, only {' and '.join(names)}", _layout_remedy(root))
    if shared_names := _shared_folder_names(folder for folder, _ in known.values()):
        shared = f"hold the same folders, such as {shared_names[0]!r}"
        several = f"{' and '.join(map(repr, names[:5]))} in {root} {shared}"
        raise UserError(f"{several}: these look like splits or folds of the data", _FOLDS)
    return names


def _nested_data_folder(folder: Path) -> Path | None:
    """Return the folder with several sub-folders and no images: this one or the only one below it."""
    inner = [] if _images_in(folder) else list_subfolders(folder)
    return _nested_data_folder(inner[0]) if len(inner) == 1 else folder if inner else None


def _shared_folder_names(classes: Iterable[Path]) -> list[str]:
    """Return the names of sub-folders (two or more) that all classes share, if there are no other images."""
    shared: set[str] | None = None
    for folder in classes:
        inner = set() if _images_in(folder) else {path.name for path in list_subfolders(folder)}
        shared = inner if shared is None else shared & inner
    return sorted(shared, key=natural_key) if shared and len(shared) > 1 else []


def _loose_image_errors(folders: Iterable[Path]) -> Iterator[UserError]:
    for folder in folders:
        for path in _images_in(folder):
            yield UserError(f"{path} lies in no class folder", f"move it into one of {folder}/*")


def _class_errors(by_split: dict[Split, _ByClass], names: Sequence[str]) -> Iterator[UserError]:
    """Yield an error for each class without images and for each unknown class."""
    for name, (folder, files) in (item for classes in by_split.values() for item in classes.items()):
        if not files:
            yield UserError(f"{folder} holds no images", "add some or remove it")
        if name not in names:
            message = f"{str(folder)!r} is none of the classes {', '.join(map(repr, names))}"
            near = [known for known in names if known.casefold().strip() == name.casefold().strip()]
            inner = _nested_data_folder(folder)
            remedy = "remove it or name it in data.classes" if inner is None else f"give {str(inner)!r}"
            yield UserError(message, f"rename it to {near[0]!r}" if near else remedy)


def _class_warnings(by_split: dict[Split, _ByClass]) -> Iterator[str]:
    """Yield a warning for each class folder that may be a split or may contain splits."""
    for name, (folder, _) in (item for classes in by_split.values() for item in classes.items()):
        inner = [path.name for path in list_subfolders(folder) if split_of(path.name)]
        if split_of(name):
            yield f"{folder} is called like a split, but it holds images itself; it is taken for a class"
        if inner:
            yield f"{folder} holds {' and '.join(inner)} and more; all images below it are of one split"


def _unread_warnings(root: Path, folders: dict[Split, Path], images: _Images) -> Iterator[str]:
    """Yield a warning about images beside the folders of splits."""
    others = [path for path in list_subfolders(root) if path not in folders.values() and path in images]
    names = [path.name for path in [*others, *_images_in(root)]]
    if names:
        unread = ", ".join(names[:5]) + f" and {len(names) - 5} more" * (len(names) > 5)
        splits = " and ".join(path.name for path in folders.values())
        yield f"{root}: only what lies in {splits} is read, and not {unread}"


def _divide_classes(
    classes: _ByClass, shares: tuple[float, float], seed: int
) -> tuple[dict[Split, dict[str, list[Path]]], list[UserError]]:
    """Return train, val and test parts of every class, and errors for classes that are too small."""
    parts: dict[Split, dict[str, list[Path]]] = {"train": {}, "val": {}, "test": {}}
    problems = []
    for name, (_, files) in classes.items():
        divided: dict[Split, list[Path]] = {"train": files}
        try:
            with error_context(f"class {name!r}"):
                divided = divide(files, *shares, "random", seed, remedy=_TOO_FEW)
        except UserError as error:
            problems.append(error)
        for split, part in divided.items():
            parts[split][name] = part
    return parts, problems


_TOO_FEW = "add some, remove the class, or keep images of each class in folders train/ and val/ of your own"


def _interleave(files: dict[str, list[Path]], names: Sequence[str]) -> list[tuple[Path, int]]:
    """Return the first image of every class, then the second and so on: a few images show all classes."""
    columns = [[(path, label) for path in files.get(name, [])] for label, name in enumerate(names)]
    return [file for row in zip_longest(*columns) for file in row if file is not None]


def _images_in(folder: Path) -> list[Path]:
    """Return the images in the folder itself."""
    return [path for path in list_folder(folder) if is_image(path) and path.is_file()]


_FOLDS = "call them train, val and test, or give one of them; if they are classes, name them in data.classes"


def _layout_remedy(folder: Path) -> str:
    example = f"such as {folder / 'cat'} and {folder / 'dog'}"
    return f"put the images of each class into a folder of its own, {example}"
