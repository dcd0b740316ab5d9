"""The readers of boxes that are fuzzed."""

from pathlib import Path

from tests.fuzz.reader import Reader


def _write(kind: str, folder: Path) -> None:
    from tests.detection_files import WRITERS

    WRITERS[kind](folder)
    if kind == "yolo":
        (folder / "classes.txt").unlink()
        (folder / "data.yaml").write_text("train: images\nval: list.txt\nnames:\n  0: cat\n  1: 'dog'\n")
        (folder / "list.txt").write_text("./images/1.png\n")
    if kind == "voc":
        (folder / "ImageSets" / "Main").mkdir(parents=True)
        (folder / "ImageSets" / "Main" / "train.txt").write_text("1\n3\n")


def _read(folder: Path) -> object:
    from tests.detection_files import source

    found = source(folder)
    return found.warnings(), [sample.truth.tally() for sample in found.samples("train")]


READERS = {
    f"{kind} boxes": Reader(lambda folder, kind=kind: _write(kind, folder), _read)
    for kind in ("coco", "voc", "yolo")
}
