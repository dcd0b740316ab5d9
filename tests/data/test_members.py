"""Zip files that people have: whatever wrote them, and those that nobody should trust."""

import os
import zipfile

import pytest

from kerazoo.errors import UserError
from kerazoo.files import zip_members
from kerazoo.files.zip_members import ZipMembers


def packed(folder, *names, content=b"hello"):
    """Write an archive of files with these names, exactly as they stand."""
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), content)
    return folder / "a.zip"


def changed(path, *replacements):
    content = path.read_bytes()
    for old, new in replacements:
        content = content.replace(old, new)
    path.write_bytes(content)
    return path


def told(path):
    with pytest.raises(UserError) as caught:
        dict(ZipMembers(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names_have_one_kind_of_separator(tmp_path):
    assert dict(ZipMembers(packed(tmp_path, "cat\\1.png", "./dog//2.png", "pig/", "cow\\"))) == {
        "cat/1.png": b"hello",
        "dog/2.png": b"hello",
    }


def test_names_in_utf8_are_read_whether_the_archive_says_so_or_not(tmp_path):
    path = packed(tmp_path, "xxxxx/1.png", "人/1.png")
    assert list(ZipMembers(changed(path, (b"xxxxx", "Zäun".encode())))) == ["Zäun/1.png", "人/1.png"]
    assert list(ZipMembers(changed(path, ("Zäun".encode(), b"Z\x84une")))) == ["Zäune/1.png", "人/1.png"]


@pytest.mark.parametrize("name", ["../1.png", "cat/../../1.png", "/etc/1.png", "C:\\1.png", "..\\1.png"])
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    assert "leads out of the archive; unpack it" in told(packed(tmp_path, "cat/1.png", name))


def test_two_files_of_one_name_are_refused(tmp_path):
    assert "two files called 'cat/1.png'" in told(packed(tmp_path, "cat/1.png", "cat\\1.png"))


def test_a_name_ends_at_a_nul(tmp_path):
    assert list(ZipMembers(changed(packed(tmp_path, "cat/1.png_x"), (b"_x", b"\0x")))) == ["cat/1.png"]


def test_an_encrypted_file_is_told(tmp_path):
    path = packed(tmp_path, "cat/1.png")
    encrypted = changed(path, (b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"))
    assert "cat/1.png is encrypted; unpack it and give the folder" in told(encrypted)


def test_a_packing_that_is_not_known_is_told(tmp_path):
    path = packed(tmp_path, "cat/1.png")
    deflate64 = changed(path, (b"PK\1\2\x14\3\x14\0\0\0\0", b"PK\1\2\x14\3\x14\0\0\0\x09"))
    assert "cat/1.png is packed by method 9; unpack it and give the folder" in told(deflate64)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_members, "LARGEST", 999)
    assert "cat/1.png unpacks to 1000 bytes" in told(packed(tmp_path, "cat/1.png", content=bytes(1000)))


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "cut.zip").write_bytes(packed(tmp_path, "cat/1.png").read_bytes()[:-8])
    os.mkfifo(tmp_path / "pipe")
    assert "is no zip file" in told(tmp_path / "notes.txt")
    assert "File is not a zip file" in told(tmp_path / "cut.zip")
    assert "a pipe or a device" in told(tmp_path / "pipe")
