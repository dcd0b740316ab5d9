"""What a training will take, found out by a few real steps; writes nothing."""

import dataclasses
import itertools
import math
import re
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kerazoo import backend
from kerazoo.data.lazy import CachedSamples
from kerazoo.data.loader import Feed, stream
from kerazoo.engine.evaluate import scored
from kerazoo.engine.options import options_for
from kerazoo.engine.training.initialise import initialise
from kerazoo.engine.training.memory import OutOfMemory, is_exhausted, require
from kerazoo.engine.training.steps import compiled
from kerazoo.engine.training.train import check, prepared
from kerazoo.recipe import Recipe
from kerazoo.run import Run
from kerazoo.structures.sample import Sample
from kerazoo.tasks.images import TILE, WHOLE

if TYPE_CHECKING:
    import keras

STEPS = 5
"""So many steps are timed, after a first one that compiles."""

SECONDS = 60.0
"""No further step is timed after so long."""

PART = 1024
"""Side of what is predicted of larger images."""

VALIDATED = 4
"""So many validation images are timed, after a first one that compiles."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a training will take.

    Attributes:
        images: samples in the split "train" and in "val".
        batch: shape of a batch of network inputs, `(N, H, W, C)`; with more axes for episodes.
        parameters: values that are trained.
        memory: estimated bytes of "weights", "gradients", "optimizer" and "activations", the outputs of all
            layers for one batch.
        epochs, steps: of the whole training.
        step_seconds: of a step, the mean of `timed_steps`.
        first_step_seconds: of the first step, which compiles.
        validation_seconds: of a validation, from the mean of `timed_images`.
        validations: in the whole training.
        minutes: of the whole training.
    """

    images: dict[str, int]
    batch: tuple[int, ...]
    parameters: int
    memory: dict[str, int]
    epochs: int
    steps: int
    timed_steps: int
    step_seconds: float
    first_step_seconds: float
    timed_images: int
    validation_seconds: float
    validations: int
    minutes: float


def estimate(recipe: Recipe, *, init: Run | None = None) -> Estimate:
    """Build a recipe's network, train it for a few steps and predict a few images; nothing is kept.

    Args:
        recipe: to be trained.
        init: a run whose weights to start from, as for `kerazoo.train`.

    Raises:
        UserError: whatever `kerazoo.train` refuses before its first step.
        OutOfMemory: a step does not fit memory.
    """
    recipe = recipe.configured()
    check(recipe)
    with prepared(recipe):
        network = recipe.family.build()
        if (start := init or recipe.weights) is not None:
            initialise(network, recipe.family, start)
        try:
            return _estimated(recipe, network)
        except Exception as error:
            if is_exhausted(error):
                raise OutOfMemory from error
            raise


def _estimated(recipe: Recipe, network: "keras.Model") -> Estimate:
    from kerazoo.layers import folded

    train, validation = (CachedSamples(recipe.data.samples(split)) for split in ("train", "val"))
    batches = stream(train, recipe.family, recipe.augmentation, batch=recipe.batch_size, seed=recipe.seed)
    shape, epoch_steps = batches[0][0].shape, recipe.epoch_steps(len(train))
    outputs = activations(network, shape)
    require(outputs)
    objective = compiled(recipe, network, shape, epoch_steps)
    first, *later = _step_seconds(objective, Feed(batches, 0, 1 + STEPS))
    forward = backend.forward(folded(recipe.family.deploy(network))[0])
    timed_images = min(VALIDATED, len(validation))
    image_seconds = _image_seconds(recipe, forward, [validation[i] for i in range(timed_images)])
    step_seconds = sum(later) / len(later)
    steps, validations = epoch_steps * recipe.epochs, math.ceil(recipe.epochs / recipe.validate_every)
    validation_seconds = image_seconds * len(validation)
    return Estimate(
        images={"train": len(train), "val": len(validation)},
        batch=shape,
        parameters=sum(math.prod(v.shape) for v in objective.trainable_variables),
        memory=_memory(objective) | {"activations": outputs},
        epochs=recipe.epochs,
        steps=steps,
        timed_steps=len(later),
        step_seconds=step_seconds,
        first_step_seconds=first,
        timed_images=timed_images,
        validation_seconds=validation_seconds,
        validations=validations,
        minutes=(first + steps * step_seconds + validations * validation_seconds) / 60,
    )


