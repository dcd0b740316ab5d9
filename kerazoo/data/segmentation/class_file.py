"""Finding the classes.json of a folder of masks."""

from collections.abc import Sequence
from pathlib import Path

from kerazoo.data.segmentation.masks import MaskClasses, read_class_file
from kerazoo.data.segmentation.pairing import Pair
from kerazoo.errors import UserError

NAME = "classes.json"


def class_files(root: Path, pairs: Sequence[Pair]) -> list[Path]:
    """Return all files named classes.json, in any case, between the root and the images or masks.

    Args:
        root: folder of the data.
        pairs: of all splits.
    """
    folders = {root}.union(*(above for _, above in _folders_above(root, pairs)))
    files = (file for folder in folders for file in folder.iterdir() if file.name.casefold() == NAME)
    return sorted(files, key=lambda file: (len(file.parts), file))


def read_class_files(root: Path, files: Sequence[Path], pairs: Sequence[Pair]) -> MaskClasses | None:
    """Return the classes of classes.json, or None if there is none.

    It may lie in the root, or above the images or the masks of every pair; several must say the same.

    Args:
        root, pairs: as for `class_files`.
        files: its answer.

    Raises:
        UserError: some masks have none, files contradict one another, or as `read_class_file`.
    """
    if not files:
        return None
    first, *others = [read_class_file(file) for file in files]
    remedy = f"keep one for all, {root / NAME}"
    for file, other in zip(files[1:], others, strict=True):
        if other != first:
            raise UserError(f"{files[0]} and {file} say different things", remedy)
    folders = {file.parent for file in files}
    for mask, above in _folders_above(root, pairs):
        if folders.isdisjoint(above):
            message = f"{files[0]} does not lie above {mask}, whose values it must tell too"
            raise UserError(message, f"move it to {root / NAME}")
    return first


def _folders_above(root: Path, pairs: Sequence[Pair]) -> list[tuple[Path, set[Path]]]:
    """Return (mask, folders between the root and the mask or its image), one for each folder."""
    first = {(pair.image.parent, pair.mask.parent): pair for pair in reversed(pairs)}
    return [
        (pair.mask, {folder for file in pair for folder in file.parents if folder.is_relative_to(root)})
        for pair in first.values()
    ]
