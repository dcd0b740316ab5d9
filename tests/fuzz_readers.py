"""The readers that are fuzzed: how to make a sound file or folder, and how to read it."""

import gzip
import json
import zipfile
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


def _pictures(folder: Path, *names: str) -> None:
    from kerazoo.image import write_image

    for place, name in enumerate(names):
        write_image(folder / name, np.full((9, 9, 3), 20 * place, "uint8"))


def _zipped(folder: Path, **texts: str) -> None:
    """Pack the pictures of a folder, and texts, into `a.zip`."""
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.writestr(path.relative_to(folder).as_posix(), path.read_bytes())
            path.unlink()
        for name, text in texts.items():
            archive.writestr(name, text)


def _classes(folder: Path) -> None:
    _pictures(
        folder, *(f"{split}/{name}/{n}.png" for split in ("Train", "val") for name in "ab" for n in range(2))
    )
    _zipped(folder)


def _read_classes(folder: Path) -> object:
    from kerazoo.data.by_class import PictureClasses

    splits, problems = PictureClasses(path=str(folder / "a.zip")).survey()
    return problems, [sample.name for samples in splits.values() for sample in samples]


def _class_splits(folder: Path) -> None:
    _pictures(folder, "data/a/0.png", "data/b/0.png", "data/c/0.png")
    for split, name in (("train", "a"), ("val", "b"), ("test", "c")):
        (folder / f"{split}.txt").write_text(f"{name}/rot090\n")


def _read_class_splits(folder: Path) -> object:
    from kerazoo.data.by_class import PictureClasses

    return PictureClasses(path=str(folder / "data"), splits=str(folder)).class_names()


def _one_shot(folder: Path) -> None:
    _pictures(folder, "run01/test/1.png", "run01/test/2.png", "run01/training/1.png", "run01/training/2.png")
    lines = "run01/test/1.png run01/training/2.png\nrun01/test/2.png run01/training/1.png\n"
    _zipped(folder, **{"run01/class_labels.txt": lines})


def _read_one_shot(folder: Path) -> object:
    from kerazoo.data.one_shot_runs import OneShotRuns

    return [
        sample.image.shape for sample in OneShotRuns(path=str(folder / "a.zip"), size=(9, 9)).samples("test")
    ]


def _pairs(folder: Path) -> None:
    _pictures(folder, "ann/ann_0001.png", "ann/ann_0002.png", "bob/bob_0001.png")
    (folder / "pairs.txt").write_text("1\t1\nann\t1\t2\nann\t1\tbob\t1\n")
    (folder / "pairs.csv").write_text("first,second,alike\n/mnt/ann/ann_0001.png,/mnt/bob/bob_0001.png,0\n")


def _read_pairs(folder: Path) -> object:
    from kerazoo.data.pair_list import PairList

    lists = [PairList(path=str(folder / name)) for name in ("pairs.txt", "pairs.csv")]
    return [(pairs.warnings(), [sample.image.shape for sample in pairs.samples("test")]) for pairs in lists]


def _arrays(folder: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (6, 4, 4), "uint8"), np.arange(6, dtype="uint8") % 2
    for name in ("npz", "idx", "cifar"):
        (folder / name).mkdir()
    np.savez_compressed(
        folder / "npz" / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels
    )
    heads = (b"\0\0\x08\x03\0\0\0\x06\0\0\0\x04\0\0\0\x04", b"\0\0\x08\x01\0\0\0\x06")
    (folder / "idx" / "train-images.gz").write_bytes(gzip.compress(heads[0] + images.tobytes()))
    (folder / "idx" / "train-labels").write_bytes(heads[1] + labels.tobytes())
    (folder / "cifar" / "data_batch_1.bin").write_bytes(bytes(3073) * 4)
    (folder / "cifar" / "fine_label_names.txt").write_text("a\nb\n")


def _read_arrays(folder: Path) -> object:
    from kerazoo.data.arrays import Arrays

    return [[*Arrays(path=str(folder / name)).samples("train")] for name in ("npz", "idx", "cifar")]


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
    "arrays": Reader(_arrays, _read_arrays),
    "classes in a zip": Reader(_classes, _read_classes),
    "splits of classes": Reader(_class_splits, _read_class_splits),
    "one-shot runs": Reader(_one_shot, _read_one_shot),
    "lists of pairs": Reader(_pairs, _read_pairs),
    "masks": Reader(_mask_folder, _read_masks),
    "instances": Reader(_instance_folder, _read_masks),
}
