"""Few-shot learning by adapting all weights to the support: what MAML and Reptile share."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from kerazoo.settings import settings
from kerazoo.tasks.fewshot import FewShot

if TYPE_CHECKING:
    import keras

    from kerazoo.tasks.fewshot.inner_loop import Loss, Weights

Steps = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


@settings
class Adapting(FewShot):
    """A family whose network has a class for each way and adapts to an episode by some steps.

    Batch normalisation always takes the statistics of the images at hand, as the authors of both do: the
    queries of an episode see one another (they are transductive). The network answers `training_ways`
    classes; where an episode has another number, all of these start from the mean of its outputs.

    Attributes:
        steps: of the inner loop while training.
        test_steps: the same when episodes are asked about or a classifier is adapted.
        inner_learning_rate: of these steps.
    """

    steps: Steps = 1
    test_steps: Steps = 3
    inner_learning_rate: Rate = 0.4

    @abstractmethod
    def network(self, classes: int) -> "keras.Model":
        """Return the network with so many classes."""

    def moved(self, loss: "Loss", steps: int, weights: "Weights", again: bool) -> "Weights":
        """Return the weights after some steps down a loss; called inside Keras.

        Args:
            loss: of the weights.
            steps: of the inner loop.
            weights: to start from.
            again: the result will be differentiated.
        """
        from kerazoo.tasks.fewshot.inner_loop import gradient_descent

        return gradient_descent([loss], steps, weights, self.inner_learning_rate, again=again)

    def build(self) -> "keras.Model":
        return self.network(self.training_ways)

    def deploy(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.fewshot.inner_loop import with_ways

        return super().deploy(with_ways(network, self.network(self.ways)))

    def answers(self, network: "keras.Model", x: Any, training: bool) -> Any:
        from kerazoo.tasks.fewshot.inner_loop import answers

        return answers(self, network, x, training)

    def classifier_weights(
        self, network: "keras.Model", x: np.ndarray, labels: np.ndarray
    ) -> dict[str, np.ndarray]:
        from kerazoo.tasks.fewshot.inner_loop import classifier_weights

        return classifier_weights(self, network, x, labels)
