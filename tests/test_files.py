"""Files and folders that appear whole, and what is left of writers that were killed."""

import os
import subprocess
import sys
import time

import pytest

from kerazoo.errors import UserError
from kerazoo.files import writing
from kerazoo.files.writing import (
    atomic_file,
    atomic_folder,
    atomic_text,
    move_into_place,
    remove_stale_files,
    temporary_path,
)


def ended() -> int:
    """Return the number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        return child.pid


def name_of(process: int, host: int | None = None) -> str:
    host = writing._host() if host is None else host
    return f".{host:08x}{process:08x}{'0' * 16}.weights.h5"


def test_only_what_ended_writers_left_is_swept(tmp_path):
    litter, folder = tmp_path / name_of(ended()), tmp_path / name_of(2**32 - 1)
    folder.mkdir()
    kept = [name_of(os.getpid()), name_of(ended(), host=7), ".hidden", "weights.h5"]
    old = tmp_path / name_of(1, host=8)
    for path in (litter, folder / "inside", old, *(tmp_path / name for name in kept)):
        path.write_text("x")
    os.utime(old, (0, time.time() - 2 * writing.OLD))
    remove_stale_files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_a_writer_clears_its_folder_first(tmp_path):
    litter = tmp_path / name_of(ended())
    litter.write_text("x")
    atomic_text(tmp_path / "new", "y")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_writer_at_work_is_not_disturbed(tmp_path):
    with atomic_file(tmp_path / "a") as first:
        first.write_text("first")
        remove_stale_files(tmp_path)
        with atomic_folder(tmp_path / "b") as second:
            (second / "inside").write_text("second")
    assert (tmp_path / "a").read_text() == "first"
    assert (tmp_path / "b" / "inside").read_text() == "second"


def test_what_nobody_put_elsewhere_is_removed(tmp_path):
    with temporary_path(tmp_path / "a") as temporary:
        temporary.write_text("x")
    with temporary_path(tmp_path / "a") as temporary:
        temporary.write_text("y")
        move_into_place(temporary, tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_folder_does_not_replace_a_full_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("x")
    with pytest.raises(UserError, match="cannot write"), atomic_folder(tmp_path / "a") as temporary:
        (temporary / "new").write_text("y")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "old"]
