"""Numbers and ids in files of annotations."""

from pathlib import Path

import numpy as np
import pytest

from kerazoo.data.annotations import Ids, number_array, parse_flags, parse_key, split_of_file

NAN = float("nan")


@pytest.mark.parametrize(
    ("row", "wanted", "sound"),
    [
        ([1, 2.5], [1, 2.5], True),
        ([None, 2], [NAN, 2], True),
        ([NAN, float("inf")], [NAN, NAN], True),
        ([10**400, -1e300], [NAN, NAN], True),
        ([1], [NAN, NAN], False),
        (["1", 2], [NAN, NAN], False),
        ([[1], 2], [NAN, NAN], False),
        ({"a": 1}, [NAN, NAN], False),
        (None, [NAN, NAN], False),
    ],
)
def test_rows_of_numbers(row, wanted, sound):
    for rows in ([row], [[3, 4], row], [row, [3.5, 4]]):
        values, fit = number_array(rows, 2)
        at = rows.index(row)
        np.testing.assert_array_equal(values[at], wanted)
        assert fit[at] == sound
        assert values.dtype == np.float64
    assert [part.shape for part in number_array([], 2)] == [(0, 2), (0,)]


def test_ids_that_are_written_in_several_ways():
    ids = Ids([1, "0002", "a", "03", "3"])
    assert [ids.find(value) for value in (1, 1.0, "1", "001", 2, "2", "0002")] == [1] * 4 + ["0002"] * 3
    assert [ids.find(value) for value in ("a", "03", "3", 3)] == ["a", "03", "3", None]
    assert [ids.find(value) for value in (9, "b", None, True, [1], NAN)] == [None] * 6
    assert parse_key(10**400) == 10**400


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"), ("Validation", "val"), ("test_set", "test"), ("val2017", "val"),
        ("person_keypoints_train2017", "train"), ("hand_keypoints_Training_set", "train"),
        ("person_keypoints_test-dev2017", "test"), ("person_keypoints_default", None),
        ("person_keypoints_trainval2014", None), ("instances_train2017", None), ("training_log_2", None),
    ],
)  # fmt: skip
def test_files_are_called_after_splits(name, split):
    assert split_of_file(Path(f"annotations/{name}.json")) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_train2017", "train"), ("instances_Validation", "val"), ("instances_default", None),
        ("val", "val"), ("person_keypoints_train2017", None), ("captions_train2017", None),
    ],
)  # fmt: skip
def test_files_of_instances_are_told_from_those_of_key_points(name, split):
    assert split_of_file(Path(f"annotations/{name}.json"), "instances") == split


def test_flags_are_written_in_several_ways():
    values = [0, 1, "0", "1", None, True, 1.0, 2, "yes", [1], NAN]
    found, odd = parse_flags(values)
    np.testing.assert_array_equal(found, [v in (1, "1", True) for v in values])
    np.testing.assert_array_equal(odd, [False] * 7 + [True] * 4)
    assert found.dtype == odd.dtype == bool
