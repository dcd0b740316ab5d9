"""Lists of pairs, such as LFW's: what they may look like, and what is wrong with broken ones."""

import numpy as np
import pytest

from kerazoo.data.episodes.pair_list import PairList, is_list
from kerazoo.errors import UserError
from kerazoo.families.siamese import Siamese
from kerazoo.image import write_image


@pytest.fixture
def folder(tmp_path):
    """Four images of different sizes, one below a folder."""
    for n, name in enumerate(("a.png", "b.png", "c c.png", "deep/d.png")):
        write_image(tmp_path / name, np.full((20 + n, 30, 3), 50 * n, "uint8"))
    return tmp_path


def listed(folder, text, name="pairs.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return Siamese(size=(16, 24)).configure(PairList(path=str(folder / name)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pairs.csv", "a.png,b.png,1\na.png,deep/d.png,0\n\n"),
        ("pairs.csv", "first,second,alike\na.png, b.png, true\r\na.png,deep/d.png,false"),
        ("pairs.txt", "a.png b.png same\na.png deep/d.png different\n"),
        ("pairs.txt", "a.png b.png 1\na.png deep\\d.png -1\n"),
        ("pairs.tsv", "\ufeffa.png\tb.png\t1\na.png\tdeep/d.png\t0"),
    ],
)
def test_a_line_is_a_pair(folder, name, text):
    (sample,) = listed(folder, text, name).samples("test")
    assert sample.image.shape == (2, 2, 16, 24, 3)
    assert sample.image[:, :, 0, 0, 0].tolist() == [[0, 50], [0, 150]]
    assert sample.truth.alike.tolist() == [True, False]


def test_names_may_have_spaces_and_pairs_are_grouped_in_their_order(folder):
    data = listed(folder, 'a.png,"c c.png",1\n' + "a.png,b.png,0\n" * 39)
    first, second = data.samples("val")
    assert [len(sample.image) for sample in (first, second)] == [32, 8]
    assert first.truth.alike.tolist() == [True] + [False] * 31
    assert data.class_names() == ("different", "alike")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no pair"),
        ("a.png,b.png,1\na.png,b.png\n", "line 2 is no pair"),
        ("a.png,b.png,1\na.png,b.png,maybe\n", "line 2 is no pair"),
        ("a.png,b.png,1\na.png,gone.png,0\n", "line 2 names gone.png"),
        ("a.png,b.png,2", "line 1 is no pair"),
        ("a.png,b.png,0\nb.png,b.png,0\n", "line 2 calls b.png different from itself; write 1 where two are"),
        ("a.png,b.png,1\na.png,b\0.png,0\n", r"line 2 names b\\u0000.png, which is not there"),
        (f"a.png,{'x' * 9999}.png,0\n", "line 1 names x{200}, which"),
        (f"a.png,{'x' * 2**21}.png,0\n", "line 1 cannot be read: field larger"),
        ("a 1 2\n", r"line 1 names a/a_0001.\*, which is not there"),
        ("a.png,/other/a.png,1\na.png,/elsewhere/b.png,1\n", "line 2 names /elsewhere/b.png"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(folder, text, told):
    with pytest.raises(UserError, match=told):
        listed(folder, text).samples("val")


LFW = """2\t1
Ana Guevara\t1\t3
Ana Guevara\t2\tBob\t1
Bob\t1\t2
Bob\t2\tAna Guevara\t1
"""


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_lfw_is_read_as_it_is(tmp_path, suffix):
    for n, name in enumerate(("Ana Guevara", "Bob")):
        for number in range(1, 4):
            image = np.full((20, 20, 3), 100 * n + 20 * number, "uint8")
            write_image(tmp_path / name / f"{name}_{number:04}.{suffix}", image)
    (sample,) = listed(tmp_path, LFW, "pairs.txt").samples("test")
    assert sample.image[:, :, 0, 0, 0].tolist() == [[20, 60], [40, 120], [120, 140], [140, 20]]
    assert sample.truth.alike.tolist() == [True, False, True, False]
    (sample,) = listed(tmp_path, LFW.partition("\n")[2], "pairs.txt").samples("test")  # of a fold alone
    assert sample.truth.alike.tolist() == [True, False, True, False]
    with pytest.raises(UserError, match="its first line tells 4 pairs, it has 3; download it again"):
        listed(tmp_path, LFW.rpartition("Bob")[0], "pairs.txt").samples("test")


@pytest.mark.parametrize("place", ["/mnt/ann/faces/", "C:\\Users\\Ann\\faces\\", "\\\\server\\faces\\"])
def test_names_of_another_machine_are_found_by_their_ends(folder, place):
    data = listed(folder, f"{place}a.png,{place}b.png,1\n{place}a.png,{place}deep/d.png,0\n")
    (sample,) = data.samples("test")
    assert sample.image[:, :, 0, 0, 0].tolist() == [[0, 50], [0, 150]]
    (warning,) = data.warnings()
    assert place.replace("\\", "/") in warning
    assert f"taken from {folder} instead" in warning


def test_absolute_names_that_are_there_need_no_warning(folder):
    data = listed(folder, f"{folder / 'a.png'},b.png,1\n")
    assert data.samples("test")[0].image[0, :, 0, 0, 0].tolist() == [0, 50]
    assert not data.warnings()


def test_broken_lists_and_images(folder):
    (folder / "pairs.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UserError, match="no text in UTF-8"):
        PairList(path=str(folder / "pairs.csv")).samples("val")
    with pytest.raises(UserError, match=r"gone.csv does not exist; check the path, or give a run's new one"):
        PairList(path=str(folder / "gone.csv")).samples("val")
    (folder / "b.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="b.png is not an image"):
        listed(folder, "a.png,b.png,1").samples("val")[0]
    with pytest.raises(UserError, match="evaluate"):
        listed(folder, "a.png,b.png,1").survey()


def test_a_list_is_told_by_its_name(folder):
    family = Siamese()
    assert family.source_for(str(folder / "pairs.csv")) is PairList
    assert family.source_for(str(folder)) is not PairList
    assert not is_list(folder)
