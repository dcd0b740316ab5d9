"""Encoders (ResNet, HRNet, keras.applications) and what U-Net and UNet++, which can stand on them, share."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field

from kerazoo.checkpoints.mapping import Arrays, Table, batch_norm, conv, fits, network_in, shape_of
from kerazoo.errors import UserError
from kerazoo.settings import nearest, settings
from kerazoo.tasks.images import IMAGENET
from kerazoo.tasks.segmentation import Segmentation

if TYPE_CHECKING:
    import keras

LEVELS = 5
"""Maps of an encoder, each half as high and wide as the one before."""

RESNETS = {f"resnet{depth}": depth for depth in (18, 34, 50, 101, 152)}


@settings
class Encoder:
    """A network whose maps at 1/2 .. 1/32 of the resolution take the place of a contracting path.

    Attributes:
        name: "resnet18" .. "resnet152" (torchvision's), "hrnet", or one of keras.applications
            that does not normalise by itself, such as "MobileNetV2" or "EfficientNetV2B0".
        width: channels of a ResNet's stem or of HRNet's finest branch; None is the published one.
        frozen: its weights and its batch statistics stay as they are.
        output_stride: pixels of the image per pixel of the last map; below 32, of a ResNet, the last
            stages are dilated instead of strided, as DeepLab has it. Weights fit any.
    """

    name: str = "resnet34"
    width: Annotated[int, Field(ge=1)] | None = None
    frozen: bool = False
    output_stride: Literal[8, 16, 32] = 32

    def __post_init__(self) -> None:
        if self.output_stride != 32 and self.name not in RESNETS:
            raise ValueError(f"{self.name} has an output stride of 32 only")
        if self.width is not None and self.name not in (*RESNETS, "hrnet"):
            raise ValueError(f"{self.name} has no width")

    def weight_settings(self) -> list:
        """Return what its weights go with."""
        return [self.name, self.width]

    def build(self, channels: int) -> "keras.Model":
        """Return the network: `(N, H, W, channels)` -> `{"c1": (N, H / 2, W / 2, ...), ..., "c5": ...}`.

        Raises:
            UserError: no such network, or one that normalises its input itself.
        """
        features = self._features(channels)
        if self.frozen:
            for layer in features.layers:
                layer.trainable = False
        return features

    def _features(self, channels: int) -> "keras.Model":
        if self.name in RESNETS:
            from kerazoo.families.resnet.model import resnet_features

            return resnet_features(
                depth=RESNETS[self.name],
                channels=channels,
                width=self.width or 64,
                output_stride=self.output_stride,
            )
        if self.name == "hrnet":
            from kerazoo.families.hrnet.model import hrnet_features

            return hrnet_features(fuse="nearest", width=self.width or 18, channels=channels)
        return _from_applications(self.name, channels)

    def convert(self, arrays: Arrays) -> Arrays:
        """Return `{variable path: array}` of the encoder for a classifier's published weights.

        Args:
            arrays: a ResNet's or HRNet's checkpoint, or what keras.applications stores.
        """
        if self.name in RESNETS:
            from kerazoo.families.resnet.importer import convert_body
        elif self.name == "hrnet":
            from kerazoo.families.hrnet.importer import convert_body
        else:
            return arrays
        return convert_body(arrays)


def _from_applications(name: str, channels: int) -> "keras.Model":
    """Return a network of keras.applications as its last map of every resolution."""
    import keras

    build = getattr(keras.applications, name, None)
    if not inspect.isfunction(build):
        known = [
            name for name in dir(keras.applications) if inspect.isfunction(getattr(keras.applications, name))
        ]
        raise UserError(f"unknown encoder {name!r}", nearest(name, [*RESNETS, "hrnet", *known]))
    options: dict[str, Any] = {"include_top": False, "weights": None}
    if "include_preprocessing" in inspect.signature(build).parameters:
        options["include_preprocessing"] = False
    side = 256
    probe = build(input_shape=(side, side, channels), **options)
    if any(isinstance(layer, keras.layers.Normalization) for layer in probe.layers):
        raise UserError(f"{name} normalises its input itself", "take another, such as EfficientNetV2B0")
    last = {layer.output.shape[1:3]: i for i, layer in enumerate(probe.layers) if _is_map(layer)}
    network = build(input_shape=(None, None, channels), **options)
    places = {f"c{k}": last.get((side >> k, side >> k)) for k in range(1, LEVELS + 1)}
    missing = [key for key, place in places.items() if place is None]
    if missing:
        raise UserError(f"{name} has no map {missing[0]}", "take another, such as MobileNetV2")
    maps = {key: network.layers[place].output for key, place in places.items()}
    return keras.Model(network.input, maps, name=f"{network.name}_features")


def _is_map(layer: "keras.Layer") -> bool:
    return not isinstance(layer.output, list) and len(layer.output.shape) == 4


@settings
class EncoderDecoder(Segmentation):
    """What segmentation families of a contracting path, or an encoder in its place, and a decoder share.

    Attributes:
        filters: channels per level, from full resolution down; with an encoder, of the decoder.
        norm: batch normalisation after every convolution.
        encoder: takes the place of the contracting path.
    """

    filters: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2)]
    norm: bool = False
    encoder: Encoder | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder is not None and len(self.filters) != LEVELS:
            raise ValueError(f"an encoder needs {LEVELS} filters")
        if self.encoder is not None and self.encoder.output_stride != 32:
            raise ValueError(
                "every map of the encoder is half as large as the one before: output_stride is 32"
            )

    def weight_settings(self) -> dict[str, Any]:
        return super().weight_settings() | {"encoder": self.encoder and self.encoder.weight_settings()}

    def stride(self) -> int:
        return 2 ** (len(self.filters) - (self.encoder is None))

    def start(self, arrays: Arrays) -> tuple[Self, Arrays]:
        """Return the whole network's, or, for a classifier's checkpoint, the encoder's."""
        if self.encoder is None or fits(self._importer().LAYOUTS, arrays):
            return super().start(arrays)
        return self, self.encoder.convert(arrays)


# --- segmentation_models_pytorch -----------------------------------------------------------


def smp_network(arrays: Arrays) -> Arrays:
    """Return a checkpoint's network of segmentation_models_pytorch, without the classifier it may also have.

    Raises:
        LookupError: it has none.
    """
    network = network_in(arrays, "segmentation_head.0.weight")
    return {key: array for key, array in network.items() if not key.startswith("classification_head.")}


def smp_settings(arrays: Arrays) -> dict[str, Any]:
    """Return what `unet` and `unetpp` of segmentation_models_pytorch have in common, ResNets only.

    Args:
        arrays: of `smp_network`.

    Raises:
        LookupError: other keys.
    """
    from kerazoo.families.resnet.importer import TORCHVISION, depth_of

    encoder = _inside(arrays)
    width, channels, _, _ = shape_of(encoder, "conv1.weight", 4)
    return IMAGENET | {
        "encoder": Encoder(name=f"resnet{depth_of(TORCHVISION, encoder)}", width=width),
        "channels": channels,
        "classes": arrays["segmentation_head.0.weight"].shape[0],
        "norm": True,
        "up": "nearest",
    }


def smp_table(arrays: Arrays, blocks: Mapping[str, str], head: str) -> Table:
    """Return what the variables of such a network are called there.

    Args:
        arrays: of `smp_network`.
        blocks: the blocks of the decoder, `{name there: name here}`.
        head: name of our head.
    """
    from kerazoo.families.resnet.importer import TORCHVISION, depth_of, table

    entries = conv("segmentation_head.0", head)
    for path, (key, change) in table(TORCHVISION, depth_of(TORCHVISION, _inside(arrays))).items():
        if not path.startswith("head/"):
            entries[path] = (f"encoder.{key}", change)
    for theirs, ours in blocks.items():
        for step in (1, 2):
            entries |= conv(f"{theirs}.conv{step}.0", f"{ours}_conv{step}", bias=False)
            entries |= batch_norm(f"{theirs}.conv{step}.1", f"{ours}_conv{step}_bn")
    return entries


def _inside(arrays: Arrays) -> Arrays:
    inside = {key: array for key, array in arrays.items() if key.startswith("encoder.")}
    return {key.removeprefix("encoder."): array for key, array in inside.items()}
