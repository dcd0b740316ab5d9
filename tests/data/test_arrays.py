"""Array files: CIFAR, MNIST and .npz as they are published, and what is refused."""

import gzip
import json
import os
import pickle
import struct

import numpy as np
import pytest

from kerazoo import settings
from kerazoo.data.check import check
from kerazoo.data.classification import array_files
from kerazoo.data.classification.array_files import holds_arrays
from kerazoo.data.classification.arrays import Arrays
from kerazoo.errors import UserError

RNG = np.random.default_rng(0)


def images(count, *shape):
    return RNG.integers(0, 256, (count, *shape), "uint8")


def labels(count, classes=10):
    return np.arange(count) % classes


def cifar(path, stored, *tags):
    """Write records as the CIFAR page tells: label bytes, then red, green and blue planes."""
    planes = stored.transpose(0, 3, 1, 2).reshape(len(stored), -1)
    path.write_bytes(np.hstack([*(tag[:, None].astype("uint8") for tag in tags), planes]).tobytes())


def idx(path, array):
    content = (
        b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    )
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def source(path, **options):
    return Arrays(path=str(path), **options)


def pairs(samples):
    return [(sample.image, sample.truth.label) for sample in samples]


def same(found, known, expected):
    assert [label for _, label in found] == list(expected)
    for (image, _), stored in zip(found, known, strict=True):
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, stored)


def test_cifar_10(tmp_path):
    train, test = images(40, 32, 32, 3), images(20, 32, 32, 3)
    cifar(tmp_path / "data_batch_1.bin", train[:20], labels(20))
    cifar(tmp_path / "data_batch_2.bin", train[20:], labels(20))
    cifar(tmp_path / "test_batch.bin", test, labels(20))
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\n")
    (tmp_path / "readme.html").touch()
    data = source(tmp_path, validation=0.25)
    assert holds_arrays(tmp_path)
    assert data.class_names()[3] == "cat"
    same(pairs(data.samples("test")), test, labels(20))
    held, rest = pairs(data.samples("val")), pairs(data.samples("train"))
    assert sorted(label for _, label in held) == list(range(10))  # one of four of each class
    assert len(rest) == 30
    assert {image.tobytes() for image, _ in held + rest} == {image.tobytes() for image in train}
    same(pairs(source(tmp_path, validation=0).samples("train")), train, labels(40))


def test_cifar_100_has_fine_labels(tmp_path):
    stored = images(30, 32, 32, 3)
    cifar(tmp_path / "train.bin", stored, labels(30, 20), labels(30, 100) + 70)
    cifar(tmp_path / "test.bin", stored[:10], labels(10, 20), labels(10))
    assert source(tmp_path).class_names()[-1] == "class 99"
    (tmp_path / "fine_label_names.txt").write_text("\n".join(f"name{i}" for i in range(100)) + "\n")
    data = source(tmp_path, validation=0)
    assert data.class_names()[70:72] == ("name70", "name71")
    same(pairs(data.samples("train")), stored, labels(30, 100) + 70)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist(tmp_path, suffix):
    train, test = images(20, 28, 28), images(10, 28, 28)
    for name, array in {
        "train-images-idx3-ubyte": train,
        "train-labels-idx1-ubyte": labels(20).astype("uint8"),
        "t10k-images-idx3-ubyte": test,
        "t10k-labels-idx1-ubyte": labels(10).astype("uint8"),
    }.items():
        idx(tmp_path / f"{name}{suffix}", array)
    data = source(tmp_path, validation=0.5)
    same(pairs(data.samples("test")), np.repeat(test[..., None], 3, axis=3), labels(10))
    assert [len(data.samples(split)) for split in ("train", "val")] == [10, 10]
    assert data.class_names()[7] == "class 7"
    assert data.samples("test")[3].name == "test-00003"


def test_an_unpacked_file_is_read_instead_of_the_packed_one(tmp_path):
    for suffix in ("", ".gz"):
        idx(tmp_path / f"train-images-idx3-ubyte{suffix}", images(20, 4, 4))
        idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", labels(20).astype("uint8"))
    assert len(source(tmp_path, validation=0).samples("train")) == 20


