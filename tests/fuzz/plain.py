"""The readers of `kerazoo.files.reading`, fuzzed by themselves."""

from pathlib import Path

import numpy as np

from tests.fuzz.reader import Reader


def _json(folder: Path) -> None:
    (folder / "a.json").write_text('{"images": [{"id": 1, "file_name": "a.png", "size": [4.5, 3]}]}')


def _read_json(folder: Path) -> object:
    from kerazoo.files.reading import read_json

    return read_json(folder / "a.json", dict[str, list[dict[str, int | str | list[float]]]])


def _csv(folder: Path) -> None:
    (folder / "a.csv").write_text('first,second,alike\n"a, b.png",c.png,1\nd.png,e.png,0\n')


def _read_csv(folder: Path) -> object:
    from kerazoo.files.reading import read_rows

    return read_rows(folder / "a.csv")


def _npz(folder: Path) -> None:
    np.savez_compressed(
        folder / "a.npz", x=np.arange(60, dtype="uint8").reshape(3, 4, 5), names=np.array(["a", "b"])
    )


def _read_npz(folder: Path) -> object:
    from kerazoo.files.reading import read_npz

    return read_npz(folder / "a.npz", {"x": "u", "names": "U"}, 1 << 20)


READERS = {
    "json": Reader(_json, _read_json),
    "csv": Reader(_csv, _read_csv),
    "npz": Reader(_npz, _read_npz),
}
