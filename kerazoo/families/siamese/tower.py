"""What a Siamese network's two images go through, as settings."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kerazoo.settings import settings

if TYPE_CHECKING:
    import keras

Count = Annotated[int, Field(ge=1)]

RESNETS = {f"resnet{depth}": depth for depth in (18, 34, 50, 101, 152)}


@settings
class Tower:
    """A network that makes an embedding of an image.

    Attributes:
        name: "conv4" (`kerazoo.families.conv4.model.conv4`), "koch" (Koch et al. 2015), or a ResNet.
        width: filters of the first convolution.
        features: of conv4: all cells of the last block ("flatten") or their "mean".
        embedding: numbers that a last dense layer makes of the features; None is no such layer, and with
            "koch", whose layer ends in sigmoids, the paper's 4096.
        unit: bring embeddings to length 1, so that no distance is above 2.
    """

    name: Literal["conv4", "koch", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] = "conv4"
    width: Count = 64
    features: Literal["flatten", "mean"] = "flatten"
    embedding: Count | None = None
    unit: bool = False

    def build(self, size: tuple[int, int], channels: int, sized: bool) -> "keras.Model":
        """Return the network: `(N, H, W, channels)` -> `{"embedding": float32 (N, D)}`.

        Args:
            size: H and W, for what has to know them: flattened features before a dense layer.
            channels: of the image.
            sized: D has to be known.
        """
        import keras
        from keras import layers

        from kerazoo.layers import HeNormal

        features = self._features(size, channels, sized)
        x = features.output["embedding"]
        if self.embedding is not None and self.name != "koch":
            # A bias is the same in both embeddings, so that no distance knows it, unless lengths change.
            x = layers.Dense(
                self.embedding,
                use_bias=self.unit,
                kernel_initializer=HeNormal(gain=0.5),
                dtype="float32",
                name="embedding",
            )(x)
        if self.unit:
            x = layers.UnitNormalization(dtype="float32", name="unit")(x)
        return keras.Model(features.input, {"embedding": x}, name="tower")

    def _features(self, size: tuple[int, int], channels: int, sized: bool) -> "keras.Model":
        if self.name == "koch":
            from kerazoo.families.siamese.model import siamese_koch

            embedding: dict[str, Any] = {} if self.embedding is None else {"embedding": self.embedding}
            return siamese_koch(size=size, channels=channels, width=self.width, **embedding)
        if self.name == "conv4":
            from kerazoo.families.conv4.model import conv4

            known = self.features == "flatten" and (sized or self.embedding is not None)
            return conv4(
                size=size if known else None, channels=channels, filters=self.width, features=self.features
            )
        from kerazoo.families.siamese.model import averaged_resnet

        return averaged_resnet(depth=RESNETS[self.name], channels=channels, width=self.width)
