"""Folders of images and masks: every layout, every meaning of a mask, every complaint."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from kerazoo import settings
from kerazoo.data.check import check
from kerazoo.data.segmentation.border import BorderWeights, border_weights
from kerazoo.data.segmentation.folders import Folder
from kerazoo.errors import UserError
from kerazoo.image import write_image
from kerazoo.structures.mask import VOID
from tests.refusals import refusal

LABELS = np.kron(np.arange(4).reshape(2, 2), np.ones((6, 8), int)).astype("uint8")
ROAD = [
    {"name": "road", "color": [128, 64, 128]},
    {"name": "sky", "color": [70, 130, 180]},
    {"name": "other", "color": [0, 0, 0], "void": True},
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("KERAZOO_CACHE", str(tmp_path_factory.mktemp("cache")))


def make_image(seed, shape=(12, 16)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), "uint8")


def fill(folder, mask=LABELS, count=10, kind="masks", suffix=""):
    for index in range(count):
        write_image(folder / "images" / f"s{index}.png", make_image(index))
        write_image(folder / kind / f"s{index}{suffix}.png", mask)
    return folder


def refused(source, *words, use=lambda source: list(source.samples("train"))):
    with refusal(*words):
        use(source)


def folder(path, **options):
    return Folder(path=str(path), **options)


def test_index_masks(tmp_path):
    source = folder(fill(tmp_path))
    samples = source.samples("train")
    assert (len(samples), len(source.samples("val")), len(source.samples("test"))) == (8, 2, 0)
    assert source.class_names() == ("class 0", "class 1", "class 2", "class 3")
    np.testing.assert_array_equal(samples[0].truth.labels, LABELS)
    assert samples[0].truth.labels.dtype == np.uint8
    assert samples[0].truth.weights is None
    index = int(samples[-1].name[1:-4])
    np.testing.assert_array_equal(samples[-1].image, make_image(index))


def test_255_is_void_in_index_masks(tmp_path):
    mask = np.where(LABELS == 3, 255, LABELS).astype("uint8")
    source = folder(fill(tmp_path, mask))
    assert len(source.class_names()) == 3
    np.testing.assert_array_equal(source.samples("train")[0].truth.labels == VOID, LABELS == 3)


def test_another_void_value_and_names(tmp_path):
    source = folder(fill(tmp_path), void=3, classes=("a", "b", "c"))
    assert source.class_names() == ("a", "b", "c")
    assert (source.samples("train")[0].truth.labels[LABELS == 3] == VOID).all()


@pytest.mark.parametrize("value", [1, 7, 255])
def test_two_values_are_background_and_foreground(tmp_path, value):
    source = folder(fill(tmp_path, (LABELS > 1).astype("uint8") * value))
    assert source.class_names() == ("background", "foreground")
    np.testing.assert_array_equal(source.samples("val")[0].truth.labels, LABELS > 1)


def test_binary_masks_with_void_and_names(tmp_path):
    mask = np.array([0, 200, 9, 0], "uint8")[LABELS]
    source = folder(fill(tmp_path, mask), void=9, classes=("tissue", "vessel"))
    np.testing.assert_array_equal(source.samples("train")[0].truth.labels, np.array([0, 1, VOID, 0])[LABELS])
    one_of_two_absent = folder(fill(tmp_path / "b", LABELS * 0), classes=("tissue", "vessel"))
    assert not one_of_two_absent.samples("train")[0].truth.labels.any()


def test_palette_masks_and_grey_masks_saved_as_colour(tmp_path):
    fill(tmp_path)
    for index, path in enumerate(sorted((tmp_path / "masks").iterdir())):
        mask = Image.fromarray(LABELS)
        if index % 2:
            mask = Image.fromarray(LABELS, "P")
            mask.putpalette(make_image(0, (16, 16)).tobytes()[:768])
        (mask if index % 2 else mask.convert("RGB")).save(path)
    for sample in folder(tmp_path).samples("train"):
        np.testing.assert_array_equal(sample.truth.labels, LABELS)


def test_colour_masks_need_classes_json(tmp_path):
    colours = np.array([[128, 64, 128], [70, 130, 180], [0, 0, 0], [128, 64, 128]], "uint8")[LABELS]
    source = folder(fill(tmp_path, colours))
    refused(source, "s0.png is a mask in colours", "classes.json", '"color": [128, 64, 128]')
    (tmp_path / "classes.json").write_text(json.dumps(ROAD))
    source = folder(tmp_path)
    assert source.class_names() == ("road", "sky")
    np.testing.assert_array_equal(source.samples("train")[0].truth.labels, np.array([0, 1, VOID, 0])[LABELS])


def test_declared_values_are_numbered_in_the_order_of_the_file(tmp_path):
    entries = [{"name": "b", "value": 3}, {"name": "v", "value": 0, "void": True}, {"name": "a", "value": 1},
               {"name": "c", "value": 2}]  # fmt: skip
    (fill(tmp_path) / "classes.json").write_text(json.dumps(entries))
    source = folder(tmp_path)
    assert source.class_names() == ("b", "a", "c")
    np.testing.assert_array_equal(source.samples("train")[0].truth.labels, np.array([VOID, 1, 2, 0])[LABELS])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ('{"name": "a"}', "is no list of classes"),
        ('["cat", "dog"]', 'entry 0 is "cat", not an object with a name and a value'),
        ('[{"name": "a", "color": 7}]', "the color of entry 0 is 7, not 3 numbers"),
        ('[{"name": "a", "range": [1, 2, 3]}]', "the range of entry 0 is [1, 2, 3], not 2 numbers"),
        ('[{"name": "a", "value": 0}, {"name": "b"}]', '1: one of "value", "range" and "color" is needed'),
        ('[{"name": "a", "value": 0}, {"name": "b", "color": [1, 2, 3]}]', "mixes values and colours"),
        ('[{"name": "a", "value": 0}, {"name": "a", "value": 1}]', "declares a class twice"),
        ('[{"name": "a", "value": 0}, {"name": "b", "value": 0}]', "declares a class twice"),
        ('[{"name": "a", "value": 0}]', "declares 1 classes"),
        ('[{"name": "a", "color": [1, 2, 999]}]', "color.2"),
        ('[{"name": "a", "value": 0, "colour": 1}]', "colour"),
    ],
)
def test_a_wrong_classes_json_is_told(tmp_path, text, told):
    (fill(tmp_path, count=3) / "classes.json").write_text(text)
    refused(folder(tmp_path), "classes.json", told)


def test_classes_are_said_once(tmp_path):
    (fill(tmp_path) / "classes.json").write_text(
        json.dumps([{"name": n, "value": i} for i, n in enumerate("abcd")])
    )
    assert folder(tmp_path, classes=("a", "b", "c", "d")).class_names() == ("a", "b", "c", "d")
    refused(folder(tmp_path, classes=("a", "b", "c", "x")), "both say what the classes are")
    refused(folder(tmp_path, void=3), "both say what the classes are")


def test_instances_give_two_classes_and_border_weights(tmp_path):
    instances = np.where(LABELS == 1, 300, np.where(LABELS == 2, 70, 0)).astype("uint16")
    fill(tmp_path, instances, kind="instances")
    plain, weighted = folder(tmp_path), folder(tmp_path, border=BorderWeights(sigma=3.0))
    assert plain.class_names() == ("background", "foreground")
    np.testing.assert_array_equal(plain.samples("train")[0].truth.labels, instances > 0)
    assert plain.samples("train")[0].truth.weights is None
    weights = weighted.samples("train")[0].truth.weights
    np.testing.assert_allclose(weights, border_weights(instances, sigma=3.0), rtol=1e-3)
    void = folder(tmp_path, void=70).samples("train")[0].truth.labels
    np.testing.assert_array_equal(void, np.where(instances == 70, VOID, instances > 0))


def test_border_weights_of_binary_masks_take_every_region_as_an_object(tmp_path):
    mask = np.zeros((12, 16), "uint8")
    mask[:, :6] = mask[:, 8:] = 255
    weights = (
        folder(fill(tmp_path, mask), border=BorderWeights(balance=False)).samples("train")[0].truth.weights
    )
    np.testing.assert_allclose(weights, border_weights(np.cumsum(mask == 0, axis=1) * (mask > 0) + (mask > 0),
                                                       balance=False), rtol=1e-3)  # fmt: skip
    assert weights[:, 6:8].min() > 9
    refused(folder(fill(tmp_path / "b"), border=BorderWeights()), "border weights", "instances/")


def test_split_folders(tmp_path):
    for name, count in (("train", 4), ("valid", 3), ("test", 2)):
        fill(tmp_path / name, count=count)
    source = folder(tmp_path, validation=0.5, test=0.2)
    assert [len(source.samples(split)) for split in ("train", "val", "test")] == [4, 3, 2]
    assert [sample.name for sample in source.samples("val")] == [
        "valid/s0.png",
        "valid/s1.png",
        "valid/s2.png",
    ]


def test_a_missing_split_is_taken_from_train(tmp_path):
    fill(tmp_path / "train", count=10)
    fill(tmp_path / "test", count=2)
    source = folder(tmp_path, validation=0.3, test=0.4)
    assert [len(source.samples(split)) for split in ("train", "val", "test")] == [7, 3, 2]
    only_test = folder(fill(tmp_path / "only" / "test", count=2).parent)
    assert len(only_test.samples("test")) == 2
    refused(only_test, "no images to train on")


def test_the_random_split_depends_on_the_seed_alone(tmp_path):
    fill(tmp_path, count=20)

    def names(**options):
        source = folder(tmp_path, validation=0.25, test=0.1, **options)
        return [tuple(sample.name for sample in source.samples(split)) for split in ("train", "val", "test")]

    first = names()
    assert [len(part) for part in first] == [13, 5, 2]
    assert sorted(sum(first, ())) == sorted(f"s{index}.png" for index in range(20))
    assert first == names()
    assert first != names(seed=1)
    assert names(split="last")[1:] == [tuple(f"s{i}.png" for i in range(13, 18)), ("s18.png", "s19.png")]


def test_names_may_end_in_mask_and_lie_in_sub_folders(tmp_path):
    fill(tmp_path, count=3, suffix="_mask")
    write_image(tmp_path / "images/day/s0.png", make_image(9))
    write_image(tmp_path / "masks/day/s0.png", LABELS)
    write_image(tmp_path / "images/a_mask.png", make_image(8))
    write_image(tmp_path / "masks/a_mask.png", LABELS)
    (tmp_path / "images" / "Thumbs.db").touch()
    (tmp_path / "images" / "._s0.png").touch()
    names = [sample.name for sample in folder(tmp_path, validation=0).samples("train")]
    assert names == ["a_mask.png", "day/s0.png", "s0.png", "s1.png", "s2.png"]


def test_settings_survive_json_and_samples_other_processes(tmp_path):
    source = folder(fill(tmp_path), border=None, classes=("a", "b", "c", "d"))
    source.samples("train")
    assert settings.from_plain(json.loads(json.dumps(settings.to_plain(source)))) == source
    samples = pickle.loads(pickle.dumps(source.samples("train")))
    assert len(samples[2:5]) == 3
    assert samples[2:5][0].name == samples[2].name
    with pytest.raises(IndexError):
        samples[99]


def test_reading_is_lazy_and_the_classes_are_found_once(tmp_path, monkeypatch):
    from kerazoo.data.segmentation import folders, mask_files

    read = []
    for module, function in ((folders, "read_image"), (mask_files, "read_mask")):
        original = getattr(module, function)
        monkeypatch.setattr(
            module,
            function,
            lambda path, original=original, **how: (read.append(path), original(path, **how))[1],
        )
    source = folder(fill(tmp_path))
    samples = source.samples("train")
    assert len(read) == 10  # the masks, to learn the classes
    samples[0], samples[1], source.class_names(), source.samples("val")
    source.with_decided_classes(()).samples("val")
    assert len(read) == 12


def complaint_about(path):
    """Each case breaks a good folder in one way and says what must be told."""
    return {
        "missing folder": (lambda: None, "does not exist"),
        "a file": (lambda: (path.parent.mkdir(exist_ok=True), path.touch()), "is a file"),
        "empty folder": (lambda: path.mkdir(), "is empty"),
        "no images folder": (lambda: write_image(path / "photos/a.png", LABELS), "has no folder images/"),
        "no images": (
            lambda: [(path / n).mkdir(parents=True) for n in ("images", "masks")],
            "holds no images",
        ),
        "no masks": (lambda: write_image(path / "images/a.png", LABELS), "neither masks/ nor instances/"),
        "both": (lambda: (fill(path), fill(path, kind="instances")), "both masks/ and instances/"),
        "image without mask": (
            lambda: write_image(fill(path) / "images/x.png", LABELS),
            "images/x.png has no mask",
        ),
        "mask without image": (
            lambda: write_image(fill(path) / "masks/x.png", LABELS),
            "masks/x.png has no image",
        ),
        "one name twice": (lambda: write_image(fill(path) / "images/s0.bmp", LABELS), "s0.png and s0.bmp"),
        "grey values": (
            lambda: fill(path, make_image(0)[..., 0]),
            "smooth edges and JPEG make many values of a few",
        ),
        "all empty": (lambda: fill(path, LABELS * 0), "nothing to learn"),
    }


@pytest.mark.parametrize("case", complaint_about(None))
def test_what_is_wrong_is_told(tmp_path, case):
    path = tmp_path / "data"
    prepare, told = complaint_about(path)[case]
    prepare()
    refused(folder(path), told, "data")


def test_a_single_image_is_divided_along_its_longer_side(tmp_path):
    data = folder(fill(tmp_path / "data", count=1), validation=0.25, test=0.25)
    image, labels = make_image(0), LABELS
    train, val, test = (data.samples(split) for split in ("train", "val", "test"))
    assert [len(split) for split in (train, val, test)] == [1, 1, 1]
    for samples, columns in ((train, slice(0, 8)), (val, slice(8, 12)), (test, slice(12, 16))):
        np.testing.assert_array_equal(samples[0].image, image[:, columns])
        np.testing.assert_array_equal(samples[0].truth.labels, labels[:, columns])
    assert data.facts()["parts of the one image"] == "train 0% to 50%, val 50% to 75%, test 75% to 100%"
    assert len(data.files()) == 2
    assert not check(data).problems
    assert len(folder(tmp_path / "data", validation=0).samples("train")) == 1
    write_image(tmp_path / "dot/images/a.png", make_image(0, (2, 2)))
    write_image(tmp_path / "dot/masks/a.png", LABELS[5:7, 7:9])
    refused(folder(tmp_path / "dot", validation=0.1), "too small to be divided", "val/",
            use=lambda source: list(source.samples("val")))  # fmt: skip


@pytest.mark.parametrize("count", [1, 2])
def test_kinds_are_not_mixed(tmp_path, count):
    fill(tmp_path / "train", kind="instances", count=count)
    fill(tmp_path / "val", count=count)
    refused(folder(tmp_path), "instances/ in another")


def test_a_mask_of_another_size(tmp_path):
    fill(tmp_path)
    write_image(tmp_path / "masks" / "s3.png", LABELS[:6])
    refused(folder(tmp_path, validation=0), "s3.png has 16 x 6 pixels, its image 16 x 12")


def test_an_undeclared_value_is_told_before_training(tmp_path):
    fill(tmp_path)
    write_image(tmp_path / "masks" / "s3.png", LABELS * 2)
    refused(
        folder(tmp_path, classes=tuple("abcd")), "s3.png holds the value 4", use=lambda s: s.samples("train")
    )


def test_an_undeclared_colour_is_told(tmp_path):
    (fill(tmp_path, LABELS) / "classes.json").write_text(json.dumps(ROAD))
    refused(folder(tmp_path, validation=0), "s0.png holds the colour [1, 1, 1]")


def test_unreadable_files_are_told(tmp_path):
    fill(tmp_path)
    (tmp_path / "masks" / "s3.png").write_bytes(b"")
    refused(folder(tmp_path), "s3.png is empty", use=lambda source: source.samples("train"))
    fill(tmp_path)
    (tmp_path / "images" / "s3.png").write_text("no image")
    refused(folder(tmp_path, validation=0), "images/s3.png is not an image")


@pytest.mark.parametrize(
    "options", [{"validation": 0.6, "test": 0.4}, {"validation": 1.0}, {"classes": ("a",)}]
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(UserError):
        settings.build(Folder, {"path": "x"} | options)


def test_the_real_data_sets_are_read(shared):
    isbi = folder(shared / "data" / "isbi2012", split="last")
    assert [sample.name for sample in isbi.samples("val")] == [f"{index}.png" for index in range(24, 30)]
    assert isbi.class_names() == ("background", "foreground")
    sample = folder(shared / "data" / "dsb2018", border=BorderWeights()).samples("train")[0]
    assert sample.truth.weights.max() > 1.5
