import keras
import numpy as np
import pytest
from keras import ops

from kerazoo import backend as backends
from kerazoo import models
from kerazoo.checkpoints.mapping import assign
from kerazoo.errors import UserError
from kerazoo.families.cyclegan import CycleGAN
from kerazoo.families.cyclegan.importer import convert_generator
from kerazoo.families.cyclegan.objective import image_pool
from kerazoo.task import Options

SMALL = {"blocks": 1, "width": 4, "discriminator_width": 4, "discriminator_depth": 2, "pool": 2}
SIZE = 24
FREE = ("AtoB_out", "BtoA_out", "A_conv1", "B_conv1", "A_logits", "B_logits")
"""Layers without an instance norm behind them, whose biases have a gradient."""


def parameters(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_published_parameter_counts():
    assert parameters(models.cyclegan_generator()) == 11_378_179
    assert parameters(models.cyclegan_generator(blocks=6)) == 7_837_699
    assert parameters(models.patch_discriminator()) == 2_764_737


def test_the_discriminator_sees_patches_of_70_pixels():
    discriminator = models.patch_discriminator(width=2)
    assert discriminator.compute_output_shape((1, 256, 256, 3))["logits"] == (1, 30, 30, 1)


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (33, 47), (64, 80)])
def test_any_size_comes_back(size):
    generator = models.cyclegan_generator(blocks=1, width=2)
    x = np.random.default_rng(0).uniform(-1, 1, (1, *size, 3)).astype("float32")
    assert generator.predict_on_batch(x)["logits"].shape == x.shape


def batches(count, rng):
    for _ in range(count):
        x, partner = rng.uniform(-1, 1, (2, 1, SIZE, SIZE, 3)).astype("float32")
        yield x, {"partner": partner, "pool_draws": rng.random((1, 2, 2), "float32")}


def compiled(optimizer, **settings):
    keras.utils.set_random_seed(0)
    network = CycleGAN(**SMALL | settings).build()
    model = CycleGAN(**SMALL | settings).objective(network)
    for variable in network.variables:  # of a size that gives every term a gradient worth comparing
        variable.assign(5 * ops.convert_to_numpy(variable))
    model.compile(optimizer=optimizer, jit_compile=backends.jit_training())
    return network, model


def trained(model, steps):
    """Train on batches one at a time and return the terms of each step."""
    logs = []
    for batch in steps:
        history = model.fit(backends.fit_input([batch]), steps_per_epoch=1, shuffle=False, verbose=0).history
        logs.append({name: history[name][0] for name in model.trackers})
    return logs


def weights(network):
    return {v.path: ops.convert_to_numpy(v).copy() for v in network.variables}


def as_ours(name, array):
    """Return our variable's path and array for a parameter of the reference."""
    layer, kind = name.rsplit(".", 1)
    kernel = array.numpy()
    return (
        (f"{layer}/kernel", kernel.transpose(2, 3, 1, 0)) if kind == "weight" else (f"{layer}/bias", kernel)
    )


def reference(network, optimizer, single=False, **settings):
    """Return the plain PyTorch training with our network's weights, in float64 or in single precision."""
    import torch

    from tests.families.cyclegan_reference import Training

    training = Training(SMALL["width"], torch.float32 if single else torch.float64, optimizer, **settings)
    ours = weights(network)
    with torch.no_grad():
        for part, module in training.networks.items():
            for name, parameter in module.named_parameters():
                path, _ = as_ours(f"{part}_{name}", parameter.detach())
                array = ours[path]
                parameter.copy_(torch.tensor(array.transpose(3, 2, 0, 1) if array.ndim == 4 else array))
    return training


def train_reference(training, steps):
    """Train; return the last gradients, and the weights after them, as arrays of our variables."""
    import torch

    for x, y in steps:
        a, b = (torch.tensor(image.transpose(0, 3, 1, 2)) for image in (x, y["partner"]))
        gradients = training.step(a, b, y["pool_draws"][0])
    return tuple(
        dict(as_ours(*pair) for pair in parameters.items()) for parameters in (gradients, training.weights())
    )