def _step_seconds(objective: "keras.Model", feed: Feed) -> list[float]:
    """Return the seconds of the first step and of those after it, two at least."""
    import keras

    stamps = [time.perf_counter()]

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            _ = [float(value) for value in (logs or {}).values()]  # waits until the step has been computed
            stamps.append(time.perf_counter())
            self.model.stop_training = batch > 0 and stamps[-1] - stamps[1] > SECONDS

    steps = feed.stop - feed.start
    objective.fit(
        backend.fit_input(feed()), steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[Clock()]
    )
    return [later - sooner for sooner, later in itertools.pairwise(stamps)]


def _image_seconds(recipe: Recipe, forward: Callable, samples: list[Sample]) -> float:
    """Return the seconds that one validation image takes; of large ones a part is predicted."""
    options = options_for(recipe.family, tile=recipe.tile)
    pixels = sum(math.prod(sample.image.shape[:-1]) for sample in samples)
    largest = max(math.prod(sample.image.shape[-3:-1]) for sample in samples)
    large = largest > PART**2
    if largest > WHOLE and options.tile is None and "tile" in recipe.family.supports:
        options = options._replace(tile=TILE // 2)  # of a part, these overlap as tiles of the whole do
    parts = [sample.image[..., :PART, :PART, :] for sample in samples]
    for count in (1, len(samples)):  # the first time it compiles
        began = time.perf_counter()
        if large:
            deque(recipe.family.infer(forward, parts[:count], options), maxlen=0)
        else:
            scored(recipe.family, forward, samples[:count], options, count=0)
    seen = sum(math.prod(part.shape[:-1]) for part in parts) if large else pixels
    return (time.perf_counter() - began) * pixels / seen / len(samples)


def _memory(objective: "keras.Model") -> dict[str, int]:
    return {
        "weights": sum(map(_bytes, objective.variables)),
        "gradients": sum(map(_bytes, objective.trainable_variables)),
        "optimizer": sum(map(_bytes, objective.optimizer.variables)),
    }


def activations(network: "keras.Model", shape: tuple[int, ...]) -> int:
    """Return the bytes of the outputs of all layers for a batch of images.

    Args:
        network: functional; of one input `(N, H, W, C)`, or of several such as the two of a pair.
        shape: of the batch, `(N, H, W, C)` or, of episodes and pairs, `(N, ..., H, W, C)`.
    """
    import keras

    def one_image(x: Any) -> Any:
        return keras.Input(batch_shape=(1, *shape[-3:]), name=x.name)

    one = keras.tree.map_structure(one_image, network.input)
    return _output_bytes(network, one) * math.prod(shape[:-3]) // len(network.inputs)


def _output_bytes(network: "keras.Model", inputs: Any) -> int:
    """Return the bytes of the outputs of all layers, also of networks inside, for symbolic inputs."""
    import keras

    total = 0

    def recorded(layer: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal total
        outputs = layer(*arguments, **options)
        if isinstance(layer, keras.Model):
            inner = keras.tree.map_structure(lambda x: keras.Input(batch_shape=x.shape), arguments[0])
            total += _output_bytes(layer, inner)
        else:
            total += sum(map(_bytes, keras.tree.flatten(outputs)))
        return outputs

    keras.models.clone_model(
        network, input_tensors=inputs, clone_function=lambda layer: layer, call_function=recorded
    )
    return total


def _bytes(tensor: Any) -> int:
    bits = re.search(r"\d+$", str(tensor.dtype))  # none: bool
    return math.prod(tensor.shape) * (int(bits[0]) // 8 if bits else 1)
