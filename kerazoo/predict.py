"""The verb predict: photographs in, pictures, masks and JSON out; one at a time."""

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo import backend
from kerazoo.errors import UserError
from kerazoo.files import make_folder, unwritable
from kerazoo.image import read_image, write_image
from kerazoo.run import Run
from kerazoo.task import Task


def predict(
    run: Run, paths: Sequence[Path], output: Path, *, tile: int | None = None, tta: bool = False
) -> Iterator[dict[str, Any]]:
    """Predict photographs one by one and write, for each, the result's files and an overlay.

    A broken photograph becomes a row with "error" and stops nothing.

    Args:
        run: what predicts.
        paths: image files, as `kerazoo.image.find_images` gives them.
        output: folder for the files; made if needed.
        tile: window for large photographs; None as the recipe says.
        tta: average over flips and turns.

    Returns:
        An iterator: a JSON-ready row per photograph: "image", then "files" and what the task says of the
        result, or "error".

    Raises:
        UserError: the run cannot predict, or nothing can be written to `output`.
    """
    if any(path.resolve().parent == output.resolve() for path in paths):
        raise UserError(f"{output} holds the photographs themselves", "choose another --output")
    forward, family = backend.forward(run.deployed), run.recipe.family
    make_folder(output)
    infer = functools.partial(family.infer, forward, tile=tile or run.recipe.tile, tta=tta)
    return (_row(family, infer, path, output / stem) for path, stem in zip(paths, _stems(paths), strict=True))


def _row(task: Task, infer: Callable[[np.ndarray], Any], path: Path, stem: Path) -> dict[str, Any]:
    try:
        image = read_image(path)
    except UserError as error:
        return {"image": str(path), "error": str(error)}
    result = infer(image)
    overlay = stem.with_name(f"{stem.name}_overlay.png")
    files = [*task.save(result, stem), overlay]
    write_image(overlay, task.draw(image, result))
    row = {"image": str(path), "height": image.shape[0], "width": image.shape[1]}
    return row | {"files": [str(file) for file in files]} | task.describe(result)


def write_rows(rows: Iterable[dict[str, Any]], path: Path) -> Iterator[dict[str, Any]]:
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
        candidates = [
            path.stem,
            f"{path.parent.name}-{path.stem}",
            *(f"{path.stem}-{n}" for n in range(2, 10**6)),
        ]
        stems.append(next(name for name in candidates if name not in taken))
        taken.add(stems[-1])
    return stems
