"""Classification: what the network sees, its targets, mixup, scores, images, and whole trainings."""

import dataclasses
import importlib
import json

import keras
import numpy as np
import pytest
from PIL import Image

from kerazoo import backend as backends
from kerazoo.data.augment import Augmentation
from kerazoo.data.classification.arrays import Arrays
from kerazoo.data.classification.class_folders import ClassFolders
from kerazoo.data.generated.sources import Shapes
from kerazoo.data.loader import stream
from kerazoo.engine.progress import Progress
from kerazoo.engine.training.train import resume_training, train
from kerazoo.errors import UserError
from kerazoo.families.resnet.cifar import ResNetCifar
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe
from kerazoo.run import open_run
from kerazoo.settings import build
from kerazoo.structures.label import Classified, Label
from kerazoo.task import Options
from kerazoo.tasks.classification.objective import ClassificationObjective
from kerazoo.tasks.classification.scores import scores
from tests.tiny import TINY

module = importlib.import_module("kerazoo.engine.training.train")
QUIET = Progress(quiet=True)
FAMILY = TINY["resnet-cifar"]


def family(**changes):
    return dataclasses.replace(FAMILY, **changes)


def make_image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), "uint8")


# --- what the network sees ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "scaled", "corner"),
    [
        ((300, 400), (256, 341), (16, 58)),
        ((500, 375), (341, 256), (58, 16)),
        ((90, 90), (256, 256), (16, 16)),
    ],
)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_the_shorter_side_is_scaled_and_the_centre_kept(shape, scaled, corner, interpolation):
    image = make_image(*shape)
    found = family(size=(224, 224), crop_pct=0.875, interpolation=interpolation).centre(image)
    method = Image.Resampling[interpolation.upper()]
    whole = np.array(Image.fromarray(image).resize(scaled[::-1], method))
    top, left = corner
    np.testing.assert_array_equal(found, whole[top : top + 224, left : left + 224])


def test_an_image_of_the_right_size_is_left_alone():
    image = make_image(32, 32)
    np.testing.assert_array_equal(family(size=(32, 32), crop_pct=1.0).centre(image), image)
    wide = make_image(32, 40)
    np.testing.assert_array_equal(family(size=(32, 32), crop_pct=1.0).centre(wide), wide[:, 4:36])


@pytest.mark.parametrize("size", [(20, 50), (50, 20), (1, 1)])
@pytest.mark.parametrize("shape", [(7, 91), (91, 7), (33, 33), (1, 1)])
def test_any_image_covers_any_size(size, shape):
    assert family(size=size, crop_pct=0.8).centre(make_image(*shape)).shape == (*size, 3)


def test_shrinking_averages():
    checks = np.kron(np.indices((64, 64)).sum(0) % 2 * 255, np.ones((1, 1))).astype("uint8")
    found = family(size=(16, 16), crop_pct=1.0).centre(np.dstack([checks] * 3))
    assert found[2:-2, 2:-2].min() >= 126
    assert found[2:-2, 2:-2].max() <= 129


def test_normalisation_order_and_grey():
    image = make_image(8, 8)
    same = {"size": (8, 8), "crop_pct": 1.0}
    x, placement = family(**same, order="BGR", mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0)).prepare(image)
    np.testing.assert_allclose(
        x, (image[..., ::-1] - np.array([1.0, 2, 3])) / [4, 5, 6], rtol=1e-5, atol=1e-5
    )
    assert placement == (0, 0, 8, 8)
    assert family(**same, channels=1).prepare(image)[0].shape == (8, 8, 1)
    window = make_image(20, 13)
    assert family(**same).prepare(window, whole=False)[0].shape == (20, 13, 3)


# --- targets, mixup and loss ----------------------------------------------------------------


def test_targets_are_smoothed():
    smooth = family(classes=4, label_smoothing=0.1).encode(Label(2), None)["targets"]
    np.testing.assert_allclose(smooth, [0.025, 0.025, 0.925, 0.025], rtol=1e-6)
    assert smooth.dtype == np.float32
    np.testing.assert_array_equal(family(classes=4).encode(Label(0), None)["targets"], [1, 0, 0, 0])


def test_the_loss_is_cross_entropy():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(0, 3, (5, 4)), rng.dirichlet(np.ones(4), 5)
    log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    objective = ClassificationObjective(FAMILY.build())
    terms = objective.terms(None, {"targets": targets}, {"logits": logits.astype("float32")}, True)
    assert list(terms) == ["cross_entropy"]
    assert float(terms["cross_entropy"]) == pytest.approx(-(targets * log).sum(axis=1).mean(), rel=1e-5)


