"""What translation does inside Keras: there and back for predictions, one way for the exported graph."""

from typing import TYPE_CHECKING

import keras
from keras import layers

from kerazoo.structures.images import DIRECTIONS, RETURNS

if TYPE_CHECKING:
    from kerazoo.tasks.translation import Translation


def there_and_back(task: "Translation", network: keras.Model) -> keras.Model:
    """Return the network of a family's `asked` directions, and back where there is a generator for that.

    Shape: float32 `(N, H, W, C)`, -1..1 -> `{"AtoB": the same, "AtoBtoA": the same, ...}`.
    """
    image = keras.Input(network.input.shape[1:], name="image")
    ways = {}
    for there, back in zip(DIRECTIONS, reversed(DIRECTIONS), strict=True):
        if there not in task.directions():
            continue
        ways[there] = _translated(task.generator(network, there), image, there)
        if back in task.translators():
            name = RETURNS[there]
            ways[name] = _translated(task.generator(network, back), ways[there], name)
    return keras.Model(image, ways, name="there_and_back")


def serving_model(task: "Translation", network: keras.Model) -> keras.Model:
    """Return `{"image"}` -> `{"AtoB"}`, `{"BtoA"}` or both, of unknown batch, height and width.

    Shape: image float32 `(N, H, W, C)`, 0..255, RGB or grey -> the same for each direction.

    Args:
        task: the family.
        network: what `task.deploy` made.
    """
    image, x = task.serving_input()
    outputs = {}
    translations = network(x)
    for way in task.directions():
        levels = layers.Rescaling(127.5, 127.5, name=f"{way}_levels")(translations[way])
        outputs[way] = keras.ops.flip(levels, axis=-1) if task.order == "BGR" else levels
    return keras.Model({"image": image}, outputs, name="serving")


def _translated(generator: keras.Model, image: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.Activation("tanh", dtype="float32", name=name)(generator(image)["logits"])
