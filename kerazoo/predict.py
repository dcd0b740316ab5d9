"""The verb predict: photographs and films in, pictures, masks and JSON out; one at a time."""

import contextlib
import itertools
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo import backend
from kerazoo.boxes import read_boxes
from kerazoo.errors import UserError
from kerazoo.files import make_folder, unwritable
from kerazoo.image import read_image, write_image
from kerazoo.progress import FilmProgress
from kerazoo.run import Run
from kerazoo.task import Task
from kerazoo.video import camera, is_film, open_film
from kerazoo.video_writer import FilmWriter

Row = dict[str, Any]
Look = Callable[[np.ndarray, Path, int | None], Any]
"""From a picture, its file and in a film the number of the frame, to the result."""


def predict(
    run: Run,
    paths: Sequence[Path],
    output: Path,
    *,
    tile: int | None = None,
    tta: bool = False,
    boxes: Path | None = None,
    index: Path | None = None,
    top: int = 5,
) -> Generator[Row, None, None]:
    """Predict photographs and films one by one and write, for each, the result's files and an overlay.

    A broken photograph or film becomes a row with "error" and stops nothing; what a film held until
    there is kept. So it is when the iterator is closed or interrupted. A camera ends in no other way.

    Args:
        run: what predicts.
        paths: image files, as `kerazoo.image.find_images` gives them, films (`kerazoo.video.SUFFIXES`), or
            cameras: camera:0.
        output: folder for the files; made if needed. A film gets an overlay only, as a film.
        tile: window for large photographs; None as the recipe says.
        tta: average over flips and turns.
        boxes: file of boxes to look for one person each in (`kerazoo.boxes`), for families that do.
        index: file of `kerazoo.index`, in which the pictures nearest to each photograph are looked for.
        top: how many of these.

    Returns:
        An iterator: a JSON-ready row per photograph or frame: "image", in a film "frame" (from 0)
        and "seconds"; "height", "width" and "files", then what the task says of the result; or "error".
        A Siamese network without an index takes two photographs and gives one row: "image", "other", "files".

    Raises:
        UserError: the run cannot predict, boxes are unusable, or nothing can be written to `output`.
    """
    if any(path.exists() and path.resolve().parent == output.resolve() for path in paths):
        raise UserError(f"{output} holds the photographs themselves", "choose another --output")
    if index is not None:
        look = _finding(run, index, top, tile or tta or boxes)
    elif (error := run.family.unready()) is not None:
        raise error
    else:
        look = _looking(run, paths, tile, tta, boxes)
        if (count := run.family.together()) > 1:
            return _of_several(run.family, look, _photographs(paths, count), output)
    make_folder(output)
    return _rows(run.family, look, paths, output)


def _finding(run: Run, index: Path, top: int, others: Any) -> Look:
    from kerazoo.index import searching

    if others:
        raise UserError("a search knows no tiles, boxes and test-time averaging", "leave them or --index out")
    search = searching(run, index, top)
    return lambda image, *_: search(image)


def _photographs(paths: Sequence[Path], count: int) -> Sequence[Path]:
    if len(paths) != count or any(map(is_film, paths)):
        raise UserError(
            f"this network compares {count} photographs, and there are {len(paths)} files",
            f"give {count}, or search with --index FILE (made by: kerazoo index RUN FOLDER)",
        )
    return paths


def _looking(run: Run, paths: Sequence[Path], tile: int | None, tta: bool, boxes: Path | None) -> Look:
    family = run.family
    if boxes is None:
        forward = backend.forward(run.deployed)
        return lambda image, *_: family.infer(forward, image, tile=tile or run.recipe.tile, tta=tta)
    if tile:
        raise UserError("boxes know no tiles", "leave --tile or --boxes out")
    found = read_boxes(boxes)
    if not any(map(found.know, paths)):
        raise UserError(f"{boxes} has boxes for none of these photographs", "are they called by other names?")
    forward = backend.forward(run.deployed)
    return lambda image, *place: family.infer_boxes(forward, image, *found.of(*place), tta=tta)


def _rows(family: Task, look: Look, paths: Sequence[Path], output: Path) -> Generator[Row, None, None]:
    for path, name in zip(paths, _stems(paths), strict=True):
        if is_film(path):
            yield from _of_film(family, look, path, output / f"{name}_overlay.mp4")
        else:
            yield _of_photograph(family, look, path, output / name)


def _of_photograph(family: Task, look: Look, path: Path, stem: Path) -> Row:
    try:
        image = read_image(path)
    except UserError as error:
        return {"image": str(path), "error": str(error)}
    result = look(image, path, None)
    overlay = stem.with_name(f"{stem.name}_overlay.png")
    files = [*family.save(result, stem), overlay]
    write_image(overlay, family.draw(image, result))
    return {"image": str(path)} | _told(family, image, result, files)


def _of_several(family: Task, look: Look, paths: Sequence[Path], output: Path) -> Generator[Row, None, None]:
    """Yield the one row of photographs that a result is about together."""
    row = {"image": str(paths[0]), "other": str(paths[1])}
    try:
        images = [read_image(path) for path in paths]
    except UserError as error:
        yield row | {"error": str(error)}
        return
    result = look(family.stacked(images), paths[0], None)
    overlay = output / f"{'_'.join(_stems(paths))}_overlay.png"
    write_image(overlay, family.draw_together(images, [path.name for path in paths], result))
    yield row | {"files": [str(overlay)]} | family.describe(result)


def _of_film(family: Task, look: Look, path: Path, overlay: Path) -> Generator[Row, None, None]:
    try:
        film = open_film(path)
    except UserError as error:
        yield {"image": str(path), "error": str(error)}
        return
    frames = FilmProgress().through(film.frames(), film.count, str(path))
    with FilmWriter(overlay, film.rate) as written, contextlib.closing(frames):
        for image, number, seconds in frames:
            row = {"image": str(path), "frame": number, "seconds": round(seconds, 3)}
            if image is None:
                yield row | {"error": f"frame {number} of {path} is damaged or missing"}
                continue
            result = look(image, path, number)
            written.add(family.draw(image, result), seconds)
            yield row | _told(family, image, result, [overlay])
    if (problem := film.problem()) is not None:
        yield {"image": str(path), "frame": film.seen, "error": problem}


def _told(family: Task, image: np.ndarray, result: Any, files: Sequence[Path]) -> Row:
    size = {"height": image.shape[0], "width": image.shape[1]}
    return size | {"files": [str(file) for file in files]} | family.describe(result)


def write_rows(rows: Iterable[Row], path: Path) -> Iterator[Row]:
    """Pass rows on, writing each as a line of JSON as soon as it is there.

    Raises:
        UserError: the file cannot be written.
    """
    make_folder(path.parent)
    try:
        with open(path, "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row) + "\n")
                file.flush()
                yield row
    except OSError as error:
        raise unwritable(path, error) from None


def _stems(paths: Sequence[Path]) -> list[str]:
    """Return a distinct name per path: the file's stem, with its folder or a number where it recurs."""
    stems: list[str] = []
    taken: set[str] = set()
    for path in paths:
        number = camera(path)
        stem = path.stem if number is None else f"camera{number}"
        numbered = (f"{stem}-{n}" for n in itertools.count(2))
        candidates = itertools.chain([stem, f"{path.parent.name}-{stem}"], numbered)
        stems.append(next(name for name in candidates if name not in taken))
        taken.add(stems[-1])
    return stems