@pytest.mark.parametrize("shape", [(8, 9, 3), (8, 9), (8, 9, 1)])
def test_npz_of_keras(tmp_path, shape):
    train, test = images(20, *shape), images(6, *shape)
    np.savez(tmp_path / "d.npz", x_train=train, y_train=labels(20)[:, None], x_test=test, y_test=labels(6))
    data = source(tmp_path / "d.npz", classes=tuple("abcdefghij"), validation=0.1)
    expected = test.reshape(6, 8, 9, -1)
    same(pairs(data.samples("test")), np.broadcast_to(expected, (6, 8, 9, 3)), labels(6))
    assert len(data.samples("train")) == 10
    assert data.class_names()[1] == "b"
    report = check(data)
    assert report.problems == ()
    assert report.counted == "images"
    assert settings.from_plain(json.loads(json.dumps(settings.to_plain(data)))) == data


def test_validation_arrays_are_used(tmp_path):
    parts = {f"x_{name}": images(count, 4, 4) for name, count in (("train", 8), ("val", 3))}
    np.savez(tmp_path / "d.npz", **parts, y_train=labels(8, 2), y_val=labels(3, 2))
    data = source(tmp_path / "d.npz")
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [8, 3, 0]


class Exploding:
    def __reduce__(self):
        return exec, ("raise SystemExit('a stranger was executed')",)


def pickled(path):
    path.mkdir()
    (path / "data_batch_1").write_bytes(pickle.dumps(Exploding()))


