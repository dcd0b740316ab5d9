"""The readers that are fuzzed: how to make a sound file or folder, and how to read it."""

import json
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


def _mask_folder(folder: Path) -> None:
    from PIL import Image

    labels = np.kron(np.arange(4, dtype="uint8").reshape(2, 2), np.ones((6, 8), "uint8"))
    palette = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    palette.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    rgb = palette.convert("RGB")
    masks = {"a.png": palette, "b.gif": palette, "c.jpg": rgb}
    for name, mask in masks.items():
        for kind, content in (("images", rgb), ("masks", mask)):
            (folder / kind).mkdir(exist_ok=True)
            content.save(folder / kind / name)
    colors = ([0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200])
    entries = [{"name": name, "color": color} for name, color in zip("abcd", colors, strict=True)]
    (folder / "classes.json").write_text(json.dumps(entries))


def _read_masks(folder: Path) -> object:
    from kerazoo.data.check import check
    from kerazoo.data.folders import Folder

    return check(Folder(path=str(folder)))


def _instance_folder(folder: Path) -> None:
    from PIL import Image

    for index in range(2):
        for kind, pixels in (("images", np.zeros((12, 16), "uint8")), ("instances", np.eye(12, 16, index))):
            (folder / kind).mkdir(exist_ok=True)
            suffix = "png" if kind == "images" else "tif"
            Image.fromarray(pixels.astype("uint8" if kind == "images" else "int32")).save(
                folder / kind / f"{index}.{suffix}"
            )


READERS = {
    "json": Reader(_json, _read_json),
    "csv": Reader(_csv, _read_csv),
    "npz": Reader(_npz, _read_npz),
    "masks": Reader(_mask_folder, _read_masks),
    "instances": Reader(_instance_folder, _read_masks),
}
