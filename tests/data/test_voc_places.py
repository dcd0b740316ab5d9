"""Where Pascal VOC's files may lie: lists of the splits, and XML files in other folders than the images."""

import shutil

import pytest

from tests.data.test_detection_formats import splits_of
from tests.detection_files import make_images, source, truths, voc_object, voc_text, write_voc
from tests.refusals import refusal


def write_lists(folder, **lists):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text)


def moved(path, number, *folders):
    """Copy an image and its XML file into folders of one name, and remove them where they were."""
    for kind, suffix in (("JPEGImages", "png"), ("Annotations", "xml")):
        for folder in folders:
            (path / kind / folder).mkdir(exist_ok=True)
            shutil.copy(path / kind / f"{number}.{suffix}", path / kind / folder)
        (path / kind / f"{number}.{suffix}").unlink()


@pytest.mark.parametrize("place", ["ImageSets/Main", "ImageSets", "imagesets/MAIN"])
def test_lists_lie_in_either_folder(tmp_path, place):
    path = write_voc(tmp_path)
    write_lists(path / place, train="1\n2\n", Valid="3\n")
    assert {split: len(names) for split, names in splits_of(path).items()} == {"train": 2, "val": 1}
    assert path / place / "Valid.txt" in source(path).files()


def test_every_year_has_its_lists(tmp_path):
    for year in ("VOC2007", "VOC2012"):
        write_voc(tmp_path / year)
        write_lists(tmp_path / year / "ImageSets" / "Main", train="1\n", val="2\n")
    write_lists(tmp_path / "VOC2007" / "ImageSets" / "Main", test="3\n")
    assert splits_of(tmp_path) == {
        "train": ["VOC2007/JPEGImages/1.png", "VOC2012/JPEGImages/1.png"],
        "val": ["VOC2007/JPEGImages/2.png", "VOC2012/JPEGImages/2.png"],
        "test": ["VOC2007/JPEGImages/3.png"],
    }
    assert "1 image(s) are in none of its lists" in source(tmp_path).warnings()[0]


def test_lists_of_other_things_are_told(tmp_path):
    path = write_voc(tmp_path)
    write_lists(path / "ImageSets" / "Main", cat_train="1 1\n2 -1\n")
    assert len(splits_of(path)["train"]) == 3
    assert f"{path}/ImageSets: no list is called train.txt" in source(path).warnings()[0]
    write_lists(path / "ImageSets" / "Main", val="1\n", valid="2\n")
    with refusal("val.txt and", "valid.txt are both lists of val"):
        source(path).samples("train")


def test_only_a_flag_is_no_part_of_a_name(tmp_path):
    path = write_voc(tmp_path)
    write_lists(path / "ImageSets" / "Main", train="1 -1\n3\t0\n")
    assert splits_of(path)["train"] == ["JPEGImages/1.png", "JPEGImages/3.png"]
    write_lists(path / "ImageSets" / "Main", train="1 photo\n3\n")
    with refusal("train.txt: line 1 names '1 photo', and there is no such image"):
        source(path).samples("train")


def test_names_in_lists_may_have_folders_and_need_them_where_two_are_called_so(tmp_path):
    path = write_voc(tmp_path)
    moved(path, 1, "a", "b")
    write_lists(path / "ImageSets" / "Main", train="a/1\n2\nJPEGImages/3.png\n", val="b\\1\n")
    names = ["JPEGImages/a/1.png", "JPEGImages/2.png", "JPEGImages/3.png"]
    assert splits_of(path) == {"train": names, "val": ["JPEGImages/b/1.png"]}
    write_lists(path / "ImageSets" / "Main", train="1\n2\n")
    with refusal("line 1 names '1', which may be", "a/1.png or", "b/1.png"):
        source(path).samples("train")


def test_a_file_of_one_split_is_never_of_an_image_of_another(tmp_path):
    text = voc_text(1, [voc_object("cat", (1, 1, 9, 9))])
    for folder, image, file in (("train", "1", "2"), ("test", "2", "1")):
        make_images(tmp_path / folder, image)
        (tmp_path / folder / f"{file}.xml").write_text(text)
    problems = source(tmp_path).survey()[1]
    told = [str(problem).partition(";")[0] for problem in problems]
    assert [line for line in told if line.endswith("has no image")] == [
        f"{tmp_path}/test/1.xml has no image",
        f"{tmp_path}/train/2.xml has no image",
    ]
    assert told[-1].endswith("has no file of boxes (1 more images have none)")


def test_the_name_of_an_xml_file_may_hold_the_images_suffix(tmp_path):
    path = write_voc(tmp_path)
    for file in (path / "Annotations").iterdir():
        file.rename(file.with_suffix(".png.xml"))
    assert {number: len(truth.boxes) for number, truth in truths(path).items()} == {"1": 2, "2": 0, "3": 2}