def check(ours, exact, single):
    """Compare arrays by path with float64: a vector may be off by 1e-5 of its length, or by twice as much as
    plain PyTorch in float32 is, which comes to 7e-6 in the first layers of a generator.

    Biases before an instance norm have no gradient, only the rounding of sums that are 0.
    """
    assert ours.keys() == exact.keys()
    nothing = 1e-6 * max(np.abs(array).max() for array in exact.values())
    for path, array in exact.items():
        if np.abs(array).max() <= nothing:
            assert path.endswith("bias"), path
            assert np.abs(ours[path]).max() <= nothing, path
        else:
            off, plain = (np.linalg.norm(arrays[path] - array) for arrays in (ours, single))
            assert off <= max(1e-5 * np.linalg.norm(array), 2 * plain), path


@pytest.mark.parametrize("cycle", [(10.0, 10.0), (0.0, 0.0), (10.0, 0.0)])
def test_gradients_of_one_step_are_those_of_the_published_objective(cycle):
    torch = pytest.importorskip("torch")
    network, model = compiled(keras.optimizers.SGD(1.0), cycle=cycle)
    references = [
        reference(network, lambda p: torch.optim.SGD(p, 0.0), single, cycle=cycle) for single in (False, True)
    ]
    steps = list(batches(1, np.random.default_rng(0)))
    before = weights(network)
    trained(model, steps)
    after = weights(network)
    exact, single = (train_reference(training, steps)[0] for training in references)
    check({path: before[path] - after[path] for path in before}, exact, single)


def test_three_steps_of_adam_are_those_of_two_optimizers():
    pytest.importorskip("torch")
    from tests.families.cyclegan_reference import Adam

    network, model = compiled(keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-3))
    references = [reference(network, Adam, single) for single in (False, True)]
    steps = list(batches(3, np.random.default_rng(1)))
    before = weights(network)
    trained(model, steps)
    exact, single = (_moved(before, train_reference(training, steps)[1]) for training in references)
    ours = _moved(before, weights(network))
    learned = [path for path in ours if path.endswith("kernel") or path.startswith(FREE)]
    check(*({path: moved[path] for path in learned} for moved in (ours, exact, single)))


def _moved(before, after):
    return {path: after[path] - before[path] for path in before}


def after_a_step(**settings):
    """Return the weights after one step of SGD from a known beginning."""
    network, model = compiled(keras.optimizers.SGD(1.0), **settings)
    trained(model, batches(1, np.random.default_rng(0)))
    return weights(network)


def test_a_generator_learns_from_both_cycles():
    both = after_a_step(identity=0.0)
    for left_out in ((0.0, 10.0), (10.0, 0.0)):
        one = after_a_step(identity=0.0, cycle=left_out)
        for direction in ("AtoB", "BtoA"):
            assert not np.allclose(one[f"{direction}_out/kernel"], both[f"{direction}_out/kernel"], rtol=1e-3)


def test_discriminators_do_not_see_the_generators_terms():
    strong = after_a_step(cycle=(100.0, 100.0))
    none = after_a_step(cycle=(0.0, 0.0))
    for path in strong:
        if path.startswith(("A_", "B_")):  # the adversarial terms are in both
            np.testing.assert_allclose(strong[path], none[path], rtol=0, atol=1e-6)


def test_terms_are_logged_by_name_and_those_without_weight_left_out():
    names = {"adversarial_AtoB", "adversarial_BtoA", "discriminator_A", "discriminator_B"}
    _, model = compiled(keras.optimizers.SGD(1e-3), cycle=(0.0, 0.0))
    assert set(model.trackers) == names
    _, model = compiled(keras.optimizers.SGD(1e-3), cycle=(10.0, 0.0), identity=0.0, adversarial="bce")
    (logs,) = trained(model, batches(1, np.random.default_rng(0)))
    assert set(logs) == names | {"cycle_A"}
    assert all(np.isfinite(value) for value in logs.values())


def replayed(images, draws, size):
    """The published rule, one image after the other."""
    pool, shown = [], []
    for image, (swap, which) in zip(images, draws, strict=True):
        if len(pool) < size:
            pool.append(image)
            shown.append(image)
        elif swap > 0.5:
            place = min(int(which * size), size - 1)
            shown.append(pool[place])
            pool[place] = image
        else:
            shown.append(image)
    return np.array(shown), pool


