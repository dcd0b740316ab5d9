"""Locating the images of an annotation file."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

from kerazoo.data.annotations import Remarks, split_of_file
from kerazoo.data.splits import split_in_name
from kerazoo.errors import UserError

_LOOKED_AT = 20
"""So many images are looked for to find their folder."""

_DEEPEST = 20
"""So many folders of a name are looked at."""


def locate_images(
    file: Path, names: Sequence[str], chosen: str | None, remarks: Remarks
) -> tuple[Path, list[str | None]]:
    """Return the folder of the images that an annotation file names, and each image's path in it.

    They may be beside the file, in `images/`, or in a folder that is called like the file, like the end of
    its name, as in COCO, or like its split. What is not found by its whole name, such as a path of another
    machine, with Windows' separators, or a URL, is found by the longest end of it that a file has, with a
    warning.

    Args:
        file: of annotations.
        names: of the images.
        chosen: the folder that the user says, or None.
        remarks: gets what is missing and what is found by the end of its name.

    Returns:
        The folder, and for every name a path in it, or None where there is no such image.
    """
    places = [Path(chosen).expanduser()] if chosen else _candidate_folders(file)
    if chosen and not os.path.isdir(places[0]):
        raise UserError(f"data.images={chosen} is no folder", "check the path")
    looked_at = names[:: max(len(names) // _LOOKED_AT, 1)][:_LOOKED_AT]
    folder = max(places, key=lambda place: sum(_match_quality(place, name) for name in looked_at))
    paths = [name if _has_file(folder, name) else _find_by_end(folder, name) for name in names]
    if names and not any(paths):
        message = f"{file}: none of its {len(names)} image(s), such as {names[0]!r}, is in {folder}"
        remedy = "check data.images" if chosen else "say with --set data.images=FOLDER where they are"
        remarks.problems.append(UserError(message, remedy))
    else:
        remarks.problems += [
            UserError(f"{file}: there is no {folder / name}", "add the image, or take it out of the file")
            for name, path in zip(names, paths, strict=True)
            if path is None
        ]
    _report_partial_matches(file, names, paths, remarks)
    return folder, paths


def _report_partial_matches(
    file: Path, names: Sequence[str], paths: list[str | None], remarks: Remarks
) -> None:
    """Report images that are found by a part of their names; a path found twice is a problem."""
    by_end = [(name, path) for name, path in zip(names, paths, strict=True) if path and path != name]
    shared = {path for path, count in Counter(paths).items() if path and count > 1}
    for name, path in by_end:
        if path in shared:
            message = f"{file}: {path} is found for {name!r} and for another image"
            remarks.problems.append(UserError(message, "keep the folders that the file names"))
    shorter = [
        (name, path) for name, path in by_end if path.count("/") < next(_path_ends(name), "").count("/")
    ]
    if shorter:
        example = "{!r} is taken to be {}".format(*shorter[0])
        remarks.warnings.append(
            f"{file}: {len(shorter)} image(s) are found by the ends of their names: {example}"
        )


def _candidate_folders(file: Path) -> list[Path]:
    """Return the folders that may contain an annotation file's images."""
    here, above, end = file.parent, file.parent.parent, file.stem.rpartition("_")[2]
    places = [here, here / "images", here / file.stem, here / "images" / file.stem, above / end]
    places += [above / "images" / end, above / "images"]
    split = split_of_file(file)
    around = dict.fromkeys((here, here / "images", above, above / "images"))
    inside = [folder for place in around for folder in place.glob("*")]
    return places + [
        candidate
        for candidate in inside
        if split and split_in_name(candidate.name) == split and candidate.is_dir()
    ]


def _match_quality(folder: Path, name: str) -> int:
    return 2 if _has_file(folder, name) else _find_by_end(folder, name) is not None


def _has_file(folder: Path, name: str) -> bool:
    return os.path.isfile(os.path.join(folder, name))


def _find_by_end(folder: Path, name: str) -> str | None:
    """Return the longest end of a name that exists in a folder, in either form of Unicode accents."""
    forms = (
        form
        for end in _path_ends(name)
        for form in (end, unquote(end), normalize("NFC", end), normalize("NFD", end))
    )
    return next((form for form in forms if _has_file(folder, form)), None)


def _path_ends(name: str) -> Iterator[str]:
    """Return a path or URL without its root or host, then without its first folder, and so on."""
    address = re.match(r"[a-z0-9+.-]+://[^/]*([^?#]*)", name, re.IGNORECASE)
    path = address[1] if address else re.sub("^[A-Za-z]:", "", name)
    parts = [part for part in re.split(r"[\\/]+", path) if part not in ("", ".", "..")][-_DEEPEST:]
    return ("/".join(parts[first:]) for first in range(len(parts)))
