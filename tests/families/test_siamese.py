"""Siamese networks: distances, losses and their gradients, towers, draws, what is deployed and exported."""

import keras
import numpy as np
import pytest
from keras import ops

from kerazoo import backend, models
from kerazoo.data.episodes.sampling import Classes, Pairs
from kerazoo.data.generated.sources import Glyphs
from kerazoo.errors import UserError
from kerazoo.families.siamese import Siamese
from kerazoo.families.siamese.model import averaged_resnet, siamese, siamese_koch
from kerazoo.families.siamese.tower import Tower
from kerazoo.layers import EuclideanDistance, WeightedL1
from kerazoo.settings import replace
from kerazoo.structures.pairs import Couples, Distances
from kerazoo.structures.sample import Sample
from kerazoo.tasks.verification.distances import EmbeddingDistance
from kerazoo.tasks.verification.objective import batch_hard, contrastive
from tests.tiny import TINY

MARGIN = 1.5


def embeddings(pairs=12, size=5):
    """Two halves of pairs, near and far; the last two pairs are the same image twice."""
    rng = np.random.default_rng(0)
    a = rng.normal(0, 0.4, (pairs, size)).astype("float32")
    b = rng.normal(0, 0.4, (pairs, size)).astype("float32")
    b[-2:] = a[-2:]
    return a, b


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def contrastive_in_float64(a, b, alike):
    """Loss, distance and the loss's gradient by the first embedding, from the formula in the paper."""
    difference = a.astype("float64") - b.astype("float64")
    distance = np.sqrt(np.square(difference).sum(axis=1) + 1e-12)
    apart = np.maximum(MARGIN - distance, 0)
    loss = (alike * distance**2 / 2 + (1 - alike) * apart**2 / 2).mean()
    by_distance = (alike * distance - (1 - alike) * apart) / len(alike)
    return loss, distance, by_distance[:, None] * difference / distance[:, None]


def test_contrastive_loss_distance_and_gradient_are_numpys():
    a, b = embeddings()
    alike = (np.arange(len(a)) % 2).astype("float32")

    def loss(values):
        distance = EuclideanDistance()(*values)
        return ops.mean(contrastive(ops.convert_to_tensor(alike), distance, MARGIN))

    tensors = [ops.convert_to_tensor(a), ops.convert_to_tensor(b)]
    expected, distance, gradient = contrastive_in_float64(a, b, alike)
    assert float(loss(tensors)) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(numpy(EuclideanDistance()(*tensors)), distance, rtol=1e-5, atol=1e-6)
    by_a, by_b = map(numpy, backend.gradients(loss, tensors, again=False))
    np.testing.assert_allclose(by_a, gradient, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(by_b, -gradient, rtol=1e-4, atol=1e-7)
    assert np.isfinite(by_a).all()
    assert not by_a[-2:].any()  # the same image twice: the root is at 0


@pytest.mark.parametrize("alike", [0.0, 1.0])
def test_equal_images_give_no_nan(alike):
    a = np.zeros((2, 3), "float32")

    def loss(values):
        return ops.mean(contrastive(alike, EuclideanDistance()(*values), MARGIN))

    tensors = [ops.convert_to_tensor(a), ops.convert_to_tensor(a)]
    assert float(loss(tensors)) == pytest.approx(0 if alike else MARGIN**2 / 2, abs=1e-5)
    assert all(np.isfinite(numpy(g)).all() for g in backend.gradients(loss, tensors, again=False))


def test_one_is_alike():
    """The convention of the label: the other way round (Hadsell's) every one of these fails."""
    near, far = ops.convert_to_tensor([0.1]), ops.convert_to_tensor([2.0])
    assert float(contrastive(1.0, near, MARGIN)[0]) == pytest.approx(0.005)
    assert float(contrastive(1.0, far, MARGIN)[0]) == pytest.approx(2.0)  # alike and far apart: pulled
    assert float(contrastive(0.0, near, MARGIN)[0]) == pytest.approx(0.98)  # different and near: pushed
    assert float(contrastive(0.0, far, MARGIN)[0]) == 0.0  # beyond the margin: left alone
    family = Siamese(pairs=4)
    assert family.encode(Couples(np.array([True, False])), None)["alike"].tolist() == [1.0, 0.0]
    sample = Pairs(pairs=4).sample(Glyphs(characters=(4, 4, 4), drawings=3).classes("train"), rng())
    assert sample.truth.alike.tolist() == [True, True, False, False]


def test_training_brings_the_alike_together_and_keeps_the_others_apart():
    """Flip the labels anywhere between the draw and the loss, and this fails."""
    family = Siamese(tower=Tower(width=8), pairs=16, ways=3)
    data = family.configure(Glyphs(characters=(12, 8, 4), drawings=6, episodes_per_epoch=(30, 12, 1)))
    network = family.build()
    model = family.objective(network)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), jit_compile=backend.jit_training())
    for sample in list(data.samples("train"))[:1] * 25:
        drawn = sample.truth.sample(rng(int(model.optimizer.iterations)))
        x, y = family.prepare(drawn.image)[0], family.encode(drawn.truth, None)
        model.train_on_batch(x[None], {name: value[None] for name, value in y.items()})
    forward = backend.forward(family.deploy(network))
    asked = [sample for sample in data.samples("val") if isinstance(sample.truth, Couples)]
    results = [next(family.infer(forward, [sample.image])).of_pairs() for sample in asked]
    alike = np.concatenate([sample.truth.alike for sample in asked])
    distances = np.concatenate(results)
    assert distances[alike].mean() < 0.7 * distances[~alike].mean()


