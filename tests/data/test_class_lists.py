"""Which folders of images are classes and of which split, as people name and fill them."""

import zipfile

import pytest

from kerazoo.data.check import check
from kerazoo.data.episodes.by_class import ImageClasses
from kerazoo.engine.inspect import inspected
from kerazoo.errors import UserError
from kerazoo.families.protonet import ProtoNet
from kerazoo.families.siamese import Siamese
from kerazoo.recipe import load_recipe
from kerazoo.settings import replace
from tests.data.test_by_class import names, source, write


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("Train", "Valid", "TEST"), ("training_set", "dev", "Testing"), ("x/train", "x/Val", "x/test")],
)
def test_splits_are_known_in_any_capitals(tmp_path, train, val, test):
    write(tmp_path, [f"{train}/a", f"{train}/b", f"{val}/c", f"{test}/d"])
    assert names(source(tmp_path)) == {"train": {"a", "b"}, "val": {"c"}, "test": {"d"}}


@pytest.mark.parametrize(
    ("train", "test"), [("seg_train", "seg_test"), ("train1/train1", "test1/test1"), ("x/trainA", "x/testA")]
)
def test_a_word_in_a_name_tells_a_split_beside_another(tmp_path, train, test):
    write(tmp_path, [f"{train}/a", f"{train}/b", f"{test}/c"])
    assert names(source(tmp_path, validation=0.0)) == {"train": {"a", "b"}, "val": set(), "test": {"c"}}
    write(tmp_path, [f"{test}/a"])
    with pytest.raises(UserError, match="the class 'a' is in two splits; whole classes are held back"):
        names(source(tmp_path))


def test_groups_of_the_same_classes_are_suspected_aloud(tmp_path):
    data = source(write(tmp_path, ["Original/cat", "Original/dog", "Augmented/cat", "Augmented/dog"]))
    assert "'Augmented' and 'Original' hold the same folders, such as 'cat'; each is a" in data.warnings()[0]


def test_alphabets_number_their_characters_alike(tmp_path):
    assert not source(write(tmp_path, ["Greek/c01", "Greek/c02", "Latin/c01", "Latin/c02"])).warnings()


def test_a_remedy_names_a_setting_that_the_family_has(tmp_path):
    data = ImageClasses(path=str(write(tmp_path, "abcd")))
    for family, setting in (
        (Siamese(loss="triplet"), "mined_classes"),
        (ProtoNet(training_ways=60), "training_ways"),
    ):
        problems = map(str, family.configure(data).sampling_problems())
        told = next(line for line in problems if "(train) has" in line)
        assert told.endswith(f"; add classes, or set family.{setting} to fewer")
        assert hasattr(family, setting)


def test_official_splits_may_have_capitals_and_windows_separators(tmp_path):
    write(tmp_path / "data", ["Latin/c1", "Latin/rotunda", "Latin/c3"])
    for file, line in (
        ("Train.TXT", "Latin\\c1\\rot000"),
        ("valid.txt", "Latin\\rotunda"),
        ("test.txt", "Latin/c3"),
    ):
        (tmp_path / file).write_bytes(f"{line}\r\n".encode())
    found = names(source(tmp_path / "data", splits=str(tmp_path)))
    assert found == {"train": {"Latin/c1"}, "val": {"Latin/rotunda"}, "test": {"Latin/c3"}}
    (tmp_path / "test.txt").unlink()
    with pytest.raises(UserError, match=r"has no test.txt; data.splits wants three files"):
        names(source(tmp_path / "data", splits=str(tmp_path)))


def test_an_empty_list_of_classes_leaves_nothing_to_train_on(tmp_path):
    write(tmp_path / "data", "ab")
    for split, text in (("train", "\n\n"), ("val", "a"), ("test", "b")):
        (tmp_path / f"{split}.txt").write_text(text)
    data = ImageClasses(path=str(tmp_path / "data"), splits=str(tmp_path))
    recipe = replace(load_recipe("protonet-tiny"), {"data": data, "family.ways": 2})
    (problem,) = inspected(recipe).problems
    assert problem == "the data have no train samples; train needs both: see data.validation"


def test_classes_that_are_in_two_splits_are_counted(tmp_path):
    write(tmp_path, ["Train/cat", "Train/dog", "Test/cat", "Test/dog"])
    with pytest.raises(UserError, match=r"the class 'cat' is in two splits \(and 1 more\); whole classes"):
        names(source(tmp_path))


