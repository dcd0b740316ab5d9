"""Prototypical networks (Snell et al. 2017, arXiv:1703.05175)."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerazoo.settings import settings
from kerazoo.tasks.fewshot import FewShot

if TYPE_CHECKING:
    import keras


@settings
class ProtoNet(FewShot):
    """An image is of the class whose support is nearest on average, by squared Euclidean distance.

    Training episodes have more ways than those that are asked about: harder than what comes (section 2.5).
    While predicting, batch normalisation takes running statistics, as the authors' code does: what a
    query is told to be does not depend on the other queries.
    """

    epsilon: ClassVar[float] = 1e-5  # PyTorch's, in which it was published
    training_ways: int = 60
    training_queries: int = 5

    def build(self) -> "keras.Model":
        from kerazoo.families.conv4.model import conv4

        return conv4(**self.layout() | {"size": None})  # nothing follows that needs one

    def answers(self, network: "keras.Model", x: Any, training: bool) -> Any:
        from kerazoo.families.protonet.prototypes import logits

        return logits(network, x, self.training_shots if training else self.shots, training)

    def classifier_weights(
        self, network: "keras.Model", x: np.ndarray, labels: np.ndarray
    ) -> dict[str, np.ndarray]:
        from kerazoo.families.protonet.prototypes import linear_classifier

        return linear_classifier(network, x, labels)

    def serving(self, network: "keras.Model") -> "keras.Model":
        """Return `{"image"}` -> `{"embedding"}`: nearer is more alike."""
        from kerazoo.families.protonet.prototypes import serving_model

        return serving_model(self, network)
