"""Model-agnostic meta-learning (Finn et al. 2017, arXiv:1703.03400), of second and of first order."""

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
class MAML(FewShot):
    """Weights from which a few steps of gradient descent on the support of an episode lead far.

    Batch normalisation always takes the statistics of the pictures at hand, as the authors' code does: the
    queries of an episode see one another (it is transductive). With `training_ways` classes the network
    answers so many; episodes of another number start from the mean of its outputs.

    Attributes:
        steps: of the inner loop while training.
        test_steps: the same when episodes are asked about or a classifier is adapted.
        rate: of these steps.
        second_order: differentiate through the steps; else take them for constants (section 5.2).
    """

    pool: Literal["max", "stride"] = "stride"
    features: Literal["flatten", "mean"] = "mean"
    steps: Steps = 1
    test_steps: Steps = 3
    rate: Rate = 0.4
    second_order: bool = True

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
            scale=False,
            epsilon=self.epsilon,
        )

    def answers(self, network: "keras.Model", x: Any, training: bool) -> Any:
        from kerazoo.families.maml.inner_loop import answers

        return answers(self, network, x, training)

    def learned(self, network: "keras.Model", x: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        from kerazoo.families.maml.inner_loop import learned

        return learned(self, network, x, labels)

    def for_checkpoint(self, arrays: dict[str, np.ndarray], layout: str | None = None) -> "MAML":
        from kerazoo.families.maml.importer import family_settings
        from kerazoo.settings import replace

        return replace(self, family_settings(arrays), "family")

    def convert(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        from kerazoo.families.maml.importer import convert

        return convert(arrays)