def test_a_class_that_is_called_like_a_split_is_suspected_aloud(tmp_path):
    data = source(write(tmp_path, ["bus", "car", "train", "cat/test"]))
    assert names(data)["train"] | names(data)["val"] == {"bus", "car", "train", "cat/test"}
    first, second = data.warnings()
    assert f"{tmp_path}: cat/test is called like a split, but it holds images itself" in first
    assert "train is called like a split" in second
    assert data.warnings() == list(check(data).warnings)


def test_images_in_a_class_and_in_folders_inside_it_are_suspected_aloud(tmp_path):
    data = source(write(tmp_path, ["cat", "cat/extra", "dog", "cow"]))
    (warning,) = data.warnings()
    assert "cat holds images and so does cat/extra; each folder is a class of its own" in warning


@pytest.mark.parametrize("zipped", [False, True])
def test_images_beside_the_classes_are_problems(tmp_path, zipped):
    write(tmp_path, [".", "Train", "Train/a", "Train/b", "Train/c", "val/d", "val/e"], count=2)
    path = tmp_path / "d.zip" if zipped else tmp_path
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(tmp_path.rglob("*.png")):
                archive.write(file, file.relative_to(tmp_path))
    data = ImageClasses(path=str(path))
    problems = [
        f"{path}: {name} lies in no class folder"
        for name in ("00.png", "01.png", "Train/00.png", "Train/01.png")
    ]
    assert [line.partition(";")[0] for line in check(data).problems] == problems
    assert names(data) == {"train": {"a", "b", "c"}, "val": {"d", "e"}, "test": set()}
    with pytest.raises(UserError, match="lies in no class folder"):
        data.samples("train")


def test_what_systems_leave_behind_is_no_class(tmp_path):
    write(tmp_path, ["a", "b", "c", "__MACOSX/a", ".ipynb_checkpoints", "@eaDir/a"])
    data = source(tmp_path, validation=0.4)
    assert names(data)["train"] | names(data)["val"] == {"a", "b", "c"}
    assert not data.warnings()
    assert not data.problems()


def test_a_class_is_the_same_however_its_letters_are_composed(tmp_path):
    write(tmp_path / "data", ["Za\u0308une", "b", "c"])
    for split, name in (("train", "Z\u00e4une"), ("val", "b"), ("test", "c")):
        (tmp_path / f"{split}.txt").write_text(name, encoding="utf-8")
    assert names(source(tmp_path / "data", splits=str(tmp_path)))["train"] == {"Z\u00e4une"}
    write(tmp_path / "data", ["bad\nname"])
    with pytest.raises(UserError, match=r"the folder 'bad\\nname' has a name that cannot be printed"):
        names(source(tmp_path / "data"))


def test_every_class_that_is_too_small_is_told_with_a_setting_that_helps(tmp_path):
    for count, classes in ((1, ["one", "solo"]), (4, ["a", "b", "c"])):
        write(tmp_path / "train", classes, count)
    write(tmp_path / "val", ["x", "y"], 3)
    family = ProtoNet(ways=2, queries=3, training_ways=2, training_queries=2, rotations=False)
    data = family.configure(ImageClasses(path=str(tmp_path)))
    problems = [str(problem) for problem in data.sampling_problems()]
    named = [line.partition("class '")[2].partition("'")[0] for line in problems]
    assert named == ["one", "solo", "x", "y"]
    assert (
        "(train): class 'one' has 1 image(s), an episode takes 3 of each (1 shots and 2 queries)"
        in problems[0]
    )
    assert problems[0].endswith("or set family.training_queries to fewer")
    assert problems[2].endswith("or set family.queries to fewer")


def test_one_image_of_a_person_is_told_by_the_check_as_by_the_training(tmp_path):
    write(tmp_path / "train", ["ann", "bob"], 2)
    write(tmp_path / "train", ["solo"], 1)
    data = Siamese(loss="contrastive").configure(ImageClasses(path=str(tmp_path), validation=0.0))
    (problem,) = data.sampling_problems()
    assert "class 'solo' has 1 image(s), a pair takes 2 of one; add some, or remove the class" in str(problem)
    with pytest.raises(UserError, match="class 'solo' has 1"):
        data.samples("train")
