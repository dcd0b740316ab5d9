"""The readers that are fuzzed: how to make a sound file or folder, and how to read it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Reader(NamedTuple):
    """`make` writes sound files into a folder; `read` reads all there is in a copy of it."""

    make: Callable[[Path], object]
    read: Callable[[Path], object]


def _json(folder: Path) -> None:
    (folder / "a.json").write_text('{"images": [{"id": 1, "file_name": "a.png", "size": [4.5, 3]}]}')


def _read_json(folder: Path) -> object:
    from kerazoo.reading import read_json

    return read_json(folder / "a.json", dict[str, list[dict[str, int | str | list[float]]]])


def _csv(folder: Path) -> None:
    (folder / "a.csv").write_text('first,second,alike\n"a, b.png",c.png,1\nd.png,e.png,0\n')


def _read_csv(folder: Path) -> object:
    from kerazoo.reading import read_rows

    return read_rows(folder / "a.csv")


def _npz(folder: Path) -> None:
    np.savez_compressed(
        folder / "a.npz", x=np.arange(60, dtype="uint8").reshape(3, 4, 5), names=np.array(["a", "b"])
    )


def _read_npz(folder: Path) -> object:
    from kerazoo.reading import read_npz

    return read_npz(folder / "a.npz", {"x": "u", "names": "U"}, 1 << 20)


def _boxes(folder: Path) -> None:
    box = '"bbox": [4, 5.5, 20, 30], "score": 0.9'
    (folder / "a.json").write_text(
        f'[{{"image_id": 785, {box}, "category_id": 1}}, {{"file_name": "a/b.png", {box}}}]'
    )
    person = '{"box": [4, 5.5, 20, 30], "score": 0.9, "class": "person"}'
    film = f'{{"image": "c.mp4", "frame": 3, "objects": [{person}]}}'
    (folder / "a.jsonl").write_text(f'{{"image": "a/b.png", "people": [{person}]}}\n{film}\n')


def _read_boxes(folder: Path) -> object:
    from kerazoo.boxes import read_boxes

    images = [Path("000000000785.jpg"), Path("a/b.png"), Path("c.mp4")]
    found = [read_boxes(folder / name, images) for name in ("a.json", "a.jsonl")]
    return [
        boxes.of(image, (48, 64), 3 if n == 2 else None) for boxes in found for n, image in enumerate(images)
    ]


READERS = {
    "boxes": Reader(_boxes, _read_boxes),
    "json": Reader(_json, _read_json),
    "csv": Reader(_csv, _read_csv),
    "npz": Reader(_npz, _read_npz),
}
