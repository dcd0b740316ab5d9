"""Model-agnostic meta-learning (Finn et al. 2017, arXiv:1703.03400), of second and of first order."""

from typing import TYPE_CHECKING, ClassVar, Literal

from kerazoo.settings import settings
from kerazoo.tasks.fewshot.adapting import Adapting

if TYPE_CHECKING:
    import keras

    from kerazoo.tasks.fewshot.inner_loop import Loss, Weights


@settings
class MAML(Adapting):
    """Weights from which a few steps of gradient descent on the support of an episode lead far.

    Attributes:
        second_order: differentiate through the steps; else take them for constants (section 5.2).
    """

    importer: ClassVar[str | None] = "kerazoo.families.maml.importer"

    pool: Literal["max", "stride"] = "stride"
    features: Literal["flatten", "mean"] = "mean"
    second_order: bool = True

    def network(self, classes: int) -> "keras.Model":
        from kerazoo.families.conv4.model import conv4

        return conv4(classes=classes, norm="current", scale=False, **self.layout())

    def moved(self, loss: "Loss", steps: int, weights: "Weights", again: bool) -> "Weights":
        return super().moved(loss, steps, weights, again and self.second_order)
