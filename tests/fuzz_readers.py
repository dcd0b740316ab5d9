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


def _videos(folder: Path) -> None:
    from tests.films import film

    for name, codec in (("a.mp4", "mpeg4"), ("a.mkv", "mpeg4"), ("a.avi", "mjpeg"), ("a.MTS", "libx264")):
        film(folder / name, 6, codec)


def _read_videos(folder: Path) -> object:
    from kerazoo.video import open_film

    return [frame.seconds for path in sorted(folder.iterdir()) for frame in open_film(path).frames()]


READERS = {
    "json": Reader(_json, _read_json),
    "csv": Reader(_csv, _read_csv),
    "npz": Reader(_npz, _read_npz),
    "videos": Reader(_videos, _read_videos),
}
