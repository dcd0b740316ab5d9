"""The readers of videos and indices that are fuzzed."""

from pathlib import Path

import numpy as np

from tests.fuzz.reader import Reader


def _videos(folder: Path) -> None:
    from tests.videos import make_video

    for name, codec in (("a.mp4", "mpeg4"), ("a.mkv", "mpeg4"), ("a.avi", "mjpeg"), ("a.MTS", "libx264")):
        make_video(folder / name, 6, codec)


def _read_videos(folder: Path) -> object:
    from kerazoo.video import open_video

    return [frame.seconds for path in sorted(folder.iterdir()) for frame in open_video(path).frames()]


def _index(folder: Path) -> None:
    from kerazoo.engine.index.file import Contents, Entry, Mark, write_contents

    entry = Entry(Mark(5, 7, bytes(32)), np.arange(4, dtype="float32"))
    contents = Contents(Path("there"), "run", {"a.png": entry, "b.png": entry}, ("c.png",))
    write_contents(contents, folder / "index.npz")


def _read_index(folder: Path) -> object:
    from kerazoo.engine.index.file import read_contents

    return read_contents(folder / "index.npz", "make it anew")


READERS = {
    "index": Reader(_index, _read_index),
    "videos": Reader(_videos, _read_videos),
}