def rng(seed=0):
    return np.random.default_rng(seed)


def test_hardest_triplets_are_those_of_a_search():
    points = rng().normal(0, 1, (6, 3)).astype("float32")
    labels = np.array([0, 0, 1, 1, 2, 2])
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    expected = []
    for anchor, label in enumerate(labels):
        farthest = max(distance[anchor, i] for i in range(6) if labels[i] == label)
        nearest = min(distance[anchor, i] for i in range(6) if labels[i] != label)
        expected.append(max(0.0, MARGIN + farthest - nearest))
    same = ops.convert_to_tensor(labels[:, None] == labels)

    def loss(values):
        met = EuclideanDistance()(values[0][:, None], values[0][None])
        return ops.mean(batch_hard(met, same, MARGIN))

    found = batch_hard(ops.convert_to_tensor(distance.astype("float32")), same, MARGIN)
    np.testing.assert_allclose(numpy(found), expected, rtol=1e-5)
    (gradient,) = backend.gradients(loss, [ops.convert_to_tensor(points)], again=False)
    assert np.isfinite(numpy(gradient)).all()
    assert numpy(gradient).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_measures_in_numpy_are_those_of_the_network(weighted):
    a, b = embeddings()
    head = WeightedL1() if weighted else EuclideanDistance()
    met = numpy(head(ops.convert_to_tensor(a[:1]), ops.convert_to_tensor(b)))
    measure = EmbeddingDistance()
    if weighted:
        head.bias.assign(0.25)
        met = -numpy(head(ops.convert_to_tensor(a[:1]), ops.convert_to_tensor(b)))
        measure = EmbeddingDistance(-numpy(head.kernel)[:, 0], -0.25)
    np.testing.assert_allclose(measure.between(a[0], b), met, rtol=1e-5, atol=2e-6)
    assert measure.between(a[0], b[:0]).shape == (0,)


def test_kochs_network_has_the_papers_parameters():
    network = models.siamese(models.siamese_koch(), head="weighted_l1")
    assert network.count_params() == 38_951_745
    assert [v.path for v in network.weights][-2:] == ["head/kernel", "head/bias"]


def test_both_images_go_through_one_tower():
    tower = siamese_koch(size=(84, 84), width=4, embedding=6)
    network = siamese(tower)
    assert network.count_params() == tower.count_params()
    a, b = rng().random((2, 3, 84, 84, 1)).astype("float32")
    there, back = (network.predict_on_batch(x)["distance"] for x in ({"a": a, "b": b}, {"a": b, "b": a}))
    np.testing.assert_allclose(there, back, rtol=1e-5)
    assert network.predict_on_batch({"a": a, "b": a})["distance"] == pytest.approx(1e-6, abs=1e-9)


def test_any_network_with_an_embedding_is_a_tower():
    network = siamese(averaged_resnet(depth=18, channels=3, width=2))
    x = rng().random((1, 40, 56, 3)).astype("float32")
    assert network.predict_on_batch({"a": x, "b": 1 - x})["distance"].shape == (1,)


@pytest.mark.parametrize("name", ["siamese", "siamese-l1"])
def test_a_stack_passes_the_tower_once_and_all_its_distances_are_the_networks(name):
    family = TINY[name]
    network = family.build()
    deployed, asked = backend.forward(family.deploy(network)), []

    def forward(x):
        asked.append(x.shape)
        return deployed(x)

    images = rng().integers(0, 256, (4, 2, *family.size, 3), "uint8")
    between = next(family.infer(forward, [images])).between
    assert asked == [(1, 8, *family.size, 1)]  # 8 images for 64 distances
    assert between.shape == (4, 2, 4, 2)
    x, _ = family.prepare(images)
    (met,) = network.predict_on_batch({"a": x[:, 0], "b": x[:, 1]}).values()
    rows = np.arange(4)
    sign = -1 if family.loss == "cross_entropy" else 1
    np.testing.assert_allclose(sign * met, between[rows, 0, rows, 1], rtol=1e-4, atol=1e-5)
    first, second = family.embed(deployed, images[:2, 0])
    measured = family.embedding_distance(network).between(first, second[None])
    np.testing.assert_allclose(measured, between[0, 0, 1, 0], rtol=1e-4, atol=1e-5)