def refusals(path):
    """Each case writes a wrong file or folder and says what must be told."""
    batch, some = images(20, 4, 4), labels(20)

    def npz(**arrays):
        return lambda: np.savez(path, **arrays)

    def cut(content):
        path.write_bytes(content[: len(content) // 2])

    return {
        "missing": (lambda: None, "does not exist"),
        "text": (lambda: path.write_text("hello"), "no arrays of a known kind"),
        "python version": (lambda: pickled(path), "data_batch_1 is a pickle"),
        "pickle in npz": (npz(x_train=np.array([Exploding()]), y_train=some), "pickle"),
        "no labels": (npz(x_train=batch), "no y_train"),
        "other names": (npz(images=batch, labels=some), "no x_train, only images, labels"),
        "floats": (npz(x_train=batch / 255, y_train=some), "images float64"),
        "float labels": (npz(x_train=batch, y_train=some / 1), "labels float64"),
        "one-hot": (npz(x_train=batch, y_train=np.eye(20, dtype=int)), "labels of shape (20, 20)"),
        "lengths": (npz(x_train=batch, y_train=some[:5]), "20 images and labels of shape (5,)"),
        "four channels": (npz(x_train=images(20, 4, 4, 4), y_train=some), "shape (20, 4, 4, 4)"),
        "negative": (npz(x_train=batch, y_train=some - 1), "the label -1"),
        "label": (npz(x_train=batch, y_train=np.r_[some[:19], 2**60]), "the label 1152921504606846976"),
        "one of a class": (npz(x_train=batch, y_train=np.r_[some[:19], 0]), "class 9: 1 image(s) cannot"),
        "nothing": (npz(x_train=batch[:0], y_train=some[:0]), "0 images"),
        "half an idx": (lambda: (idx(path, batch), cut(path.read_bytes())), "header tells another"),
        "images alone": (lambda: idx(path, batch), "no file of labels for train"),
    }


@pytest.mark.parametrize("case", refusals(None))
def test_what_is_wrong_is_told(tmp_path, case):
    path = tmp_path / "d.npz"
    prepare, told = refusals(path)[case]
    prepare()
    with pytest.raises(UserError) as caught:
        source(path).samples("train")
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(check(source(path)).problems) == 1


def test_every_class_that_is_too_small_is_told_by_its_name(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=images(6, 4, 4), y_train=[0, 0, 1, 2, 2, 3])
    report = check(source(tmp_path / "d.npz", classes=("a", "b", "c", "d")))
    assert [line.partition(":")[0][-1] for line in report.problems] == ["b", "d"]
    assert report.splits == {"train": 2, "val": 2}


def test_splits_are_told_by_any_usual_name_in_any_capitals(tmp_path):
    parts = {"X_Train": 8, "X_valid": 3, "x_TEST": 2}
    arrays = {name: images(count, 4, 4) for name, count in parts.items()}
    arrays |= {name.replace("x", "y").replace("X", "Y"): labels(count, 2) for name, count in parts.items()}
    np.savez(tmp_path / "d.npz", **arrays)
    data = source(tmp_path / "d.npz")
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [8, 3, 2]
    same(pairs(data.samples("test")), np.repeat(arrays["x_TEST"][..., None], 3, axis=3), labels(2))
    np.savez(tmp_path / "d.npz", **arrays, x_val=arrays["X_valid"])
    with pytest.raises(UserError, match="X_valid and x_val, both of val"):
        source(tmp_path / "d.npz").samples("train")


def test_a_name_that_only_looks_like_a_split_is_none(tmp_path):
    for name, count in (("latest.bin", 20), ("Testing.bin", 10)):
        cifar(tmp_path / name, images(count, 32, 32, 3), labels(count))
    data = source(tmp_path, validation=0)
    assert [len(data.samples(split)) for split in ("train", "test")] == [20, 10]


@pytest.mark.parametrize("pack", [np.savez_compressed, lambda path, **arrays: idx(path, arrays["x_train"])])
def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(array_files, "LARGEST", 10**6)
    path = tmp_path / ("d.npz" if pack is np.savez_compressed else "train.gz")
    pack(path, x_train=np.zeros((1000, 40, 40), "uint8"), y_train=np.zeros(1000, int))
    with pytest.raises(UserError, match="1000000 (bytes )?that are read"):
        source(path).samples("train")
    np.savez(tmp_path / "whole.npz", x_train=np.zeros((1000, 40, 40), "uint8"), y_train=labels(1000))
    assert len(source(tmp_path / "whole.npz").samples("train")) == 900


def test_pipes_and_links_to_devices_are_passed_over(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=images(20, 4, 4), y_train=labels(20))
    os.mkfifo(tmp_path / "pipe.bin")
    (tmp_path / "zero.bin").symlink_to("/dev/zero")
    assert holds_arrays(tmp_path)
    assert len(source(tmp_path).samples("train")) == 10
    assert not holds_arrays(tmp_path / "pipe.bin")
    assert not holds_arrays(tmp_path / ("x" * 300))


def test_damaged_packed_files_are_told(tmp_path):
    idx(tmp_path / "train-images-idx3-ubyte.gz", images(20, 8, 8))
    idx(tmp_path / "train-labels-idx1-ubyte.gz", labels(20).astype("uint8"))
    content = (tmp_path / "train-images-idx3-ubyte.gz").read_bytes()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="cannot be unpacked"):
        source(tmp_path).samples("train")


def test_several_kinds_and_several_sets_are_told(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=images(20, 4, 4), y_train=labels(20))
    idx(tmp_path / "train-images-idx3-ubyte", images(20, 8, 8))
    with pytest.raises(UserError, match="several kinds"):
        source(tmp_path).samples("train")
    (tmp_path / "d.npz").unlink()
    idx(tmp_path / "other-train-images-idx3-ubyte", images(20, 8, 8))
    with pytest.raises(UserError, match="second file of images for train"):
        source(tmp_path).samples("train")


def test_too_few_names_are_told(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=images(20, 4, 4), y_train=labels(20))
    with pytest.raises(UserError, match="the label 9, which is none of 2 classes"):
        source(tmp_path / "d.npz", classes=("a", "b")).class_names()


def test_folders_of_images_are_no_arrays(tmp_path):
    (tmp_path / "cat").mkdir()
    np.savez(tmp_path / "d.npz", x_train=images(2, 4, 4), y_train=labels(2))
    assert not holds_arrays(tmp_path)
    assert holds_arrays(tmp_path / "d.npz")
    assert not holds_arrays(tmp_path / "nowhere")


def test_classes_without_images_are_told(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=images(12, 4, 4), y_train=np.repeat([0, 1, 900], 4))
    report = check(source(tmp_path / "d.npz"))
    assert report.problems == ()
    (warning,) = report.warnings
    assert "898 of 901 classes have no images: 'class 2', 'class 3'," in warning
    assert warning.endswith("'class 6' and 893 more; number the classes from 0, one after the other")


def test_classes_in_test_alone_are_a_problem_unless_they_are_named(tmp_path):
    parts = {"x_train": images(8, 4, 4), "y_train": labels(8, 2)}
    np.savez(tmp_path / "d.npz", **parts, x_test=images(6, 4, 4), y_test=labels(6, 3))
    (problem,) = check(source(tmp_path / "d.npz")).problems
    assert "d.npz: test holds images of 'class 2', train has none; add some to train" in problem
    report = check(source(tmp_path / "d.npz", classes=("a", "b", "c")))
    assert report.problems == ()
    assert ": test holds images of 'c', train has none" in report.warnings[0]
