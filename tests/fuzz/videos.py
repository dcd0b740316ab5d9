"""The readers of videos and indices that are fuzzed."""

from pathlib import Path

from tests.fuzz.reader import Reader


def _videos(folder: Path) -> None:
    from tests.films import film

    for name, codec in (("a.mp4", "mpeg4"), ("a.mkv", "mpeg4"), ("a.avi", "mjpeg"), ("a.MTS", "libx264")):
        film(folder / name, 6, codec)


def _read_videos(folder: Path) -> object:
    from kerazoo.video import open_film

    return [frame.seconds for path in sorted(folder.iterdir()) for frame in open_film(path).frames()]


READERS = {
    "videos": Reader(_videos, _read_videos),
}
