"""What verification does inside Keras: losses of pairs and of whole classes, and the deployed network."""

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerazoo.objective import SumOfTerms, Tensor, cross_entropy, embedded

if TYPE_CHECKING:
    from kerazoo.tasks.verification import Verification


def contrastive(alike: Tensor, distance: Tensor, margin: float) -> Tensor:
    """Return the contrastive loss of every pair: Y D^2 / 2 + (1 - Y) max(0, m - D)^2 / 2.

    **Y is 1 where the two are alike.** Hadsell et al. 2006, who state it, have Y the other way round.

    Shape: two tensors of one shape -> the same, float32.

    Args:
        alike: Y, 1 where they are alike and 0 where they are not.
        distance: D, 0 or above and without a bound.
        margin: m: pairs that are not alike are pushed no further apart.
    """
    apart = ops.relu(margin - distance)
    return (alike * ops.square(distance) + (1 - alike) * ops.square(apart)) / 2


def batch_hard(distance: Tensor, same: Tensor, margin: float) -> Tensor:
    """Return the triplet loss of every image with its hardest partners (Hermans et al. 2017, eq. 5).

    max(0, m + the farthest of its class - the nearest of another).

    Shape: `(..., M, M)` and bool `(M, M)` -> float32 `(..., M)`.

    Args:
        distance: of each two images.
        same: whether they are of one class; some are, and some are not.
        margin: m.
    """
    farthest = ops.max(ops.where(same, distance, 0.0), axis=-1)
    nearest = ops.min(ops.where(same, float("inf"), distance), axis=-1)
    return ops.relu(margin + farthest - nearest)


class SiameseObjective(SumOfTerms):
    """The objective of a Siamese network: all of its images pass the tower in one batch.

    Args:
        network: of `Verification.build`, with a "tower" and a "head".
        term: name of the loss.
    """

    def __init__(self, network: keras.Model, term: str) -> None:
        super().__init__(network, [term])
        self.tower, self.head = network.get_layer("tower"), network.get_layer("head")

    def call(self, x: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        return {"embedding": embedded(self.tower, x, bool(training))}


class PairObjective(SiameseObjective):
    """The loss of pairs: contrastive, or Koch's cross entropy.

    Shape: float32 `(N, P, 2, H, W, C)`; the targets are `{"alike": float32 (N, P)}`.
    """

    def __init__(self, family: "Verification", network: keras.Model) -> None:
        super().__init__(network, family.loss)
        self.margin = None if family.loss == "cross_entropy" else family.margin

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        first, second = (outputs["embedding"][:, :, place] for place in (0, 1))
        met, alike = self.head(first, second), ops.cast(y["alike"], "float32")
        if self.margin is not None:
            return {"contrastive": ops.mean(contrastive(alike, met, self.margin))}
        return {"cross_entropy": ops.mean(cross_entropy(alike[..., None], met[..., None]))}


class TripletObjective(SiameseObjective):
    """The triplet loss of batches of classes.

    Shape: float32 `(N, classes, images, H, W, C)`; the targets are `{"labels": int (N, classes)}`.
        Triplets are looked for in each of the N by itself.
    """

    def __init__(self, family: "Verification", network: keras.Model) -> None:
        super().__init__(network, "triplet")
        self.margin = family.margin

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        batch, classes, images, size = ops.shape(outputs["embedding"])
        all_of_them = ops.reshape(outputs["embedding"], (batch, classes * images, size))
        labels = ops.repeat(ops.arange(classes), images)
        distance = self.head(all_of_them[:, :, None], all_of_them[:, None])
        return {"triplet": ops.mean(batch_hard(distance, labels[:, None] == labels, self.margin))}


class PairDistances(keras.Model):
    """The trained network as prediction runs it.

    Shape: images float32 `(N, H, W, C)` -> `{"embedding": (N, D)}`; stacks of M images
        `(N, M, H, W, C)` -> `{"embedding": (N, M, D), "distance": (N, M, M)}`, of each two of a stack. The
        distance of the head "weighted_l1" is minus its logit: the smaller, the more alike.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="pair_distances")
        self.tower, self.head = network.get_layer("tower"), network.get_layer("head")
        self.sign = -1.0 if "logits" in network.output else 1.0

    def call(self, x: Tensor) -> dict[str, Tensor]:
        embedding = embedded(self.tower, x, training=False)
        if len(x.shape) == 4:
            return {"embedding": embedding}
        return {
            "embedding": embedding,
            "distance": self.sign * self.head(embedding[:, :, None], embedding[:, None]),
        }


def serving_model(task: "Verification", network: PairDistances) -> keras.Model:
    """Return `{"image"}` -> `{"embedding"}`; height and width are unknown where the tower takes any.

    The graph normalises and runs the tower on the pixels it is given; whoever calls it brings them to
    the family's size.

    Shape: image float32 `(N, H, W, C)`, 0..255 (RGB, or grey for one channel) -> embedding float32 `(N, D)`.
    """
    image, x = task.serving_input(network.tower.input_shape[1:3])
    return keras.Model({"image": image}, network.tower(x), name="serving")