@pytest.mark.parametrize("batch", [1, 3])
def test_the_pool_follows_the_published_rule(batch):
    rng, size = np.random.default_rng(0), 4
    images = np.arange(30, dtype="float32").reshape(-1, 1, 1, 1)
    draws = rng.random((30, 2), "float32")
    pool, filled, shown = ops.zeros((size, 1, 1, 1)), ops.convert_to_tensor(0.0), []
    for start in range(0, 30, batch):
        part = slice(start, start + batch)
        answer, pool = image_pool(
            ops.convert_to_tensor(images[part]), pool, filled, ops.convert_to_tensor(draws[part])
        )
        filled = ops.minimum(filled + batch, size)
        shown.append(ops.convert_to_numpy(answer))
    expected, kept = replayed(images, draws, size)
    np.testing.assert_array_equal(np.concatenate(shown), expected)
    np.testing.assert_array_equal(ops.convert_to_numpy(pool), kept)


def test_half_of_what_is_shown_comes_from_the_pool_evenly():
    rng, size, count = np.random.default_rng(0), 5, 2000
    draws = CycleGAN(**SMALL).mix_batch(np.zeros((count, 1, 1, 3)), {}, rng)[1]["pool_draws"]
    images = np.arange(count, dtype="float32").reshape(-1, 1, 1, 1)
    arguments = (images, np.zeros((size, 1, 1, 1), "float32"), np.float32(0), draws[:, 0])
    shown, _ = image_pool(*map(ops.convert_to_tensor, arguments))
    ages = np.arange(size, count) - ops.convert_to_numpy(shown)[size:, 0, 0, 0]
    assert np.mean(ages > 0) == pytest.approx(0.5, abs=0.04)
    # An image stays one of `size`, one of which is replaced in every second step.
    assert ages[ages > 0].mean() == pytest.approx(2 * size, rel=0.15)


def test_the_pool_is_remembered_and_belongs_to_a_resume_point():
    _, model = compiled(keras.optimizers.SGD(1e-3))
    trained(model, batches(3, np.random.default_rng(0)))
    filled, *pools = (ops.convert_to_numpy(variable) for variable in model.memory)
    assert filled == 2
    assert all(np.abs(pool).min(axis=0).max() > 0 for pool in pools)


def test_images_that_are_not_finite_stay_out_of_the_pool():
    _, model = compiled(keras.optimizers.SGD(1e-3))
    trained(model, batches(1, np.random.default_rng(0)))
    before = [ops.convert_to_numpy(variable) for variable in model.memory]
    assert before[0] == 1  # there is room for another
    ((x, y),) = batches(1, np.random.default_rng(1))
    trained(model, [(np.full_like(x, np.nan), y)])
    for variable, old in zip(model.memory, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old)


MODULES = {
    "conv": 1,
    "down1": 4,
    "down2": 7,
    "up1": 11,
    "up2": 14,
    "out": 18,
    "block1_conv1": "10.conv_block.1",
}
"""Of the published generator with one block."""


def published(generator, second=5):
    """Return the state dict of a published generator, undone from our variables."""
    modules = MODULES | {"block1_conv2": f"10.conv_block.{second}"}
    state = {}
    for variable in generator.variables:
        layer, kind = variable.path.split("/")
        array = ops.convert_to_numpy(variable)
        array = array.transpose(3, 2, 0, 1) if kind == "kernel" else array
        state[f"model.{modules[layer]}.{'weight' if kind == 'kernel' else 'bias'}"] = array
    return state


@pytest.mark.parametrize("second", [5, 6], ids=["plain", "with dropout"])
def test_old_files_with_running_statistics_load(second):
    generator = models.cyclegan_generator(blocks=1, width=4)
    state = published(generator, second)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        state[f"model.2.{name}"] = np.ones(4, "float32")
    other = models.cyclegan_generator(blocks=1, width=4)
    assign(other, convert_generator(state))
    for one, same in zip(generator.variables, other.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(same))


