"""Reptile (Nichol et al. 2018, arXiv:1803.02999): meta-learning without questions."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from kerazoo.settings import settings
from kerazoo.tasks.fewshot import FewShot

if TYPE_CHECKING:
    import keras

Steps = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


@settings
class Reptile(FewShot):
    """Weights that move towards where a few steps of Adam on each episode lead them.

    The learning rate of the recipe is the paper's step size epsilon, with plain SGD. Batch normalisation
    always takes the statistics of the pictures at hand (transductive, as published). Episodes of another
    number of classes than `training_ways` start from the mean of the network's outputs.

    Attributes:
        steps: of the inner loop while training; each sees its own part of the pictures.
        test_steps: the same when episodes are asked about or a classifier is adapted.
        rate: of these steps.
    """

    training_shots: Annotated[int, Field(ge=1)] = 10
    training_queries: Annotated[int, Field(ge=0)] = 0
    pool: Literal["max", "stride"] = "stride"
    steps: Steps = 5
    test_steps: Steps = 50
    rate: Rate = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training_shots % self.steps:
            raise ValueError("training_shots must divide by steps: each sees as many")

    def build(self) -> "keras.Model":
        return self.network(self.training_ways)

    def network(self, classes: int) -> "keras.Model":
        """Return the network with so many classes."""
        from kerazoo.families.conv4.model import conv4

        return conv4(
            size=self.size if self.features == "flatten" else None,
            channels=self.channels,
            classes=classes,
            filters=self.filters,
            pool=self.pool,
            features=self.features,
            norm="current",
            epsilon=self.epsilon,
        )

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.reptile.inner_loop import ReptileObjective

        return ReptileObjective(self, network)

    def answers(self, network: "keras.Model", x: Any, training: bool) -> Any:
        from kerazoo.families.reptile.inner_loop import answers

        return answers(self, network, x)

    def learned(self, network: "keras.Model", x: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        from kerazoo.families.reptile.inner_loop import learned

        return learned(self, network, x, labels)
