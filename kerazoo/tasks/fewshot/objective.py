"""What few-shot learning does inside Keras: questions in episodes, and the loss of their answers."""

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerazoo.objective import SumOfTerms, Tensor, cross_entropy

if TYPE_CHECKING:
    from kerazoo.tasks.fewshot import FewShot


class EpisodeNetwork(keras.Model):
    """A trained network that is asked in episodes; what it says of single images is the network's own.

    Shape: float32 `(N, ways, shots + queries, H, W, C)` -> `{"logits": (N, ways, queries, ways)}`;
        `(N, H, W, C)` -> the network's outputs.
    """

    def __init__(self, family: "FewShot", network: keras.Model) -> None:
        super().__init__(name="episodes", dtype="float32")
        self.family, self.network = family, network

    def call(self, x: Tensor) -> dict[str, Tensor]:
        if len(x.shape) == 4:
            return self.network(x, training=False)
        return {"logits": self.family.answers(self.network, x, training=False)}


class EpisodeObjective(SumOfTerms):
    """Softmax cross entropy of what the queries of an episode are told to be.

    Shape: as `EpisodeNetwork`; the targets are `{"labels": int (N, ways)}`.
    """

    def __init__(self, family: "FewShot", network: keras.Model) -> None:
        super().__init__(network, ["cross_entropy"])
        self.dtype_policy = keras.DTypePolicy("float32")  # weights that adapt; the network has its own
        self.family = family

    def call(self, x: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        return {"logits": self.family.answers(self.network, x, training=bool(training))}

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        logits = ops.cast(outputs["logits"], "float32")
        targets = ops.one_hot(y["labels"], logits.shape[-1])[:, :, None]
        return {"cross_entropy": ops.mean(cross_entropy(targets, logits))}