def test_a_published_generator_is_a_family_that_predicts_but_is_not_trained():
    generator = models.cyclegan_generator(blocks=1, width=4)
    state = published(generator)
    family = CycleGAN().for_checkpoint(state)
    assert (family.single_generator, family.blocks, family.width) == (True, 1, 4)
    network = family.build()
    assign(network, family.convert(state))
    image = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype("uint8")
    result = next(family.infer(backends.forward(family.deploy(network)), [image]))
    assert list(result.images) == ["AtoB"]
    with pytest.raises(UserError, match="single generator cannot be trained"):
        family.objective(network)


def test_a_published_generator_of_one_channel_makes_what_it_makes_in_pytorch():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    from tests.families.cyclegan_reference import Generator

    torch.manual_seed(0)
    theirs = Generator(width=4, blocks=1, channels=1).double()
    modules = MODULES | {"block1_conv2": "10.conv_block.5"}
    parts = ((name.rsplit(".", 1), value) for name, value in theirs.state_dict().items())
    state = {f"netG.model.{modules[layer]}.{kind}": v.float().numpy() for (layer, kind), v in parts}
    family = CycleGAN().for_checkpoint(state)
    assert (family.channels, family.blocks, family.width) == (1, 1, 4)
    network = family.build()
    assign(network, family.convert(state))
    image = np.random.default_rng(0).integers(0, 256, (20, 24, 1)).repeat(3, axis=2).astype("uint8")
    image_b = next(family.infer(backends.forward(family.deploy(network)), [image])).images["AtoB"]
    with torch.no_grad():
        expected = theirs(torch.tensor(image[None, None, ..., 0] / 127.5 - 1))[0, 0].numpy()
    assert image_b.shape == image.shape
    assert image_b.std() > 1
    np.testing.assert_allclose(image_b, ((expected + 1) * 127.5)[..., None].repeat(3, axis=2), atol=0.51)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.10.conv_block.0.weight": np.ones((16, 16, 3, 3))}, "pads its blocks with zeros"),
        ({"model.2.weight": np.ones(4)}, "has norms with weights"),
        ({"model.1.weight": np.ones((4, 1, 7, 7))}, "makes 3 channels of 1"),
        ({"model.0.weight": np.ones((64, 3, 4, 4))}, "is a discriminator"),
    ],
)
def test_generators_of_another_build_are_refused(change, message):
    state = published(models.cyclegan_generator(blocks=1, width=4)) | change
    with pytest.raises(UserError, match=message):
        CycleGAN().for_checkpoint(state)


def test_one_channel_is_trained_scored_and_served_as_grey_images():
    _, model = compiled("adam", channels=1)
    rng = np.random.default_rng(0)
    steps = [(x[..., :1], y | {"partner": y["partner"][..., :1]}) for x, y in batches(2, rng)]
    assert all(np.isfinite(list(terms.values())).all() for terms in trained(model, steps))
    family = CycleGAN(**SMALL, channels=1)
    network = family.build()
    image = rng.integers(0, 256, (20, 24, 3)).astype("uint8")
    result = next(family.infer(backends.forward(family.deploy(network)), [image]))
    assert {name: made.shape for name, made in result.images.items()} == dict.fromkeys(
        ("AtoB", "BtoA", "AtoBtoA", "BtoAtoB"), image.shape
    )
    grey = np.round(image @ (0.299, 0.587, 0.114))[..., None].repeat(3, axis=2)
    np.testing.assert_array_equal(family.seen(image), grey)
    apart = np.abs(grey - result.images["AtoBtoA"]).mean() / 255
    assert result.cycle_error["AtoB"] == pytest.approx(apart, rel=1e-5)
    tiled = next(family.infer(backends.forward(family.deploy(network)), [image], Options(tile=16)))
    assert tiled.images["AtoB"].shape == image.shape
    expected = next(family.infer(backends.forward(family.deploy(network)), [grey.astype("uint8")])).images[
        "AtoB"
    ]
    served = family.serving(family.deploy(network))({"image": grey[None, ..., :1].astype("float32")})
    np.testing.assert_allclose(ops.convert_to_numpy(served["AtoB"])[0], expected[..., :1], atol=0.51)
