"""The verb `data convert`: boxes of one format are written in another one."""

import dataclasses
import os
import unicodedata
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, get_args

from kerazoo.data.detection.annotated import AnnotatedImage
from kerazoo.data.detection.layout import Format
from kerazoo.data.detection.source import AnnotatedBoxes
from kerazoo.data.detection.writing import IMAGES, NamedTruth, write_boxes
from kerazoo.data.source import Split
from kerazoo.engine.outputs import shortened
from kerazoo.errors import UserError
from kerazoo.files.reading import read_bytes
from kerazoo.files.writing import atomic_folder, sync_folder
from kerazoo.image import read_image
from kerazoo.recipe import parsed
from kerazoo.settings import build

_NOT_READ: dict[Format, str] = {
    "coco": "segmentations, key points and whatever else COCO's annotations have",
    "voc": "pose, truncated, occluded and parts of objects",
    "yolo": "corners of segments, of which the boxes are kept",
}
"""What no reader keeps."""


@dataclass(frozen=True)
class Conversion:
    """What was converted.

    Attributes:
        output: the folder.
        read_as, written_as: the formats.
        images: of each split, by their files.
        boxes: that were written.
        lost: what the new format cannot hold, or is not read of the old one; a line each.
        warnings: a line each about boxes that were clipped or left out.
    """

    output: str
    read_as: Format
    written_as: Format
    images: dict[Split, int]
    boxes: int
    lost: tuple[str, ...]
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return dataclasses.asdict(self)

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        images = ", ".join(f"{count} {split}" for split, count in self.images.items())
        return [
            f"images   {images}",
            f"boxes    {self.boxes}",
            *(f"lost     {line}" for line in self.lost),
            f"written  {self.output} ({self.read_as} to {self.written_as})",
        ]


def convert_data(path: str, output: Path, to: Format, assignments: Sequence[str] = ()) -> Conversion:
    """Write boxes and their images in another format, into a new folder.

    Splits that the files tell apart stay; all is train where they tell none. Images are copied as they are,
    after all of them were decoded.

    Args:
        path: of the data, as `kerazoo.data.detection.source.AnnotatedBoxes` takes it.
        output: the folder to make.
        to: "coco", "voc" or "yolo".
        assignments: `data.KEY=VALUE` texts, settings of that source.

    Raises:
        UserError: the folder exists, or something is wrong with the data; nothing is written.
    """
    if os.path.lexists(output):
        raise UserError(f"{output} exists already", "choose another folder or remove it")
    source = _source(path, assignments)
    _, problems = source.survey()
    if problems:
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        raise UserError(f"{problems[0].message}{more}", problems[0].remedy)
    images = {split: part for split in get_args(Split) if (part := source.reading.splits.get(split))}
    file_names = _file_names([image for part in images.values() for image in part])
    sizes = _sizes(list(file_names), source)
    splits = {
        split: [
            NamedTruth(file_names[image.path], source.truth(split, image, sizes[image.path]))
            for image in part
        ]
        for split, part in images.items()
    }
    files = {split: list(dict.fromkeys(image.path for image in part)) for split, part in images.items()}
    with atomic_folder(output) as folder:
        boxes, lost = write_boxes(folder, to, splits, source.class_names())
        for split, paths in files.items():
            place = folder / IMAGES[to].format(split=split)
            place.mkdir(parents=True, exist_ok=True)
            for image in paths:
                (place / file_names[image]).write_bytes(read_bytes(image))
        _flush(folder)
    read_as: Format = source.facts()["format"]  # type: ignore[assignment]
    counts = {split: len(paths) for split, paths in files.items()}
    return Conversion(
        str(output), read_as, to, counts, boxes, (*lost, _NOT_READ[read_as]), tuple(source.warnings())
    )


def _source(path: str, assignments: Sequence[str]) -> AnnotatedBoxes:
    """Return the data; none of it is held back for validation."""
    changes = parsed(assignments)
    if others := [key for key in changes if not key.startswith("data.")]:
        raise UserError(
            f"unknown setting {others[0]!r}", "only settings of the data, data.KEY=VALUE, are taken"
        )
    given = {key.removeprefix("data."): value for key, value in changes.items()}
    return build(AnnotatedBoxes, {"validation": 0.0, "path": os.path.abspath(path)} | given, "data")


def _sizes(paths: Sequence[Path], source: AnnotatedBoxes) -> dict[Path, tuple[int, int]]:
    """Return the height and width of images; they are decoded, for a header tells nothing of a broken end."""

    def size(path: Path) -> tuple[int, int]:
        height, width, _ = read_image(path, how=source).shape
        return height, width

    with ThreadPoolExecutor() as pool:
        return dict(zip(paths, pool.map(size, paths), strict=True))


def _flush(folder: Path) -> None:
    """Flush all files and folders in a folder to the disk, at its end: one by one takes much longer."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)


def _file_names(images: Sequence[AnnotatedImage]) -> dict[Path, str]:
    """Return a name for each image, unlike those of others with and without its suffix.

    Where images of several folders have one name, the folders are put in front of it.
    """
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for image in images:
        if image.path not in names:
            free = (name for name in _candidates(image.name) if taken.isdisjoint(_keys(name)))
            names[image.path] = next(free)
            taken |= _keys(names[image.path])
    return names


def _keys(name: str) -> set[str]:
    """Return what some reader or file system may know an image by."""
    return {unicodedata.normalize("NFC", each).casefold() for each in (name, PurePath(name).stem)}


def _candidates(name: str) -> Iterable[str]:
    """Yield names for a file, from its own to ever longer ones that no file system refuses."""
    parts = PurePath(name).parts
    folders = [part for part in parts if part not in ("/", "..")]
    stem, suffix = shortened(PurePath(name).stem), PurePath(name).suffix
    yield parts[-1]
    longer = ("_".join(folders[first:]) for first in range(len(folders) - 2, -1, -1))
    yield from (each for each in longer if shortened(each) == each)
    yield f"{stem}_{suffix.removeprefix('.')}{suffix}"
    number = 2
    while True:
        yield f"{stem}_{number}{suffix}"
        number += 1
