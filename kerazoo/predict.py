"""The verb predict: photographs in, pictures, masks and JSON out; one at a time."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kerazoo.errors import UserError
from kerazoo.files import make_folder, unwritable
from kerazoo.image import read_image, write_image
from kerazoo.run import Run


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

    Yields:
        A JSON-ready row per photograph: "image", then "files" and what the task says of the
        result, or "error".

    Raises:
        UserError: the run cannot predict, or nothing can be written to `output`.
    """
    family, tile = run.recipe.family, tile or run.recipe.tile
    if any(path.resolve().parent == output.resolve() for path in paths):
        raise UserError(f"{output} holds the photographs themselves", "choose another --output")
    make_folder(output)
    for path, stem in zip(paths, _stems(paths), strict=True):
        try:
            image = read_image(path)
        except UserError as error:
            yield {"image": str(path), "error": str(error)}
            continue
        result = family.infer(forward, image, tile=tile, tta=tta)
        overlay = output / f"{stem}_overlay.png"
        files = family.save(result, output / stem)
        write_image(overlay, family.draw(image, result))
        row = {"image": str(path), "height": image.shape[0], "width": image.shape[1]}
        yield row | {"files": [str(file) for file in [*files, overlay]]} | family.describe(result)


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
