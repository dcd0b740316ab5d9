"""Which images are found in folders, and what is said of the rest."""

import os

import pytest

from kerazoo.errors import UserError
from kerazoo.files.listing import (
    find_images,
    list_files,
    list_images,
    list_subfolders,
    unread_file_warnings,
    walk_folder,
)
from kerazoo.files.writing import atomic_text, natural_key
from kerazoo.image import read_image


def fill(folder, *names):
    for name in names:
        atomic_text(folder / name, "x")
    return folder


def found(folder):
    return [path.relative_to(folder).as_posix() for path in list_images(folder)]


def test_images_are_found_in_natural_order(tmp_path):
    for name in ("s10.png", "s2.png", "sub/s1.JPG", ".hidden.png", "._s2.png", "notes.txt"):
        atomic_text(tmp_path / name, "x")
    named = [tmp_path / "s2.png", tmp_path / "s10.png"]
    assert find_images([tmp_path]) == [*named, tmp_path / "sub/s1.JPG"]
    assert find_images([tmp_path / "s*.png"]) == named
    assert find_images([tmp_path / "notes.txt", tmp_path / "s2.png", tmp_path / "s2.png"]) == [
        tmp_path / "notes.txt", tmp_path / "s2.png",
    ]  # fmt: skip
    assert find_images([f"{tmp_path}/**/*.JPG"]) == [tmp_path / "sub/s1.JPG"]
    assert sorted(["a10", "a9b", "b1", "a9"], key=natural_key) == ["a9", "a9b", "a10", "b1"]


def test_a_missing_file_is_left_to_the_reader(tmp_path):
    (found,) = find_images([str(tmp_path / "missing.png")])
    with pytest.raises(UserError, match=r"missing\.png"):
        read_image(found)


def test_finding_nothing_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "*.png"):
        with pytest.raises(UserError, match=path.name.replace("*", r"\*")):
            find_images([path])


def test_what_systems_and_editors_leave_is_no_image(tmp_path):
    fill(tmp_path, "a.png", "._a.png", ".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/._a.png",
         "__MACOSX/b.png", "@eaDir/a.png", "b/.DS_Store", "b/Thumbs.db", "b/c.JPG")  # fmt: skip
    assert found(tmp_path) == ["a.png", "b/c.JPG"]
    assert find_images([f"{tmp_path}/**/*.png"]) == [tmp_path / "a.png"]
    assert not unread_file_warnings(tmp_path, list_files(tmp_path))


def test_links_to_folders_are_followed_once_and_never_round(tmp_path):
    fill(tmp_path, "pool/1.png", "data/own/2.png")
    data = tmp_path / "data"
    (data / "linked").symlink_to(tmp_path / "pool")
    (data / "linked again").symlink_to(tmp_path / "pool")
    (data / "own" / "up").symlink_to(data)
    (data / "itself").symlink_to("itself")
    (data / "latest").symlink_to("own")
    assert found(data) == ["linked/1.png", "own/2.png"]


def test_links_that_are_not_followed_are_known(tmp_path):
    fill(tmp_path, "pool/1.png", "data/a/2.png", "data/b/3.png")
    data = tmp_path / "data"
    (data / "a" / "up").symlink_to(tmp_path)
    (data / "b" / "more").symlink_to(data / "a")
    (data / "c").symlink_to(tmp_path / "pool")
    listed = walk_folder(data)
    assert listed.parent_links == [data / "a" / "up"]
    assert listed.repeated_links == [data / "b" / "more"]
    assert list_subfolders(data) == [data / "a", data / "b", data / "c"]
    assert list_subfolders(data / "a") == []
    assert found(data) == ["a/2.png", "b/3.png", "c/1.png"]


def test_a_link_to_nothing_and_a_pipe_are_told_when_they_are_read(tmp_path):
    fill(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "c.png")
    assert found(tmp_path) == ["a.png", "b.png", "c.png"]
    for name, told in (("b.png", "no such file"), ("c.png", "a pipe or a device")):
        with pytest.raises(UserError, match=rf"{name}.*{told}"):
            read_image(tmp_path / name)


def test_files_that_are_not_read_are_counted_by_suffix(tmp_path):
    names = [f"{number}.HEIC" for number in range(3)]
    fill(tmp_path, *names, "scan.dcm", "a.png", "classes.json", "LICENSE", "clip.mp4")
    (line,) = unread_file_warnings(tmp_path, list_files(tmp_path), frozenset({".mp4"}))
    assert line == (
        f"files in {tmp_path} that are not read: 3 .heic, 1 .dcm, such as {tmp_path}/0.HEIC; "
        "convert them to JPEG or PNG"
    )


def test_a_folder_of_files_that_are_not_read_says_so(tmp_path):
    fill(tmp_path, "a.heic", "b.heic")
    with pytest.raises(UserError, match=r"no images in .*not read: 2 \.heic"):
        find_images([tmp_path])


def test_a_name_that_no_file_can_have_is_left_to_the_reader(tmp_path):
    for name, told in (("a\0.png", "NUL"), ("a" * 300 + ".png", "too long")):
        (path,) = find_images([f"{tmp_path}/{name}"])
        with pytest.raises(UserError, match=told):
            read_image(path)
