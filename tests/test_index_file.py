"""The file of an index: changes of its folder are seen, damage is refused."""

import os
import shutil

import numpy as np
import pytest

from kerazoo.engine.index.file import Contents, Entry, mark_of, read_contents, write_contents
from kerazoo.errors import UserError
from kerazoo.image import write_image


@pytest.fixture
def contents(tmp_path):
    """An index of three images and of one that cannot be read."""
    folder = tmp_path / "images"
    for number, name in enumerate(("a.png", "b.png", "c/d.png")):
        write_image(folder / name, np.full((8, 8, 3), number, "uint8"))
    (folder / "broken.png").write_bytes(b"hello")
    names = ("a.png", "b.png", "c/d.png")
    entries = {name: Entry(mark_of(folder / name), np.full(5, n, "float32")) for n, name in enumerate(names)}
    return Contents(folder, "a run", entries, ("broken.png",))


def test_it_is_read_as_it_was_written(contents, tmp_path):
    write_contents(contents, tmp_path / "i.npz")
    found = read_contents(tmp_path / "i.npz", "")
    assert (found.folder, found.run, found.unread) == (contents.folder, "a run", ("broken.png",))
    assert list(found.entries) == ["a.png", "b.png", "c/d.png"]
    for name, entry in contents.entries.items():
        assert found.entries[name].mark == entry.mark
        np.testing.assert_array_equal(found.entries[name].embedding, entry.embedding)


def test_what_has_changed_is_named(contents):
    folder = contents.folder
    assert contents.changes() == ([], [], [])
    size = (folder / "a.png").stat().st_size
    (folder / "a.png").write_bytes(b"x" * size)
    (folder / "c/d.png").unlink()
    shutil.copy(folder / "b.png", folder / "c" / "new.png")
    assert contents.changes() == (["a.png"], ["c/new.png"], ["c/d.png"])
    assert list(contents.unchanged()) == ["b.png"]


def test_a_image_that_was_only_touched_or_copied_has_not_changed(contents):
    os.utime(contents.folder / "a.png", ns=(1, 1))
    assert contents.changes() == ([], [], [])


def test_without_its_folder_all_is_gone(contents):
    shutil.rmtree(contents.folder)
    assert contents.changes() == ([], [], ["a.png", "b.png", "c/d.png"])


def test_no_flipped_bit_changes_what_is_read(contents, tmp_path):
    write_contents(contents, tmp_path / "i.npz")
    whole, refused = (tmp_path / "i.npz").read_bytes(), []
    for place in np.random.default_rng(0).integers(8 * len(whole), size=200).tolist():
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        (tmp_path / "j.npz").write_bytes(data)
        try:
            found = read_contents(tmp_path / "j.npz", "make it anew")
        except UserError as error:
            refused.append(str(error))
        else:  # of a date, or of what the archive says twice
            assert str(found) == str(contents)
    assert len(refused) > 100
    assert all("j.npz is" in told and "make it anew" in told for told in refused)


def test_arrays_that_do_not_fit_together_are_refused(contents, tmp_path):
    write_contents(contents, tmp_path / "i.npz")
    with np.load(tmp_path / "i.npz") as found:
        arrays = dict(found)
    for name, value in (
        ("embeddings", arrays["embeddings"][:2]),
        ("embeddings", arrays["embeddings"].astype("float64")),
        ("hashes", arrays["hashes"][:, :31]),
        ("folder", arrays["files"]),
    ):
        np.savez(tmp_path / "j.npz", **(arrays | {name: value}))
        with pytest.raises(UserError, match="do not fit together"):
            read_contents(tmp_path / "j.npz", "")
    np.savez(tmp_path / "j.npz", **(arrays | {"sizes": arrays["sizes"] + 1}))
    with pytest.raises(UserError, match="j.npz is damaged"):
        read_contents(tmp_path / "j.npz", "")
