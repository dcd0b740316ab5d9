"""The readers of masks and instances that are fuzzed."""

import json
from pathlib import Path

import numpy as np

from tests.fuzz.reader import Reader


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
    from kerazoo.data.segmentation.folders import Folder

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
    "masks": Reader(_mask_folder, _read_masks),
    "instances": Reader(_instance_folder, _read_masks),
}
