"""Names of results, and rows that replace older ones at the end."""

import json
import time
from pathlib import Path

import pytest

from kerazoo.engine.outputs import LONGEST, find_inputs, partial, shortened, stems, write_rows
from kerazoo.errors import UserError


def test_names_recur_with_folders_and_numbers():
    paths = [
        Path("x/a.png"),
        Path("y/a.png"),
        Path("y/a.jpg"),
        Path("y/a.bmp"),
        Path("b.png"),
        Path("camera:1"),
    ]
    assert stems(paths) == ["a", "y-a", "a-2", "a-3", "b", "camera1"]


def test_equal_names_take_no_more_time_each():
    began = time.process_time()
    assert len(set(stems([Path("x/a.png")] * 100_000))) == 100_000
    assert time.process_time() - began < 20  # 4,000 took 4 s


@pytest.mark.parametrize("letter", ["n", "ü", "猫", "\udce9"])
def test_long_names_are_cut_and_stay_distinct(letter):
    one, other = shortened(255 * letter), shortened(255 * letter + "2")
    assert one != other
    assert max(len(name.encode("utf-8", "surrogateescape")) for name in (one, other)) <= LONGEST
    assert shortened(40 * letter) == 40 * letter


def test_rows_are_there_at_once_and_replace_at_the_end(tmp_path):
    path = tmp_path / "rows.jsonl"
    for number in (1, 2):
        for row in write_rows([{"row": number}, {"row": "\udce9"}], path):
            assert json.loads(partial(path).read_text().splitlines()[-1]) == row
            assert path.exists() == (number == 2)
        assert json.loads(path.read_text().splitlines()[0]) == {"row": number}
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_rows_of_a_killed_run_are_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    partial(path).write_text("killed\n")
    unfinished = write_rows([{"row": 1}, {"row": 2}], path)
    next(unfinished)
    assert path.read_text() == "killed\n"
    unfinished.close()
    assert path.read_text() == "killed\n"
    assert partial(path).read_text() == '{"row": 1}\n'


def test_an_error_of_the_rows_is_not_one_of_their_file(tmp_path):
    def failing():
        yield {"row": 1}
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        list(write_rows(failing(), tmp_path / "rows.jsonl"))
    assert (tmp_path / "rows.jsonl").read_text() == '{"row": 1}\n'


def test_nothing_but_results_is_told(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a_overlay.png").write_bytes(b"")
    with pytest.raises(UserError, match="no images in .* but results of before in"):
        find_inputs([str(tmp_path)], tmp_path / "p")
