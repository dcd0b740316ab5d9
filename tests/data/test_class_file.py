"""A classes.json is read wherever it is clear what it speaks of, and never passed over."""

import json

import numpy as np
import pytest

from kerazoo.data.segmentation.folders import Folder
from kerazoo.image import write_image
from tests.refusals import refusal

MASK = np.kron(np.array([[0, 7]], "uint8"), np.ones((8, 8), "uint8"))
ENTRIES = [{"name": "tree", "value": 7}, {"name": "ground", "value": 0}]


@pytest.fixture
def data(tmp_path):
    for folder in ("train", "val"):
        for index in range(2):
            write_image(tmp_path / folder / "images" / f"{index}.png", np.full((8, 16, 3), index, "uint8"))
            write_image(tmp_path / folder / "masks" / f"{index}.png", MASK)
    return tmp_path


def declare(entries, *files):
    for file in files:
        file.write_text(json.dumps(entries))


def refused(data, *words):
    with refusal(*words):
        Folder(path=str(data)).samples("train")


@pytest.mark.parametrize(
    "names",
    [
        ("Classes.json",),
        ("train/classes.json", "val/CLASSES.JSON"),
        ("classes.json", "train/classes.json"),
        ("train/masks/classes.json", "val/images/classes.json"),
    ],
)
def test_it_is_read_where_it_speaks_of_all_masks(data, names):
    declare(ENTRIES, *(data / name for name in names))
    source = Folder(path=str(data))
    assert source.class_names() == ("tree", "ground")
    np.testing.assert_array_equal(source.samples("val")[0].truth.labels, MASK == 0)
    assert {data / name for name in names} <= set(source.files())


@pytest.mark.parametrize("place", ["masks", "images", "masks/train"])
def test_it_may_lie_among_masks_that_are_not_divided(tmp_path, place):
    for kind, content in (("images", np.dstack([MASK] * 3)), ("masks", MASK)):
        for index in range(2):
            write_image(tmp_path / kind / "train" / f"{index}.png", content)
    declare(ENTRIES, tmp_path / place / "classes.json")
    assert Folder(path=str(tmp_path)).class_names() == ("tree", "ground")


def test_one_that_speaks_of_some_masks_alone_is_an_error_that_tells_its_place(data):
    declare(ENTRIES, data / "train" / "classes.json")
    refused(
        data, "train/classes.json does not lie above", "val/masks/0.png", f"move it to {data}/classes.json"
    )


def test_two_that_differ_are_an_error(data):
    declare(ENTRIES, data / "train" / "classes.json")
    declare(ENTRIES[::-1], data / "val" / "classes.json")
    refused(data, "train/classes.json and", "val/classes.json say different things", f"{data}/classes.json")