def batches(task, seed=0):
    samples = Shapes(train=12).samples("train")
    samples = [sample._replace(truth=Label(sample.truth.label % 3)) for sample in samples]
    return stream(samples, task, Augmentation(), batch=6, seed=seed)


def test_mixup_mixes_images_and_targets_by_one_share():
    plain, mixed = batches(FAMILY), batches(family(mixup=0.4))
    shares = []
    for step in range(12):
        (x, y), (x2, y2) = plain[step], mixed[step]
        assert x2.dtype == y2["targets"].dtype == np.float32
        np.testing.assert_allclose(y2["targets"].sum(axis=1), 1, rtol=1e-6)
        for image, target in zip(x2, y2["targets"], strict=True):
            fits = [
                (share, i, j)
                for i, j in np.ndindex(6, 6)
                if i != j
                for share in [np.vdot(image - x[j], x[i] - x[j]) / np.vdot(x[i] - x[j], x[i] - x[j])]
                if np.allclose(share * x[i] + (1 - share) * x[j], image, atol=1e-4)
            ]
            assert fits
            share, i, j = fits[0]
            expected = share * y["targets"][i] + (1 - share) * y["targets"][j]
            np.testing.assert_allclose(target, expected, atol=1e-4)
            shares.append(min(share, 1 - share))
    assert max(shares) > 0.1


def test_a_mixed_batch_depends_on_its_step_alone():
    first, again, other = (
        batches(family(mixup=0.4)),
        batches(family(mixup=0.4)),
        batches(family(mixup=0.4), 1),
    )
    assert list(first[3:5])
    for found, expected in zip(first[3:5], (again[3], again[4]), strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1]["targets"], expected[1]["targets"])
    assert not np.array_equal(first[3][0], other[3][0])


def test_without_mixup_nothing_is_mixed():
    x, y = object(), object()
    assert FAMILY.mix_batch(x, y, np.random.default_rng(0)) == (x, y)


# --- results and scores ---------------------------------------------------------------------


def test_several_images_at_once_and_one_by_one():
    sizes = []
    forward = backends.forward(FAMILY.build())

    def counted(x):
        sizes.append(len(x))
        return forward(x)

    images = [make_image(40 + i, 35, seed=i) for i in range(70)]
    together = list(FAMILY.infer(counted, iter(images)))
    assert sizes == [32, 32, 6]
    for image, result in list(zip(images, together, strict=True))[60:]:
        alone = next(FAMILY.infer(forward, [image]))
        np.testing.assert_allclose(result.probabilities, alone.probabilities, atol=1e-6)
        assert result.probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_averaging_over_the_mirror_image():
    forward = backends.forward(FAMILY.build())
    image = make_image(32, 32)
    found = next(FAMILY.infer(forward, [image], Options(tta=True))).probabilities
    each = [next(FAMILY.infer(forward, [view])).probabilities for view in (image, image[:, ::-1])]
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert abs(each[0] - each[1]).max() > 1e-4


def test_scores_by_hand():
    names = [f"c{i}" for i in range(7)]
    rows = np.eye(7, dtype="float32") + np.arange(7) * 1e-3
    pairs = [(0, rows[0]), (0, rows[3]), (1, rows[1]), (1, rows[1]), (1, rows[1]), (2, rows[6])]
    told = scores(iter(pairs), names)
    assert told["images"] == 6
    assert told["accuracy"] == pytest.approx(4 / 6)
    assert told["recall"] == {"c0": 0.5, "c1": 1.0, "c2": 0.0} | {f"c{i}": None for i in range(3, 7)}
    assert told["mean_recall"] == pytest.approx(0.5)
    assert told["top_5"] == pytest.approx(5 / 6)  # of the second c0 the best five are 3 6 5 4 2
    assert scores([(1, rows[3])], names)["top_5"] == 0.0  # of it the sixth is 1
    assert told["count"]["c1"] == 3
    matrix = np.array(told["confusion"])
    assert matrix.sum() == 6
    assert matrix[0, 3] == matrix[2, 6] == 1
    assert json.loads(json.dumps(told)) == told


def test_scores_of_nothing_and_of_many_classes():
    told = FAMILY.evaluate([]).numbers
    assert told["accuracy"] is told["top_5"] is told["mean_recall"] is None
    many = family(classes=101)
    scores = many.evaluate([(Label(100), Classified(np.eye(101, dtype="float32")[100]))])
    assert scores.numbers["accuracy"] == 1
    assert scores.numbers["confusion"] is None
    assert scores.drawings == {}


