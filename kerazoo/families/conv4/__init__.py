"""Conv-4 as a classifier: what a few-shot family becomes when it has been shown new classes."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from kerazoo.settings import settings
from kerazoo.tasks.classification import Classification

if TYPE_CHECKING:
    import keras


@settings
class Conv4(Classification):
    """Four blocks of convolution and pooling with a dense layer; see `kerazoo.families.conv4.model.conv4`.

    Attributes:
        filters: of every block.
        pool: halve by "max" pooling or by the convolution's "stride".
        features: all cells of the last block ("flatten") or their "mean".
        epsilon: of the batch normalisations.
    """

    channels: Literal[1, 3] = 1
    size: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] = (28, 28)
    crop_pct: Annotated[float, Field(gt=0, le=1)] = 1.0
    filters: Annotated[int, Field(ge=1)] = 64
    pool: Literal["max", "stride"] = "max"
    features: Literal["flatten", "mean"] = "flatten"
    epsilon: Annotated[float, Field(gt=0)] = 1e-5

    def build(self) -> "keras.Model":
        from kerazoo.families.conv4.model import conv4

        return conv4(
            size=self.size if self.features == "flatten" else None,
            channels=self.channels,
            classes=self.classes,
            filters=self.filters,
            pool=self.pool,
            features=self.features,
            epsilon=self.epsilon,
        )
