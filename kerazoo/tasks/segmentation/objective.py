"""What segmentation does inside Keras: the loss terms and the exported graph."""

from typing import TYPE_CHECKING

import keras
from keras import layers, ops

from kerazoo.layers import CropLike, MirrorPad
from kerazoo.objective import SumOfTerms, Tensor, cross_entropy, dice, focal, hard, weighted_mean

if TYPE_CHECKING:
    from kerazoo.tasks.segmentation import Losses, Segmentation


class SegmentationObjective(SumOfTerms):
    """Cross entropy, of all or of hard pixels, focal and Dice loss, each averaged over the heads.

    Args:
        network: outputs `{name: logits (N, H, W, K)}`.
        losses: how much each weighs.
        class_weights: factor of each label's pixels in all but the Dice loss, or None.
    """

    def __init__(self, network: keras.Model, losses: "Losses", class_weights: tuple[float, ...] | None):
        super().__init__(network, list(losses.active()))
        self.settings = losses
        self.class_weights = class_weights

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        labels, weights = ops.cast(y["labels"], "int32"), ops.cast(y["weights"], "float32")
        valid = ops.cast(weights > 0, "float32")
        heads = [ops.cast(logits, "float32") for logits in outputs.values()]
        targets = _targets(ops.where(valid > 0, labels, 0), heads[0].shape[-1])
        if self.class_weights is not None:
            per_label = ops.convert_to_tensor(self.class_weights, "float32")
            weights = weights * ops.take(per_label, ops.where(valid > 0, labels, 0))
        formulas = {
            "cross_entropy": lambda logits: weighted_mean(cross_entropy(targets, logits), weights),
            "focal": lambda logits: weighted_mean(focal(targets, logits), weights),
            "dice": lambda logits: dice(targets, logits, valid),
            "ohem": lambda logits: self._hard_cross_entropy(targets, logits, weights),
        }
        return {
            name: factor * sum(formulas[name](logits) for logits in heads) / len(heads)
            for name, factor in self.settings.active().items()
        }

    def _hard_cross_entropy(self, targets: Tensor, logits: Tensor, weights: Tensor) -> Tensor:
        losses = cross_entropy(targets, logits)
        chosen = hard(losses, weights, self.settings.ohem_threshold, self.settings.ohem_kept)
        return weighted_mean(losses, weights * chosen)


def _targets(labels: Tensor, logits: int) -> Tensor:
    """Return float32 `(N, H, W, logits)`: the label itself for one logit, else one-hot."""
    if logits == 1:
        return ops.expand_dims(ops.cast(labels, "float32"), -1)
    return ops.one_hot(labels, logits)


def serving_model(task: "Segmentation", network: keras.Model) -> keras.Model:
    """Return `{"image"}` -> `{"probabilities"}` of unknown batch, height and width.

    The graph normalises, mirrors borders, averages the heads and crops as `prepare` and
    `probabilities` do, so that a server needs to know nothing about the network.

    Shape: image float32 `(N, H, W, C)`, 0..255 (RGB, or grey for one channel) ->
        probabilities float32 `(N, H, W, classes)`.
    """
    image, x = task.serving_input()
    context = task.context()
    if context:
        multiple = task.stride()
        x = MirrorPad(multiple, margin=context, remainder=task.admissible(1) % multiple, name="bordered")(x)
    activation = layers.Activation("sigmoid" if task.classes == 1 else "softmax", dtype="float32")
    heads = [activation(logits) for logits in network(x).values()]
    mean = layers.Average(name="heads", dtype="float32")(heads) if len(heads) > 1 else heads[0]
    if context:
        mean = CropLike(name="cropped")([mean, image])
    return keras.Model({"image": image}, {"probabilities": mean}, name="serving")
