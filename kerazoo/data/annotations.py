"""Files of annotations: where they and their photographs are, and the numbers in them."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo.data.source import Split
from kerazoo.data.splits import NAMES
from kerazoo.errors import UserError

_FILES = (
    "{}.json",
    "annotations/{}.json",
    "annot/{}.json",
    "annotations/person_keypoints_{}*.json",
    "{}/_annotations.coco.json",
)
"""Where a data set's folder may have the annotations of a split."""

_LOOKED_AT = 20
"""So many photographs are looked for to find their folder."""


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "check the path") from None
    except (ValueError, RecursionError) as error:
        remedy = "the file is truncated or damaged: copy or export it again"
        raise UserError(f"{path} is no JSON: {error}", remedy) from None


def annotation_files(root: Path) -> dict[Split, Path]:
    """Return the file of each split that a folder has one for; a file itself as train.

    Raises:
        UserError: there is none, or several for a split.
    """
    if not root.exists():
        raise UserError(f"{root} does not exist", "check the path")
    if root.is_file():
        return {"train": root}
    found: dict[Split, Path] = {}
    for split, names in NAMES.items():
        files = {file for name in names for place in _FILES for file in root.glob(place.format(name))}
        if len(files) > 1:
            told = " and ".join(sorted(str(file.relative_to(root)) for file in files))
            raise UserError(f"{root} has {told}, all for {split}", "keep one, or give the file itself")
        found |= dict.fromkeys([split] if files else [], next(iter(files), root))
    if not found:
        raise UserError(
            f"{root} has no annotations", "put train.json and val.json there, or give a .json file"
        )
    return found


def image_folder(file: Path, names: Sequence[str], given: str | None) -> Path:
    """Return the folder in which most of the photographs of a file of annotations are found.

    Args:
        file: of annotations. Its photographs may be beside it, in `images/`, or in a folder that is
            called like the file or, as in COCO, like the end of its name.
        names: of the photographs.
        given: the folder that the user says.
    """
    if given:
        return Path(given).expanduser()
    here, above, end = file.parent, file.parent.parent, file.stem.rpartition("_")[2]
    places = [here, here / "images", here / file.stem, here / "images" / file.stem, above / end]
    places += [above / "images" / end, above / "images"]
    return max(places, key=lambda place: sum((place / name).is_file() for name in names[:_LOOKED_AT]))


def present(folder: Path, names: Sequence[str]) -> list[bool]:
    """Return which files there are in a folder."""
    return [os.path.isfile(os.path.join(folder, name)) for name in names]


def finite_rows(rows: Sequence[Any], width: int) -> np.ndarray:
    """Return lists of numbers as float64 `(N, width)`; NaN in all of a row that holds anything else."""
    try:
        whole = np.array(rows)
    except ValueError:  # rows of different lengths
        whole = np.zeros(0)
    if whole.shape != (len(rows), width) or whole.dtype.kind not in "iuf":
        sound = (row if _numbers(row, width) else [np.nan] * width for row in rows)
        whole = np.array(list(sound), "float64").reshape(-1, width)
    whole = whole.astype("float64")
    whole[~np.isfinite(whole).all(axis=1)] = np.nan
    return whole


def _numbers(row: Any, width: int) -> bool:
    plain = isinstance(row, list) and len(row) == width
    return plain and all(isinstance(value, int | float) and abs(value) < 1e30 for value in row)
