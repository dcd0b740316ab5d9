"""What a detector finds of the objects of images in one large picture made of them, and in which memory.

    python benchmarks/tiled_detection.py RUN DIR [--side 3000] [--tile 640] [--backend torch]

The test images of DIR, from the first on, are laid side by side into a picture of SIDE x SIDE pixels; those
that reach beyond it are left out. An object counts as found where the picture's prediction has one of its
class with an IoU of 0.5 at least, which is then taken. Both are what `kerazoo predict` shows.
"""

import argparse
import os
import resource
import tempfile
from pathlib import Path

import numpy as np


def laid_out(images: list[np.ndarray], side: int) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Return the picture, and number, left and top of each image in it."""
    height, width = np.max([image.shape[:2] for image in images], axis=0)
    picture, places = np.full((side, side, 3), 127, "uint8"), []
    for number, image in enumerate(images):
        row, column = divmod(number, side // width)
        top, left = row * height, column * width
        if top + height > side:
            break
        picture[top : top + image.shape[0], left : left + image.shape[1]] = image
        places.append((number, left, top))
    return picture, places


def main() -> None:
    """Print how many objects there are, the share found, and peak memory before and after the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data")
    parser.add_argument("--side", type=int, default=3000)
    parser.add_argument("--tile", type=int, default=640)
    parser.add_argument("--backend", default="torch")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend

    from kerazoo.data.detection.source import AnnotatedBoxes
    from kerazoo.engine.predict import predict
    from kerazoo.image import write_image
    from kerazoo.run import open_run
    from kerazoo.structures.boxes import from_xywh
    from kerazoo.tasks.detection.overlaps import iou

    run = open_run(options.run)
    samples = run.family.configure(AnnotatedBoxes(path=options.data)).samples("test")
    images = [samples[n].image for n in range(len(samples))]
    picture, places = laid_out(images, options.side)
    folder = Path(tempfile.mkdtemp())

    def objects(name: str, image: np.ndarray, tile: int | None) -> tuple[np.ndarray, list[str]]:
        path = folder / f"{name}.png"
        write_image(path, image)
        (row,) = predict(run, [path], folder / "out", tile=tile)
        found = row["objects"]
        return from_xywh(np.array([each["box"] for each in found]).reshape(-1, 4)), [
            o["class"] for o in found
        ]

    single = [objects(str(n), images[n], None) for n, _, _ in places]
    boxes = np.concatenate(
        [b + np.array((x, y, x, y)) for (b, _), (_, x, y) in zip(single, places, strict=True)]
    )
    names = np.array([name for _, named in single for name in named])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found, found_names = objects("picture", picture, options.tile)
    overlaps = iou(boxes[:, None], found[None]) * (names[:, None] == np.array(found_names)[None])
    hits = 0
    for row in np.argsort(-overlaps.max(axis=1)):
        best = overlaps[row].argmax()
        hits += overlaps[row, best] >= 0.5
        overlaps[:, best] = 0
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(places)} images, {len(boxes)} objects; the picture has {len(found)}, "
        f"{hits / len(boxes):.3f} of them"
    )
    print(f"peak memory {before:.2f} GiB before the picture, {after:.2f} after; {folder / 'out'}")


if __name__ == "__main__":
    main()
