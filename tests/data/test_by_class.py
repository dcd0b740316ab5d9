"""Images by class, their splits, and what is drawn from them."""

import zipfile

import numpy as np
import pytest

from kerazoo.data.check import check
from kerazoo.data.episodes.by_class import ImageClasses
from kerazoo.data.episodes.one_shot_runs import OneShotRuns, holds_runs
from kerazoo.data.episodes.sampling import Episodes
from kerazoo.data.generated.sources import Glyphs
from kerazoo.errors import UserError
from kerazoo.families.protonet import ProtoNet
from kerazoo.files import zip_members
from kerazoo.image import write_image

FAMILY = ProtoNet(ways=2, queries=2, training_ways=2, training_queries=2, rotations=False)


def write(root, classes, count=4, first=0):
    """Write images of one grey level each, none like another."""
    for place, name in enumerate(classes):
        for number in range(count):
            image = np.full((30, 30, 3), first + 10 * place + number, "uint8")
            write_image(root / name / f"{number:02}.png", image)
    return root


def source(path, **settings):
    return FAMILY.configure(ImageClasses(path=str(path), **settings))


def names(data):
    return {split: set(data.classes(split).names) for split in ("train", "val", "test")}


def test_whole_classes_are_held_back(tmp_path):
    data = source(write(tmp_path, "abcdefghij"), validation=0.2, test=0.3)
    found = names(data)
    assert {split: len(each) for split, each in found.items()} == {"train": 5, "val": 2, "test": 3}
    assert set.union(*found.values()) == set("abcdefghij")
    assert names(source(tmp_path, validation=0.2, test=0.3, seed=1)) != found


def test_whole_alphabets_are_held_back(tmp_path):
    classes = [f"alphabet{a}/{c}" for a in range(5) for c in "xyz"]
    found = names(source(write(tmp_path, classes, count=1), validation=0.2))
    assert len(found["val"]) == 3
    assert len({name.partition("/")[0] for name in found["val"]}) == 1


