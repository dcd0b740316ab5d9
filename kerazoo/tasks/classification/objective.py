"""What classification does inside Keras: the loss and the exported graph."""

from typing import TYPE_CHECKING

import keras
from keras import layers, ops

from kerazoo.objective import SumOfTerms, Tensor, cross_entropy

if TYPE_CHECKING:
    from kerazoo.tasks.classification import Classification


class ClassificationObjective(SumOfTerms):
    """Softmax cross entropy against targets that may be smoothed or mixed.

    Args:
        network: outputs `{"logits": (N, K)}`.
    """

    def __init__(self, network: keras.Model):
        super().__init__(network, ["cross_entropy"])

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        logits, targets = (ops.cast(value, "float32") for value in (outputs["logits"], y["targets"]))
        return {"cross_entropy": ops.mean(cross_entropy(targets, logits))}


def serving_model(task: "Classification", network: keras.Model) -> keras.Model:
    """Return `{"image"}` -> `{"probabilities"}` of unknown batch and, where it may be, height and width.

    The graph normalises and runs the network on the pixels it is given; it resizes nothing.
    Whoever calls it scales and crops as `Classification.centre` does.

    Shape: image float32 `(N, H, W, C)`, 0..255 (RGB, or grey for one channel) ->
        probabilities float32 `(N, classes)`.
    """
    image, x = task.serving_input(network.input.shape[1:3])
    softmax = layers.Softmax(name="probabilities", dtype="float32")
    return keras.Model({"image": image}, {"probabilities": softmax(network(x)["logits"])}, name="serving")
