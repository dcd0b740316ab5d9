"""A run keeps what its masks meant, and reads those of other data in the same way."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.data.segmentation.folders import Folder
from kerazoo.engine.evaluate import evaluate, table
from kerazoo.families.unet import UNet
from kerazoo.image import write_image
from kerazoo.recipe import Recipe
from kerazoo.run import create_run, open_run, with_settings
from kerazoo.structures.mask import VOID
from tests.refusals import refusal

LABELS = np.kron(np.arange(3), np.ones((12, 6), int)).astype("uint8")


def fill(folder, masks, classes=None):
    for index, mask in enumerate(masks):
        write_image(folder / "images" / f"s{index}.png", np.full((*mask.shape, 3), 40 * index, "uint8"))
        write_image(folder / "masks" / f"s{index}.png", mask)
    if classes:
        (folder / "classes.json").write_text(json.dumps(classes))
    return folder


def values(*stored):
    return [np.array(stored, "uint8")[LABELS]] * 3


@pytest.fixture
def run_of(tmp_path):
    """A function from masks to an opened, untrained run on them."""

    def made(masks, classes=None):
        data = Folder(path=str(fill(tmp_path / "own", masks, classes)))
        family = UNet(filters=(2, 4)).with_classes(data.class_names())
        recipe = Recipe(family=family, data=family.configure(data))
        return open_run(create_run(recipe, tmp_path / "run", family.build()).folder)

    return made


def truth(run, folder):
    """The labels of the first mask of other data, as the run reads them."""
    data = with_settings(run, (), str(folder)).recipe.data
    return run.family.configure(data).samples("train")[0].truth.labels


def refused(run, folder, *words):
    with refusal(*words):
        evaluate(with_settings(run, (), str(folder)), "train")


def test_a_run_of_three_classes_evaluates_data_that_lack_one(run_of, tmp_path):
    run = run_of(values(0, 1, 2))
    scores = evaluate(with_settings(run, (), str(fill(tmp_path / "b", values(0, 1, 1)))), "train")
    assert set(scores["iou"]) == {"class 0", "class 1", "class 2"}
    assert np.array(scores["confusion"])[2].sum() == 0
    assert scores["facts"] == {"mask values": "0 -> class 0, 1 -> class 1, 2 -> class 2"}
    assert "mask values        0 -> class 0" in table(scores)


def test_what_was_void_stays_void(run_of, tmp_path):
    run = run_of(values(0, 1, 255))
    other = fill(tmp_path / "b", values(0, 1, 255))
    np.testing.assert_array_equal(truth(run, other), np.array([0, 1, VOID])[LABELS])
    refused(run, fill(tmp_path / "c", values(0, 255, 255)), "holds 0 and 255", "classes.json")
    refused(
        run, fill(tmp_path / "d", values(0, 1, 2)), "holds the value 2", "0 -> background, 1 -> foreground"
    )


def test_what_was_an_object_stays_one(run_of, tmp_path):
    run = run_of(values(0, 255, 255))
    refused(
        run,
        fill(tmp_path / "b", values(0, 1, 255)),
        "holds the value 1",
        "0 -> background, 255 -> foreground",
    )


def test_a_classes_json_of_other_data_tells_their_values_by_name(run_of, tmp_path):
    run = run_of(values(0, 1, 255))
    entries = [{"name": "foreground", "value": 255}, {"name": "background", "value": 0}]
    other = fill(tmp_path / "b", values(0, 255, 255), entries)
    np.testing.assert_array_equal(truth(run, other), LABELS > 0)
    entries[0]["name"] = "tree"
    (other / "classes.json").write_text(json.dumps(entries))
    refused(run, other, "declares the class 'tree', the run knows background, foreground")


def test_a_network_without_a_table_lends_its_names(tmp_path):
    family = UNet(filters=(2, 4), classes=3, names=("ground", "tree", "house"))
    data = family.configure(Folder(path=str(fill(tmp_path / "a", values(0, 1, 1)))))
    assert data.class_names() == ("ground", "tree", "house")
    entries = [{"name": "house", "value": 7}, {"name": "ground", "value": 9}]
    data = family.configure(Folder(path=str(fill(tmp_path / "b", values(7, 9, 9), entries))))
    np.testing.assert_array_equal(data.samples("train")[0].truth.labels, np.array([2, 0, 0])[LABELS])


def test_a_table_says_it_all():
    table = {"names": ["a", "b"], "entries": [{"name": "a", "value": 0}, {"name": "b", "value": 1}]}
    with pytest.raises(ValueError, match="leave classes and void out"):
        Folder(path="x", void=3, table=table)


def test_data_check_tells_what_values_mean_and_lists_all_problems_where_nobody_knows(tmp_path):
    def checked(folder):
        return CliRunner().invoke(main, ["data", "check", "unet-tiny", "--data", str(folder), "--json"])

    found = checked(fill(tmp_path / "a", values(0, 255, 255)))
    assert found.exit_code == 0
    assert json.loads(found.stdout)["facts"] == {"mask values": "0 -> background, 255 -> foreground"}
    unpaired = fill(tmp_path / "b", values(0, 1, 2))
    for index in range(3):
        (unpaired / "masks" / f"s{index}.png").rename(unpaired / "masks" / f"mask{index}.png")
    found = checked(unpaired)
    assert found.exit_code == 2
    assert len(json.loads(found.stdout)["problems"]) == 6
