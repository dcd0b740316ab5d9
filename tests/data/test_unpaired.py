import numpy as np
import pytest

from kerazoo.data.augment import Augmentation, augment
from kerazoo.data.check import check
from kerazoo.data.generated.sources import Landscapes
from kerazoo.data.translation.unpaired import Unpaired
from kerazoo.errors import UserError
from kerazoo.image import write_image
from kerazoo.structures.images import Real


@pytest.fixture
def folder(tmp_path):
    """Six images of A and four of B of 20 x 30 pixels, A bright and B dark; two of each for tests."""
    rng = np.random.default_rng(0)
    for name, low, count in (("trainA", 150, 6), ("trainB", 0, 4), ("testA", 150, 2), ("testB", 0, 2)):
        for n in range(count):
            write_image(
                tmp_path / name / f"{n}.png", rng.integers(low, low + 100, (20, 30, 3)).astype("uint8")
            )
    return tmp_path


def test_training_goes_through_the_larger_domain_with_partners_of_the_other(folder):
    samples = Unpaired(path=str(folder), validation=0.0).samples("train")
    assert len(samples) == 6
    assert all(sample.image.min() >= 150 for sample in samples)
    drawn = augment(samples[0], Augmentation(crop=(16, 16)), np.random.default_rng(0))
    assert drawn.image.shape == drawn.truth.image.shape == (16, 16, 3)
    assert (drawn.truth.domain, drawn.truth.image.max() < 100) == (1, True)


def test_partners_are_drawn_anew_and_move_by_themselves(folder):
    sample = Unpaired(path=str(folder), validation=0.0).samples("train")[0]
    partners = {
        augment(sample, Augmentation(), np.random.default_rng(n)).truth.image.tobytes() for n in range(40)
    }
    assert len(partners) == 4
    rng = np.random.default_rng(0)
    flips = set()
    for _ in range(200):
        moved = augment(sample, Augmentation(flip=True), rng)
        flips.add((np.array_equal(moved.image, sample.image), moved.truth.image.tobytes()))
    assert len(flips) == 16  # two ways round of the image, eight of partners


def test_a_domain_that_is_smaller_comes_round_again(folder):
    for n in range(4, 9):
        write_image(folder / "trainB" / f"{n}.png", np.full((20, 30, 3), n, "uint8"))
    assert len(Unpaired(path=str(folder), validation=0.0).samples("train")) == 9


def test_splits_and_sizes(folder):
    data = Unpaired(path=str(folder), size=(24, 24), validation=0.25)
    assert data.samples("train")[0].image.shape == (24, 24, 3)
    validation = data.samples("val")
    assert [sample.truth.domain for sample in validation] == [0, 1, 0]
    assert validation[0].image.shape == (20, 30, 3)
    assert [sample.name for sample in data.samples("test")] == [
        "testA/0.png", "testB/0.png", "testA/1.png", "testB/1.png"
    ]  # fmt: skip


def test_the_check_reads_both_domains(folder):
    report = check(Unpaired(path=str(folder), names=("bright", "dark")))
    assert not report.problems
    assert sum(report.splits.values()) == 14
    assert report.classes == {"bright": pytest.approx(8 / 14), "dark": pytest.approx(6 / 14)}
    (folder / "trainB" / "0.png").write_bytes(b"no image")
    assert "trainB/0.png" in check(Unpaired(path=str(folder))).problems[0]


@pytest.mark.parametrize(
    "name", ["{split}{domain}", "{split}_{domain}", "{split}/{domain}"], ids=["together", "apart", "nested"]
)
def test_splits_and_domains_are_known_in_any_capitals(folder, name):
    for split, called in (("train", "Training"), ("test", "TEST")):
        for domain, letter in (("A", "a"), ("B", "B")):
            target = folder / name.format(split=called, domain=letter)
            target.parent.mkdir(exist_ok=True)
            (folder / f"{split}{domain}").rename(target)
    data = Unpaired(path=str(folder), validation=0.25)
    assert len(data.samples("train")) == 4
    assert [sample.truth.domain for sample in data.samples("val")] == [0, 1, 0]
    assert [sample.image.min() >= 150 for sample in data.samples("test")] == [True, False, True, False]
    (folder / "a").mkdir()
    with pytest.raises(UserError, match="same split and domain; keep one"):
        Unpaired(path=str(folder)).samples("train")


def test_a_domain_that_cannot_be_divided_is_named_and_the_rest_is_read(folder):
    for n in range(1, 4):
        (folder / "trainB" / f"{n}.png").unlink()
    (folder / "trainB" / "0.png").write_bytes(b"no image")
    problems = check(Unpaired(path=str(folder))).problems
    assert len(problems) == 2
    assert f"{folder / 'trainB'}: 1 image(s) cannot be divided into train and val" in problems[0]
    assert f"add some, or put others into {folder / 'valB'}" in problems[0]
    assert "trainB/0.png" in problems[1]


def test_folders_that_are_called_otherwise_are_named(folder):
    (folder / "trainA").rename(folder / "horse")
    with pytest.raises(UserError, match="has no folder trainA or A, only horse, testA, testB, trainB"):
        Unpaired(path=str(folder)).samples("train")


def test_an_empty_domain_is_told(folder):
    for path in (folder / "trainB").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="trainB holds no images"):
        Unpaired(path=str(folder)).samples("train")


def test_a_image_of_both_domains_is_told(folder):
    (folder / "trainB" / "twin.png").write_bytes((folder / "trainA" / "3.png").read_bytes())
    with pytest.raises(UserError, match="are the same image"):
        Unpaired(path=str(folder)).samples("train")


def test_grey_and_small_images_are_taken(folder):
    write_image(folder / "trainA" / "grey.png", np.full((8, 8), 200, "uint8"))
    samples = Unpaired(path=str(folder), validation=0.0).samples("train")
    moved = augment(samples[6], Augmentation(crop=(16, 16)), np.random.default_rng(0))
    assert moved.image.shape == (16, 16, 3)


def test_built_in_domains_never_share_a_scene():
    data = Landscapes(train=3, validation=3, test=1, size=32)
    validation = data.samples("val")
    assert [sample.truth.domain for sample in validation] == [0, 1, 0, 1, 0, 1]
    assert all(isinstance(sample.truth, Real) for sample in validation)
    images = [*data.samples("train"), *data.samples("val"), *data.samples("test")]
    assert len({sample.image.tobytes() for sample in images}) == len(images)
    np.testing.assert_array_equal(data.samples("val")[2].image, validation[2].image)
