"""A data set is known again, and every change of it is told."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest

from kerazoo.data.classification.arrays import Arrays
from kerazoo.data.classification.class_folders import ClassFolders
from kerazoo.data.episodes.by_class import ImageClasses
from kerazoo.data.generated.sources import Cells
from kerazoo.data.identity import SMALL, Identity, identity
from kerazoo.data.segmentation.folders import Folder
from kerazoo.data.translation.unpaired import Unpaired
from kerazoo.files.reading import read_json
from tests.keypoint_files import make_images, person, source, written


def make_image(path, value=0, side=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side, side), value, "uint8"))


@pytest.fixture
def pairs(tmp_path):
    for index in range(5):
        make_image(tmp_path / "data" / "images" / f"{index}.png", index)
        mask = np.zeros((8, 8), "uint8")
        mask[: index + 1] = 255
        make_image(tmp_path / "data" / "masks" / f"{index}.png")
        cv2.imwrite(str(tmp_path / "data" / "masks" / f"{index}.png"), mask)
    return tmp_path / "data"


def known(folder, **settings) -> Identity:
    return identity(Folder(path=str(folder), **settings))


def test_a_copy_elsewhere_is_the_same(pairs, tmp_path):
    shutil.copytree(pairs, tmp_path / "copy", copy_function=shutil.copyfile)  # not its times
    assert known(tmp_path / "copy").digest() == known(pairs).digest()


def test_it_survives_json(pairs, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(known(pairs).plain()))
    assert read_json(tmp_path / "a.json", Identity) == known(pairs)


def removed(folder):
    for kind in ("images", "masks"):
        (folder / kind / "3.png").unlink()


def added(folder):
    for kind in ("images", "masks"):
        shutil.copy(folder / kind / "3.png", folder / kind / "7.png")


def renamed(folder):
    for kind in ("images", "masks"):
        (folder / kind / "3.png").rename(folder / kind / "9.png")


def repainted(folder):
    """The size and the time stay what they were."""
    path = folder / "images" / "2.png"
    before, content = path.stat(), path.read_bytes()
    make_image(path, 3)
    assert len(content) == path.stat().st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def relabelled(folder):
    shutil.copy(folder / "masks" / "4.png", folder / "masks" / "0.png")


def turned(folder):
    classes = [{"name": "cell", "value": 255}, {"name": "glass", "value": 0}]
    (folder / "classes.json").write_text(json.dumps(classes))


CHANGES = {
    removed: ["2 file(s) removed: images/3.png, masks/3.png"],
    added: ["2 file(s) added: images/7.png, masks/7.png"],
    renamed: [
        "2 file(s) removed: images/3.png, masks/3.png",
        "2 file(s) added: images/9.png, masks/9.png",
    ],
    repainted: ["1 file(s) changed: images/2.png"],
    relabelled: ["1 file(s) changed: masks/0.png"],
    turned: [
        "the classes are cell, glass instead of background, foreground",
        "1 file(s) added: classes.json",
    ],
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_is_noticed_and_told(change, pairs):
    before = known(pairs)
    change(pairs)
    now = identity(Folder(path=str(pairs)), before)
    assert now.digest() != before.digest()
    assert before.changes(now) == CHANGES[change]


def test_a_setting_is_a_part_of_the_data(pairs):
    before, now = known(pairs), known(pairs, validation=0.4)
    assert before.changes(now) == ["data.validation is 0.4 instead of 0.2"]
    assert before.digest() != now.digest()
    few, many = identity(Cells(train=3)), identity(Cells(train=4))
    assert few.files == {}
    assert few.changes(many) == ["data.train is 4 instead of 3"]


def test_large_files_are_read_again_only_if_their_time_is_another(pairs):
    path = pairs / "images" / "2.png"
    path.write_bytes(path.read_bytes() + b"\0" * SMALL)  # Pillow does not mind
    before, times = known(pairs), path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert before.changes(identity(Folder(path=str(pairs)), before)) == ["1 file(s) changed: images/2.png"]
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert before.changes(identity(Folder(path=str(pairs)), before)) == []
    assert before.changes(known(pairs)) != []  # where it is read


def by_class(root):
    for name in ("a", "b"):
        for index in range(3):
            make_image(root / name / f"{index}.png", index)


def domains(root):
    by_class(root)
    (root / "a").rename(root / "trainA")
    (root / "b").rename(root / "trainB")
    make_image(root / "trainB" / "0.png", 77)
    make_image(root / "trainB" / "1.png", 78)
    make_image(root / "trainB" / "2.png", 79)


def arrays(root):
    root.mkdir()
    images = np.zeros((6, 4, 4), "uint8")
    np.savez(root / "set.npz", x_train=images, y_train=np.arange(6) % 2)


SOURCES = {
    ClassFolders: (by_class, {"a/1.png"}),
    ImageClasses: (by_class, {"a/1.png"}),
    Unpaired: (domains, {"trainA/1.png", "trainB/2.png"}),
    Arrays: (arrays, {"set.npz"}),
}


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.__name__)
def test_every_source_knows_its_files(kind, tmp_path):
    make, expected = SOURCES[kind]
    make(tmp_path / "data")
    (tmp_path / "data" / "README.txt").write_text("no part of the data")
    found = identity(kind(path=str(tmp_path / "data"))).files
    assert expected <= found.keys()
    assert "README.txt" not in found


def test_annotations_are_a_part_of_the_data(tmp_path):
    before = identity(source(written(make_images(tmp_path), person(), person(2, 2))))
    assert before.files.keys() == {"people.json", "1.png", "2.png"}
    now = identity(source(written(tmp_path, person(area=401), person(2, 2))))
    assert before.changes(now) == ["1 file(s) changed: people.json"]
