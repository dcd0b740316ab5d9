"""Which mask belongs to which image, and to which split."""

import unicodedata

import numpy as np
import pytest

from kerazoo.data.check import check
from kerazoo.data.segmentation.folders import Folder
from kerazoo.data.segmentation.pairing import find_split_folders, list_pairs, unseen_split_warnings
from kerazoo.errors import UserError
from kerazoo.image import write_image

MASK = np.kron(np.arange(2, dtype="uint8")[None], np.ones((8, 8), "uint8"))


def write(root, images, masks):
    """Write an image, each of its own colour, or a mask for every name."""
    for index, name in enumerate(images):
        write_image(root / "images" / name, np.full((8, 16, 3), index, "uint8"))
    for name in masks:
        write_image(root / "masks" / name, MASK)
    return root


def paired(root):
    listing = list_pairs(find_split_folders(root)["train"])
    assert listing.problems == []
    return {pair.image.name: pair.mask.name for pair in listing.pairs}


def problems(root):
    return list(map(str, list_pairs(find_split_folders(root)["train"]).problems))


def test_a_mask_may_carry_its_images_suffix(tmp_path):
    names = ["IMG.0.JPG", "b.jpg", "c.png"]
    root = write(tmp_path, names, ["IMG.0.JPG.png", "b.jpg_mask.png", "c.png"])
    assert paired(root) == {"IMG.0.JPG": "IMG.0.JPG.png", "b.jpg": "b.jpg_mask.png", "c.png": "c.png"}


def test_images_of_one_stem_are_told_apart_by_their_suffixes(tmp_path):
    assert paired(write(tmp_path, ["a.jpg", "a.png"], ["a.jpg.png", "a.png.png"])) == {
        "a.jpg": "a.jpg.png",
        "a.png": "a.png.png",
    }


def test_umlauts_of_a_mac_are_those_of_linux(tmp_path):
    name = "Zäune 学校.png"
    decomposed, composed = (unicodedata.normalize(form, name) for form in ("NFD", "NFC"))
    assert decomposed != composed
    assert paired(write(tmp_path, [decomposed], [composed])) == {decomposed: composed}


def test_files_without_a_partner_and_two_masks_of_one_image_are_told(tmp_path):
    root = write(tmp_path, ["a.png", "b.png", "c.png", "c.bmp"], ["a.png", "a.png.png", "c.png", "d.png"])
    told = problems(root)
    assert len(told) == 4
    assert "a.png.png and a.png are both masks of" in told[0]
    assert "c.png and c.bmp share a name" in told[1]
    assert "d.png has no image in" in told[2]
    assert "b.png has no mask; add" in told[3]


def test_where_no_image_has_its_mask_all_are_told(tmp_path):
    report = check(Folder(path=str(write(tmp_path, ["a.png", "b.png"], ["x.png"]))))
    assert len(report.problems) == 3
    assert len([line for line in report.problems if "has no mask" in line]) == 2
    assert len([line for line in report.problems if "x.png has no image" in line]) == 1
    with pytest.raises(UserError, match=r"x.png has no image"):
        Folder(path=str(tmp_path)).class_names()


@pytest.mark.parametrize("inside", [True, False])
def test_splits_are_folders_of_images_or_inside_of_images(tmp_path, inside):
    for split, count in (("Train", 3), ("valid", 2), ("TEST", 1)):
        for kind, content in (("images", np.dstack([MASK] * 3)), ("masks", MASK)):
            parts = (kind, split) if inside else (split, kind)
            for index in range(count):
                write_image(tmp_path.joinpath(*parts, f"{index}.png"), content)
    source = Folder(path=str(tmp_path))
    assert [len(source.samples(split)) for split in ("train", "val", "test")] == [3, 2, 1]
    assert [sample.name for sample in source.samples("val")] == ["valid/0.png", "valid/1.png"]


def test_one_split_inside_and_another_beside_are_both_used(tmp_path):
    write(tmp_path, ["train/a.png"], ["Train/a.png"])
    write(tmp_path / "val", ["b.png"], ["b.png"])
    assert find_split_folders(tmp_path).keys() == {"train", "val"}


def test_splits_that_contradict_each_other_are_refused(tmp_path):
    def refused(root, told):
        with pytest.raises(UserError, match=told):
            find_split_folders(root)

    write(write(tmp_path / "a", ["x.png"], ["x.png"]) / "train", ["y.png"], ["y.png"])
    refused(tmp_path / "a", "both hold images of train")
    refused(write(tmp_path / "b", ["train/x.png"], ["x.png"]), "is a folder of train, .*masks has none")
    refused(
        write(tmp_path / "c", ["train/x.png", "y.png"], ["train/x.png"]),
        "y.png is in none of the folders train",
    )
    mixed = write(tmp_path / "d", ["train/x.png", "bus/x.png"], ["train/x.png", "bus/x.png"])
    refused(mixed, r"bus/x.png is in none of the folders train .* call them otherwise if they are no splits")


def test_all_that_is_wrong_with_all_splits_is_told(tmp_path):
    write(tmp_path / "train", ["a.png", "b.png"], ["a.png"])
    write(tmp_path / "val", ["c.png"], ["c.png", "d.png"])
    (tmp_path / "test" / "images").mkdir(parents=True)
    (tmp_path / "test" / "masks").mkdir()
    told = "\n".join(check(Folder(path=str(tmp_path))).problems)
    for words in ("b.png has no mask", "d.png has no image", "images holds no images"):
        assert words in told


@pytest.mark.parametrize(
    ("train", "test"), [("train2017", "val2017"), ("seg_train", "seg_val"), ("Training_data", "validation1")]
)
def test_a_word_in_a_name_tells_a_split_beside_another(tmp_path, train, test):
    names = [f"{train}/a.png", f"{test}/b.png"]
    found = find_split_folders(write(tmp_path / "inside", names, names))
    assert {split: place.images.name for split, place in found.items()} == {"train": train, "val": test}
    for name in (train, test):
        write(tmp_path / "beside" / name, ["a.png"], ["a.png"])
    found = find_split_folders(tmp_path / "beside")
    assert {split: place.images.parent.name for split, place in found.items()} == {
        "train": train,
        "val": test,
    }


def test_a_single_word_of_a_split_in_a_name_is_none(tmp_path):
    names = ["bullet-train/a.png", "tram/b.png"]
    assert list(find_split_folders(write(tmp_path, names, names))) == ["train"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("fold1", "fold2"), "fold1, fold2"),
        (("val_part", "rest"), "val_part"),
        (("train_part", "rest"), "train_part"),
        (("a/holdout", "a/rest"), "holdout"),
    ],
)
def test_folders_that_look_like_splits_and_are_none_are_warned_about(tmp_path, names, told):
    files = [f"{name}/{index}.png" for name in names for index in range(3)]
    warning = Folder(path=str(write(tmp_path, files, files))).warnings()[0]
    assert f"images holds the folders {told}, which are not seen as splits" in warning
    assert "call them train, val and test, in masks/ too" in warning


def test_folders_of_other_words_are_not_taken_for_splits(tmp_path):
    files = [f"{name}/a.png" for name in ("valley", "latest", "scaffold", "folder", "train")]
    for root, names in ((tmp_path / "a", files[:4]), (tmp_path / "b", files[4:])):
        (place,) = find_split_folders(write(root, names, names)).values()
        assert unseen_split_warnings(place, "train") == []
