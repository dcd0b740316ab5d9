"""Files that nobody vouches for: what is read of them, and the line that is told where nothing is."""

import gzip
import io
import json
import os
import zipfile

import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.files.reading import (
    list_folder,
    npz_names,
    open_file,
    read_gunzipped,
    read_json,
    read_json_lines,
    read_npz,
    read_rows,
    read_text,
)


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def npz(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def test_json_is_read_with_and_without_a_mark_and_with_nan(tmp_path):
    assert read_json(written(tmp_path / "a.json", b'\xef\xbb\xbf{"a": [1, 2.5, null]}')) == {
        "a": [1, 2.5, None]
    }
    assert np.isnan(read_json(written(tmp_path / "b.json", "[NaN]"), list[float])[0])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"a": ', "is no JSON"),
        ("1" * 5000, "is no JSON"),
        (b"\xff\xfe{}", "is no JSON"),
        ("", "is no JSON"),
        ('{"a": 1}', "not as expected"),
        ('[{"a": 1}, 2]', "1: "),
    ],
)
def test_broken_json_is_one_line_that_names_the_file(tmp_path, content, told):
    path = written(tmp_path / "broken.json", content)
    with pytest.raises(UserError, match=told) as error:
        read_json(path, list[dict])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_json_lines_name_the_line(tmp_path):
    path = written(tmp_path / "rows.jsonl", '{"a": 1}\n\n{"a": 2}\n')
    assert read_json_lines(path, dict) == [{"a": 1}, {"a": 2}]
    with pytest.raises(UserError, match=r"rows.jsonl, line 2 is not as expected"):
        read_json_lines(written(path, '{"a": 1}\n[]\n'), dict)


def test_only_regular_files_of_a_bounded_size_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    large = written(tmp_path / "large", b"x" * 100)
    for path, told in (
        (tmp_path / "pipe", "a pipe or a device"),
        ("/dev/zero", "a pipe or a device"),
        (tmp_path, "is a folder"),
        (tmp_path / "none", "no such file"),
        (large / "below", "no such file"),
        (tmp_path / ("x" * 300), "name is too long"),
        (f"{tmp_path}/a\0b", "holds a NUL"),
        (large, "more than the 99 that are read"),
    ):
        with pytest.raises(UserError, match=told), open_file(path, 99):
            pass


def test_entries_of_a_folder_are_the_users_own(tmp_path):
    for name in ("b10", "b9", "__MACOSX", "@eaDir", ".ipynb_checkpoints", ".DS_Store", "._b9"):
        (tmp_path / name).mkdir()
    assert [path.name for path in list_folder(tmp_path)] == ["b9", "b10"]
    with pytest.raises(UserError, match="no such file"):
        list_folder(tmp_path / "none")


def test_packed_files_are_unpacked_up_to_a_size(tmp_path):
    packed = written(tmp_path / "a.gz", gzip.compress(b"hello"))
    assert read_gunzipped(packed, 40) == read_gunzipped(written(tmp_path / "a", "hello"), 40) == b"hello"
    with pytest.raises(UserError, match="unpacks to more than the 999 bytes"):
        read_gunzipped(written(packed, gzip.compress(bytes(1000))), 999)
    with pytest.raises(UserError, match="cannot be unpacked"):
        read_gunzipped(written(packed, gzip.compress(b"hello")[:12]), 999)


def test_text_that_is_not_utf8_is_told(tmp_path):
    with pytest.raises(UserError, match="no text in UTF-8"):
        read_text(written(tmp_path / "latin.txt", "Zäune".encode("latin-1")))


def test_rows_of_csv(tmp_path):
    path = written(tmp_path / "a.csv", 'a.png, b.png,1\n\n"c,d.png",e.png,0\n')
    assert read_rows(path) == [(1, ["a.png", "b.png", "1"]), (3, ["c,d.png", "e.png", "0"])]
    assert read_rows(written(path, "a  b\t1\n"), "") == [(1, ["a", "b", "1"])]
    with pytest.raises(UserError, match="line 1 cannot be read: field larger"):
        read_rows(written(path, "a" * (1 << 21)))


def test_arrays_are_read_by_name_and_kind(tmp_path):
    path = npz(
        tmp_path / "a.npz", images=np.arange(6, dtype="uint8").reshape(2, 3), names=np.array(["x", "yy"])
    )
    found = read_npz(path, {"images": "u", "names": "U", "more?": "f"}, 1000)
    assert found["images"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["names"].tolist() == ["x", "yy"]
    assert npz_names(path) == ["images", "names"]
    turned = npz(tmp_path / "b.npz", a=np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    assert read_npz(turned, {"a": "f"}, 1000)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"labels": "u"}, "no array 'labels', only images"),
        ({"images": "f"}, "images holds uint8"),
        ({"objects": "O"}, "objects is a pickle"),
    ],
)
def test_other_arrays_are_refused(tmp_path, wanted, told):
    path = npz(tmp_path / "a.npz", images=np.zeros(3, "uint8"), objects=np.array([{}], object))
    with pytest.raises(UserError, match=told):
        read_npz(path, wanted, 1000)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with pytest.raises(UserError, match="unpacks to 100000[0-9]+ bytes"):
        read_npz(npz(tmp_path / "bomb.npz", a=np.zeros(100_000_000, "uint8")), {"a": "u"}, 1 << 20)


def test_a_header_that_lies_is_refused(tmp_path):
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "|u1", "fortran_order": False, "shape": (1000,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", data.getvalue() + b"123")
    with pytest.raises(UserError, match="a has 3 bytes, its header tells 1000"):
        read_npz(tmp_path / "a.npz", {"a": "u"}, 1 << 20)


def test_settings_as_a_shape(tmp_path):
    from kerazoo.data.segmentation.masks import ClassEntry

    path = written(tmp_path / "classes.json", json.dumps([{"name": "a", "value": "x"}]))
    with pytest.raises(UserError, match="0.value: input should be a valid integer"):
        read_json(path, list[ClassEntry])
