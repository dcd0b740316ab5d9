"""How image files are read is a setting of the data; what is passed over or comes out dark is told."""

import dataclasses
import os
import zipfile

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.data.check import check
from kerazoo.data.classification.class_folders import ClassFolders
from kerazoo.data.dark import LOOKED_AT
from kerazoo.data.episodes.by_class import ImageClasses
from kerazoo.data.segmentation.folders import Folder
from kerazoo.data.translation.unpaired import Unpaired
from kerazoo.image import write_image
from kerazoo.recipe import load_recipe, source
from kerazoo.run import create_run
from kerazoo.settings import from_plain, to_plain

LEVELS = np.arange(48 * 64).reshape(48, 64)
"""12 bits: 0 to 3071."""


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, array)
    else:
        write_image(path, array)


def microscope(root, count=6, kind="uint16"):
    """Images of 12 bits, and their masks."""
    for number in range(count):
        write(root / f"images/m{number}.tif", np.roll(LEVELS, number).astype(kind))
        write(root / f"masks/m{number}.png", (LEVELS > 900).astype("uint8") * 255)
    return root


def test_twelve_bits_in_sixteen_are_warned_of_and_mended(tmp_path):
    data = Folder(path=str(microscope(tmp_path)))
    (warning,) = check(data).warnings
    assert "images of 16 bits hold numbers up to 3071 only" in warning
    assert "12 bits, --set data.range=[0,4095]" in warning
    mended = dataclasses.replace(data, range=(0, 4095))
    assert not check(mended).warnings
    image = mended.samples("val")[0].image
    assert image.max() == round(3071 * 255 / 4095)
    assert data.samples("val")[0].image.max() == 3071 // 256


def test_sixteen_bits_that_are_filled_are_not_warned_of(tmp_path):
    microscope(tmp_path, count=3)
    write(tmp_path / "images/m9.tif", (LEVELS * 21).astype("uint16"))
    write(tmp_path / "masks/m9.png", (LEVELS > 900).astype("uint8"))
    assert not Folder(path=str(tmp_path)).warnings()


def test_of_many_images_some_are_looked_at(tmp_path, monkeypatch):
    looked_at = []
    monkeypatch.setattr("kerazoo.data.dark.largest_value", lambda path, how: looked_at.append(path))
    for number in range(3 * LOOKED_AT):
        write(tmp_path / f"{number % 2}" / f"{number}.png", np.zeros((2, 2), "uint8"))
    ClassFolders(path=str(tmp_path)).warnings()
    assert len(looked_at) == LOOKED_AT


@pytest.mark.parametrize("kind", [ClassFolders, ImageClasses])
def test_files_that_are_not_read_are_counted(tmp_path, kind):
    for name in "ab":
        write(tmp_path / name / "1.png", np.full((9, 9), ord(name), "uint8"))
        for number in range(4):
            (tmp_path / name / f"{number}.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
        (tmp_path / name / "Thumbs.db").touch()
    write(tmp_path / "__MACOSX/a/1.png", np.zeros((9, 9), "uint8"))
    data = kind(path=str(tmp_path))
    assert data.class_names() == ("a", "b")
    (line,) = data.warnings()
    assert f"files in {tmp_path} that are not read: 8 .heic, such as {tmp_path}/a/0.HEIC" in line


def test_files_in_an_archive_that_are_not_read_are_counted(tmp_path):
    write(tmp_path / "1.png", np.zeros((9, 9), "uint8"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a/1.png", "b/1.png", "__MACOSX/a/._1.png"):
            archive.write(tmp_path / "1.png", name)
        archive.writestr("a/2.heic", "x")
    data = ImageClasses(path=str(tmp_path / "a.zip"))
    assert data.class_names() == ("a", "b")
    assert "not read: 1 .heic, such as a/2.heic" in data.warnings()[0]


def test_faces_in_pgm_files_are_read(tmp_path):
    """A class per person, as published collections of faces have them."""
    for person in ("s1", "s2"):
        for number in range(4):
            (tmp_path / person).mkdir(exist_ok=True)
            (tmp_path / person / f"{number}.pgm").write_bytes(b"P5 3 2 255\n" + bytes([number] * 6))
    report = check(ClassFolders(path=str(tmp_path), validation=0.25))
    assert (report.splits, report.problems) == ({"train": 6, "val": 2}, ())
    assert report.sizes["smallest"] == (2, 3)


def test_a_pipe_among_the_images_is_a_problem_and_no_hang(tmp_path):
    for domain, level in (("A", 10), ("B", 20)):
        for number in range(3):
            write(tmp_path / f"train{domain}/{number}.png", np.full((9, 9), level + number, "uint8"))
        os.mkfifo(tmp_path / f"train{domain}/pipe.png")
    problems = check(Unpaired(path=str(tmp_path))).problems
    assert [problem.partition(" is ")[2][:18] for problem in problems] == ["a pipe or a device"] * 2


def test_pages_and_channels_are_settings_of_the_data(tmp_path):
    for number in range(3):
        stack = np.stack([np.full((9, 9), level, "uint8") for level in (10, 20, 30)])
        write(tmp_path / f"images/{number}.tif", np.concatenate([stack, stack]))
        write(tmp_path / f"masks/{number}.png", np.eye(9, dtype="uint8"))
    problems = check(Folder(path=str(tmp_path))).problems
    assert len(problems) == 3
    assert all("holds 6 pages" in problem for problem in problems)
    assert Folder(path=str(tmp_path), page=4).samples("val")[0].image.max() == 20


def test_other_data_of_a_run_are_read_like_its_own(tmp_path):
    recipe = load_recipe("unetpp-tiny")
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, range=(0, 4095)))
    other = source(recipe, [], str(microscope(tmp_path)))
    assert (type(other), other.range) == (Folder, (0, 4095))
    assert source(recipe, ["data.range=[0,1023]"], str(tmp_path)).range == (0, 1023)
    assert from_plain(to_plain(other)) == other


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of an untrained network."""
    recipe, folder = load_recipe("unetpp-tiny"), tmp_path_factory.mktemp("run") / "run"
    return create_run(recipe, folder, recipe.family.build())


def predicted(run, *arguments):
    return CliRunner().invoke(main, ["predict", str(run.folder), *map(str, arguments)])


def test_predict_reads_as_it_is_told(run, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(type(run.family), "draw", lambda _, image, result: seen.append(image) or image)
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([LEVELS, LEVELS + 100]).astype("uint16"))
    asked = (tmp_path / "stack.tif", "--output", tmp_path / "p")
    assert "holds 2 pages" in predicted(run, *asked).stderr
    told = predicted(run, *asked, "--set", "data.page=1", "--set", "data.range=[0,4095]")
    assert told.exit_code == 0, told.output
    np.testing.assert_array_equal(seen[0][..., 0], np.rint((LEVELS + 100) * (255 / 4095)))


def test_predict_counts_what_it_does_not_read(run, tmp_path):
    write(tmp_path / "in/a.png", np.zeros((32, 32), "uint8"))
    for number in range(2):
        (tmp_path / f"in/{number}.heic").touch()
    told = predicted(run, tmp_path / "in", "--output", tmp_path / "p")
    assert told.exit_code == 0
    assert f"warning: files in {tmp_path}/in that are not read: 2 .heic" in told.stderr