def test_the_best_five_are_described_and_told():
    named = family(classes=7, names=tuple("abcdefg"))
    result = Classified(np.array([0.1, 0.4, 0.05, 0.2, 0.15, 0.04, 0.06], "float32"))
    told = named.describe(result)
    assert [each["class"] for each in told["top"]] == ["b", "d", "e", "a", "g"]
    assert told["top"][0]["probability"] == pytest.approx(0.4)
    assert named.summary(told) == "b 40.0%, d 20.0%, e 15.0%, a 10.0%, g 6.0%"
    assert len(FAMILY.describe(Classified(np.ones(3, "float32") / 3))["top"]) == 3


def test_drawings():
    named = family(names=("cat", "猫 $x", "a name that is far too long to fit below an image of this size"))
    image = make_image(32, 32)
    before = image.copy()
    truth = named.draw(image, Label(0))
    result = named.draw(image, Classified(np.array([0.1, 0.7, 0.2], "float32")))
    long = named.draw(image, Label(2))
    np.testing.assert_array_equal(image, before)
    assert truth.shape == result.shape == long.shape == (160, 160, 3)
    np.testing.assert_array_equal(truth[:120], image.repeat(5, 0).repeat(5, 1)[:120])
    assert (truth[-24:] > 200).any()  # white letters
    assert not np.array_equal(truth, result)
    assert named.draw(make_image(700, 500), Label(1)).shape == (700, 500, 3)
    assert named.draw(make_image(1, 3000), Label(1)).shape[1] <= 3000
    drawn = named.evaluate([(Label(1), Classified(np.eye(3, dtype="float32")[0]))]).drawings["confusion"]()
    assert drawn.dtype == np.uint8
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 10


# --- classes --------------------------------------------------------------------------------


def test_classes_of_other_data_and_of_checkpoints():
    named = family(names=("a", "b", "c"), label_smoothing=0.1)
    other = named.with_classes(("x", "y"))
    assert (other.classes, other.names, other.label_smoothing) == (2, ("x", "y"), 0.1)
    assert named.adopting({"classes": 3}).names == ("a", "b", "c")
    assert named.adopting({"classes": 5}).names == ()
    assert named.adopting({"classes": 1, "names": ()} | {"classes": 2, "names": ("p", "q")}).names == (
        "p",
        "q",
    )
    assert (
        family(classes=4).weight_settings()
        == FAMILY.weight_settings()
        != family(order="BGR").weight_settings()
    )
    with pytest.raises(UserError, match="2 names for 3 classes"):
        build(ResNetCifar, {"classes": 3, "names": ("a", "b")}, "family")
    with pytest.raises(UserError, match="classes"):
        build(ResNetCifar, {"classes": 1}, "family")


def test_folders_take_the_labels_of_the_network(tmp_path):
    folders = ClassFolders(path=str(tmp_path))
    named = family(names=("dog", "ant", "cat"))
    assert named.configure(folders).classes == ("dog", "ant", "cat")
    assert FAMILY.configure(folders) is folders
    given = ClassFolders(path=str(tmp_path), classes=("a", "b"))
    assert named.configure(given) is given
    assert named.configure(Shapes()) == Shapes()


def test_the_source_is_told_by_what_is_there(tmp_path):
    (tmp_path / "cat").mkdir()
    np.savez(tmp_path / "d.npz", x_train=np.zeros((2, 4, 4), "uint8"), y_train=np.arange(2))
    assert FAMILY.source_for(str(tmp_path)) is ClassFolders
    assert FAMILY.source_for(str(tmp_path / "nowhere")) is ClassFolders
    assert FAMILY.source_for(str(tmp_path / "d.npz")) is Arrays


# --- trainings ------------------------------------------------------------------------------

SMALL = Recipe(
    family=family(classes=10, depth=8, width=4, mixup=0.3, label_smoothing=0.1),
    data=Shapes(train=10, validation=4, test=1),
    augmentation=Augmentation(shift=4, flip=True),
    optimizer=Optimizer(learning_rate=1e-3),
    epochs=2,
    batch_size=4,
    save_every=2,
    monitor="accuracy",
)


def weights(run):
    return [keras.ops.convert_to_numpy(v) for v in open_run(run.folder).network.weights]


@pytest.mark.slow  # two trainings; that a batch depends on its step alone is asked above
def test_a_training_with_mixup_resumes_exactly(tmp_path, monkeypatch):
    whole = train(SMALL, tmp_path / "whole", progress=QUIET)
    assert (whole.folder / "confusion.png").stat().st_size > 0
    save, saved = module.resume.save, []

    def interrupted(folder, state, variables):
        save(folder, state, variables)
        saved.append(state.step)
        if state.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module.resume, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, tmp_path / "broken", progress=QUIET)
    broken = resume_training(tmp_path / "broken", progress=QUIET)
    assert saved == sorted(set(saved))
    for found, expected in zip(weights(broken), weights(whole), strict=True):
        np.testing.assert_array_equal(found, expected)