@pytest.mark.parametrize("top", ["", "omniglot/"])
def test_omniglot_as_it_comes_in_a_zip(tmp_path, top):
    background = [f"{top}images_background/{a}/character0{c}" for a in ("Greek", "Latin") for c in (1, 2)]
    write(tmp_path, [*background, f"{top}images_evaluation/Tengwar/character01"])
    with zipfile.ZipFile(tmp_path / "o.zip", "w") as archive:
        for path in sorted(tmp_path.rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
    data = source(tmp_path / "o.zip", validation=0.5)
    found = names(data)
    assert found["test"] == {"Tengwar/character01"}
    assert len(found["train"]) == len(found["val"]) == 2
    assert data.classes("test").image(0, 3).image[0, 0, 0] == 43


def test_official_splits_may_name_rotations(tmp_path):
    write(tmp_path / "data", ["Latin/c1", "Latin/c2", "Latin/c3"])
    for split, name in (("train", "c1"), ("val", "c2"), ("test", "c3")):
        lines = "".join(f"Latin/{name}/rot{turn:03}\n" for turn in (0, 90, 180, 270))
        (tmp_path / f"{split}.txt").write_text(lines)
    found = names(source(tmp_path / "data", splits=str(tmp_path)))
    assert found == {"train": {"Latin/c1"}, "val": {"Latin/c2"}, "test": {"Latin/c3"}}
    (tmp_path / "test.txt").write_text("Latin/c9\n")
    with pytest.raises(UserError, match=r"test.txt: there is no class 'Latin/c9'"):
        names(source(tmp_path / "data", splits=str(tmp_path)))
    (tmp_path / "test.txt").write_text("Latin/c1\n")
    with pytest.raises(UserError, match="'Latin/c1' is in two splits"):
        names(source(tmp_path / "data", splits=str(tmp_path)))


def test_an_episode_shows_nothing_twice(tmp_path):
    data = source(write(tmp_path, "abc", count=5), validation=0.0)
    drawing = data.samples("train")[0].truth
    for seed in range(20):
        episode = drawing.sample(np.random.default_rng(seed))
        assert episode.image.shape == (2, 3, 28, 28, 3)
        grey = episode.image[..., 0, 0, 0]
        assert len(set(grey.ravel().tolist())) == 6
        assert len(set(episode.truth.names)) == 2
        for row, name in zip(grey, episode.truth.names, strict=True):
            assert {int(level) // 10 for level in row} == {"abc".index(name)}


def test_what_is_asked_is_always_the_same_and_what_is_trained_on_never():
    data = ProtoNet(training_ways=5).configure(Glyphs(characters=(8, 6, 6), episodes_per_epoch=(3, 4, 4)))
    first, again = (data.samples("val")[1].image for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, data.samples("val")[2].image)
    assert not np.array_equal(first, data.samples("test")[1].image)
    drawing = data.samples("train")[0].truth
    one, other = (drawing.sample(np.random.default_rng(seed)).image for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_turned_images_are_other_classes():
    classes = Glyphs(characters=(3, 2, 2), drawings=4).classes("train")
    draw = Episodes(ways=12, shots=1, queries=0, rotations=True)  # of three characters
    episode = draw.sample(classes, np.random.default_rng(0))
    assert len(set(episode.truth.names)) == 12
    place = episode.truth.names.index("train/character001")
    turned = episode.truth.names.index("train/character001 turned by 90")
    upright = [np.rot90(classes.image(0, n).image) for n in range(4)]
    assert any(np.array_equal(episode.image[turned, 0], image) for image in upright)
    assert not any(np.array_equal(episode.image[place, 0], image) for image in upright)


@pytest.mark.parametrize(
    ("classes", "count", "told"),
    [
        (["only"], 4, "cannot be divided"),
        (["a", "b"], 4, "1 classes, an episode 2 ways"),
        (["a", "b", "c"], 1, "has 1 image"),
    ],
)
def test_too_little_to_draw_from_is_told(tmp_path, classes, count, told):
    data = source(write(tmp_path, classes, count))
    with pytest.raises(UserError, match=told):
        data.samples("train")


def test_broken_archives_are_told(tmp_path, monkeypatch):
    path = tmp_path / "o.zip"
    with pytest.raises(UserError, match="does not exist"):
        source(path).samples("train")
    path.write_bytes(b"PK\3\4 and no more")
    with pytest.raises(UserError, match="File is not a zip file"):
        source(path).samples("train")
    write(tmp_path, "abcd")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(tmp_path.rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path))
    whole = path.read_bytes()
    at = whole.index(b"IDAT")
    path.write_bytes(whole[:at] + b"\0\0\0\0" + whole[at + 4 :])
    problems = check(source(path, validation=0.5)).problems
    assert len(problems) == 1
    assert "a/00.png" in problems[0]
    monkeypatch.setattr(zip_members, "LARGEST", 10)
    assert "unpacks to" in check(source(path, validation=0.5)).problems[0]


def test_the_check_tells_of_images_in_two_splits(tmp_path):
    write(tmp_path / "train", "abc")
    write(tmp_path / "val", "xy")
    report = check(source(tmp_path))
    assert report.splits == {"train": 12, "val": 8}
    assert report.problems == ()
    assert any(line.startswith("  0 a") for line in report.lines())
    assert any("val/x/00.png (val) are the same image" in line for line in report.warnings)
    write(tmp_path / "val", "a")
    assert "the class 'a' is in two splits" in check(source(tmp_path)).problems[0]


LINES = """run01/test/item01.png run01/training/class02.png
run01/test/item02.png run01/training/class01.png
"""


def runs(path, lines=LINES):
    with zipfile.ZipFile(path, "w") as archive:
        for place, name in enumerate(("test/item01", "test/item02", "training/class01", "training/class02")):
            file = path.parent / "x.png"
            write_image(file, np.full((20, 20, 3), 10 * place, "uint8"))
            archive.write(file, f"run01/{name}.png")
        archive.writestr("run01/class_labels.txt", lines)
    return path


def test_official_runs_are_episodes(tmp_path):
    path = runs(tmp_path / "all_runs.zip")
    assert holds_runs(path)
    assert isinstance(FAMILY.source_for(str(path))(path=str(path)), OneShotRuns)
    (episode,) = FAMILY.configure(OneShotRuns(path=str(path))).samples("test")
    assert episode.image.shape == (2, 2, 28, 28, 3)
    assert episode.image[..., 0, 0, 0].tolist() == [[30, 0], [20, 10]]
    with pytest.raises(UserError, match="class_labels.txt names"):
        OneShotRuns(path=str(runs(path, "run01/test/item01.png run01/training/class09.png\n"))).samples("val")
    with pytest.raises(UserError, match="class_labels.txt holds no line"):
        OneShotRuns(path=str(runs(path, "\n"))).samples("val")
    windows = FAMILY.configure(OneShotRuns(path=str(runs(path, LINES.replace("/", "\\")))))
    assert windows.samples("test")[0].image.shape == (2, 2, 28, 28, 3)


def test_many_classes_are_told_in_a_line():
    report = check(ProtoNet().configure(Glyphs(characters=(101, 8, 8), drawings=20, size=(16, 16))))
    (line,) = [line for line in report.lines() if line.startswith("classes")]
    assert "117, each 0.85% to 0.85% of the images" in line
