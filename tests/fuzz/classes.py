"""The readers of arrays, classes, pairs and one-shot runs that are fuzzed."""

import gzip
import zipfile
from pathlib import Path

import numpy as np

from tests.fuzz.reader import Reader


def _images(folder: Path, *names: str) -> None:
    from kerazoo.image import write_image

    for place, name in enumerate(names):
        write_image(folder / name, np.full((9, 9, 3), 20 * place, "uint8"))


def _zipped(folder: Path, **texts: str) -> None:
    """Pack the images of a folder, and texts, into `a.zip`."""
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.writestr(path.relative_to(folder).as_posix(), path.read_bytes())
            path.unlink()
        for name, text in texts.items():
            archive.writestr(name, text)


def _classes(folder: Path) -> None:
    _images(
        folder, *(f"{split}/{name}/{n}.png" for split in ("Train", "val") for name in "ab" for n in range(2))
    )
    _zipped(folder)


def _read_classes(folder: Path) -> object:
    from kerazoo.data.episodes.by_class import ImageClasses

    splits, problems = ImageClasses(path=str(folder / "a.zip")).survey()
    return problems, [sample.name for samples in splits.values() for sample in samples]


def _class_splits(folder: Path) -> None:
    _images(folder, "data/a/0.png", "data/b/0.png", "data/c/0.png")
    for split, name in (("train", "a"), ("val", "b"), ("test", "c")):
        (folder / f"{split}.txt").write_text(f"{name}/rot090\n")


def _read_class_splits(folder: Path) -> object:
    from kerazoo.data.episodes.by_class import ImageClasses

    return ImageClasses(path=str(folder / "data"), splits=str(folder)).class_names()


def _one_shot(folder: Path) -> None:
    _images(folder, "run01/test/1.png", "run01/test/2.png", "run01/training/1.png", "run01/training/2.png")
    lines = "run01/test/1.png run01/training/2.png\nrun01/test/2.png run01/training/1.png\n"
    _zipped(folder, **{"run01/class_labels.txt": lines})


def _read_one_shot(folder: Path) -> object:
    from kerazoo.data.episodes.one_shot_runs import OneShotRuns

    return [
        sample.image.shape for sample in OneShotRuns(path=str(folder / "a.zip"), size=(9, 9)).samples("test")
    ]


def _pairs(folder: Path) -> None:
    _images(folder, "ann/ann_0001.png", "ann/ann_0002.png", "bob/bob_0001.png")
    (folder / "pairs.txt").write_text("1\t1\nann\t1\t2\nann\t1\tbob\t1\n")
    (folder / "pairs.csv").write_text("first,second,alike\n/mnt/ann/ann_0001.png,/mnt/bob/bob_0001.png,0\n")


def _read_pairs(folder: Path) -> object:
    from kerazoo.data.episodes.pair_list import PairList

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
    from kerazoo.data.classification.arrays import Arrays

    return [[*Arrays(path=str(folder / name)).samples("train")] for name in ("npz", "idx", "cifar")]


READERS = {
    "arrays": Reader(_arrays, _read_arrays),
    "classes in a zip": Reader(_classes, _read_classes),
    "splits of classes": Reader(_class_splits, _read_class_splits),
    "one-shot runs": Reader(_one_shot, _read_one_shot),
    "lists of pairs": Reader(_pairs, _read_pairs),
}