def test_queries_are_of_the_row_they_are_nearest_to():
    between = np.full((2, 3, 2, 3), 9.0, "float32")  # two classes, two shots, one query
    between[0, 2, 0, 1] = 1.0
    between[1, 2, 0, 0] = 2.0
    result = Distances(between)
    assert result.of_queries(2).shape == (2, 1, 2)
    assert result.right(2).tolist() == [[True], [False]]


def test_a_threshold_is_what_was_decided():
    family = Siamese(margin=2.0)
    assert family.cut() == 1.0
    assert Siamese(loss="cross_entropy").cut() == 0.0
    assert family.calibrated({"threshold": 0.3}).cut() == 0.3
    assert family.calibrated({"threshold": None}) == family.calibrated({}) == family
    assert Siamese(threshold=0.7).calibrated({"threshold": 0.3}).cut() == 0.7
    result = Distances(np.full((1, 2, 1, 2), 0.4, "float32"))
    assert [family.calibrated({"threshold": t}).describe(result)["alike"] for t in (0.3, 0.5)] == [
        False,
        True,
    ]
    sure = Siamese(loss="cross_entropy").describe(Distances(np.full((1, 2, 1, 2), -2.0, "float32")))
    assert sure["probability"] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)


def test_pairs_are_balanced_never_one_image_twice_and_by_class():
    images = [Sample(np.full((2, 2, 3), n, "uint8"), None, str(n)) for n in range(12)]
    classes = Classes(("a", "b", "c"), images, (0, 4, 8, 12))
    sample = Pairs(pairs=200).sample(classes, rng())
    assert sample.image.shape == (200, 2, 2, 2, 3)
    assert sample.truth.alike.sum() == 100
    first, second = sample.image[:, :, 0, 0, 0].T
    assert ((first // 4 == second // 4) == sample.truth.alike).all()
    assert (first != second).all()
    assert set(first) == set(range(12))
    again = Pairs(pairs=200).sample(classes, rng())
    np.testing.assert_array_equal(again.image, sample.image)


def test_turned_images_are_another_class():
    corner = np.zeros((4, 4, 3), "uint8")
    corner[0, 0] = 255
    classes = Classes(("a", "b"), [Sample(corner, None, "")] * 4, (0, 2, 4))
    sample = Pairs(pairs=100, rotations=True).sample(classes, rng())
    where = [
        np.unravel_index(image[..., 0].argmax(), (4, 4)) for image in sample.image[:50].reshape(-1, 4, 4, 3)
    ]
    assert all(one == other for one, other in zip(where[::2], where[1::2], strict=True))
    assert len(set(where)) == 4


def test_too_little_to_draw_from_is_told():
    with pytest.raises(UserError, match="class 'train/character001' has 1 image"):
        Siamese().configure(Glyphs(characters=(3, 30, 0), drawings=1)).samples("train")
    with pytest.raises(UserError, match="1 class"):
        Siamese().configure(Glyphs(characters=(1, 30, 0))).samples("train")
    with pytest.raises(UserError, match="family.ways"):
        Siamese().configure(Glyphs(characters=(30, 3, 0))).samples("val")


def test_validation_takes_turns_between_pairs_and_episodes():
    family = TINY["siamese"]
    samples = family.configure(
        Glyphs(characters=(6, 4, 4), drawings=4, episodes_per_epoch=(3, 4, 2))
    ).samples("val")
    assert [type(sample.truth).__name__ for sample in samples] == ["Couples", "Episode"] * 2
    forward = backend.forward(family.deploy(family.build()))
    results = list(family.infer(forward, (sample.image for sample in samples)))
    scores = family.evaluate([(s.truth, result) for s, result in zip(samples, results, strict=True)]).numbers
    assert (scores["pairs"], scores["episodes"]) == (8, 2)
    for sample, result in zip(samples, results, strict=True):
        assert len(family.row(sample, result)) == 2


def test_rotations_need_a_square():
    with pytest.raises(UserError, match="square"):
        replace(Siamese(), {"rotations": True, "size": [28, 32]}, "family")


@pytest.mark.parametrize("name", ["siamese", "siamese-triplet", "siamese-l1"])
def test_serving_gives_the_embedding_of_the_tower(name):
    family = TINY[name]
    deployed = family.deploy(family.build())
    model = family.serving(deployed)
    image = rng().integers(0, 256, (2, *family.size, 3), "uint8").astype("float32")
    grey = image @ np.array((0.299, 0.587, 0.114), "float32")
    found = model.predict_on_batch({"image": grey[..., None]})
    expected = list(family.embed(backend.forward(deployed), image.astype("uint8")))
    assert set(found) == {"embedding"}
    np.testing.assert_allclose(found["embedding"], expected, rtol=1e-4, atol=1e-5)


def test_an_image_alone_says_nothing():
    with pytest.raises(UserError, match="compares images .* kerazoo index"):
        next(TINY["siamese"].infer(lambda x: {}, [np.zeros((28, 28, 3), "uint8")]))
