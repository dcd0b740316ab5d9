"""Reptile (Nichol et al. 2018, arXiv:1803.02999): meta-learning without questions."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from kerazoo.settings import settings
from kerazoo.tasks.fewshot.adapting import Adapting

if TYPE_CHECKING:
    import keras


@settings
class Reptile(Adapting):
    """Weights that move towards where a few steps of gradient descent on each episode lead them.

    With plain SGD the recipe's learning rate is the paper's step size epsilon; the paper also hands the way
    there to Adam (section 2). While training each step sees its own part of the images of an episode.

    The published inner loop is Adam whose second moments are carried from episode to episode. From moments of
    zero, its first step moves every weight by the rate whatever its gradient: after 2,000 episodes of
    Omniglot that stood at 80 % where gradient descent was at 90 %.
    """

    training_shots: Annotated[int, Field(ge=1)] = 10
    training_queries: Annotated[int, Field(ge=0)] = 0
    pool: Literal["max", "stride"] = "stride"
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] = 10
    inner_learning_rate: Annotated[float, Field(gt=0)] = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training_shots % self.steps:
            raise ValueError("training_shots must divide by steps: each sees as many")

    def network(self, classes: int) -> "keras.Model":
        from kerazoo.families.conv4.model import conv4

        return conv4(classes=classes, norm="current", **self.layout())

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.reptile.objective import ReptileObjective

        return ReptileObjective(self, network)
