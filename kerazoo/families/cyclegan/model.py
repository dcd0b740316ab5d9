"""The networks of CycleGAN: ResNet generators and PatchGAN discriminators."""

import keras
from keras import layers

from kerazoo.layers import (
    Conv2D,
    Conv2DTranspose,
    CropLike,
    InstanceNormalization,
    MirrorPad,
    Normal,
    ReflectPad,
)

STRIDE = 4
"""Pixels of the image per pixel of a generator's coarsest map."""

SMALLEST = 8
"""Pixels of the shortest side whose coarsest map can still be mirrored at its border."""


def cyclegan_generator(
    *, channels: int = 3, blocks: int = 9, width: int = 64, prefix: str = ""
) -> keras.Model:
    """Build a translator of images (Zhu et al. 2017, section 7.2, after Johnson et al. 2016).

    Sides that do not divide by 4 are mirrored at the bottom and right, and cropped again.

    Shape: float32 `(N, H, W, channels)`, -1..1 -> `{"logits": (N, H, W, channels)}`, whose tanh is the
        image.

    Args:
        channels: of the images.
        blocks: residual blocks: 9 for 256 x 256 pixels and more, 6 for 128 x 128.
        width: channels of the first convolution.
        prefix: what the layers' names begin with.

    Example:
        >>> import kerazoo
        >>> generator = kerazoo.models.cyclegan_generator(blocks=1, width=4)
        >>> generator.compute_output_shape((1, 61, 47, 3))
        {'logits': (1, 61, 47, 3)}
    """
    image = keras.Input((None, None, channels), name=f"{prefix}image")
    x = MirrorPad(STRIDE, least=SMALLEST, name=f"{prefix}mirrored")(image)
    x = _reflected(x, width, 7, f"{prefix}conv")
    for step in (1, 2):
        x = layers.ZeroPadding2D(1, name=f"{prefix}down{step}_pad")(x)
        x = _normalised(_conv(x, 2**step * width, 3, f"{prefix}down{step}", stride=2), f"{prefix}down{step}")
    for block in range(1, blocks + 1):
        x = _residual(x, f"{prefix}block{block}")
    for step in (1, 2):
        x = _up(x, 2 ** (2 - step) * width, f"{prefix}up{step}")
    x = ReflectPad(3, name=f"{prefix}out_pad")(x)
    x = _conv(x, channels, 7, f"{prefix}out", dtype="float32")
    x = CropLike(name=f"{prefix}cropped")([x, image])
    return keras.Model(image, {"logits": x}, name=f"{prefix}generator")


def patch_discriminator(
    *, channels: int = 3, width: int = 64, depth: int = 3, prefix: str = ""
) -> keras.Model:
    """Build a PatchGAN (Isola et al. 2017): a logit for each of many overlapping patches.

    With the default depth each sees 70 x 70 pixels.

    Shape: float32 `(N, H, W, channels)`, -1..1 -> `{"logits": (N, about H / 2^depth, about W / 2^depth, 1)}`.

    Args:
        channels: of the images.
        width: channels of the first convolution; doubled by each of the next, at most three times.
        depth: convolutions of stride 2.
        prefix: what the layers' names begin with.

    Example:
        >>> import kerazoo
        >>> discriminator = kerazoo.models.patch_discriminator(width=4)
        >>> discriminator.compute_output_shape((1, 128, 128, 3))
        {'logits': (1, 14, 14, 1)}
    """
    x = image = keras.Input((None, None, channels), name=f"{prefix}image")
    for step in range(1, depth + 2):
        name, filters = f"{prefix}conv{step}", width * 2 ** min(step - 1, 3)
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        x = _conv(x, filters, 4, name, stride=2 if step <= depth else 1)
        x = x if step == 1 else InstanceNormalization(1e-5, affine=False, name=f"{name}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_act")(x)
    x = layers.ZeroPadding2D(1, name=f"{prefix}logits_pad")(x)
    x = _conv(x, 1, 4, f"{prefix}logits", dtype="float32")
    return keras.Model(image, {"logits": x}, name=f"{prefix}discriminator")


def cyclegan_networks(
    generators: dict[str, keras.Model], discriminators: dict[str, keras.Model]
) -> keras.Model:
    """Join generators and discriminators into one network that holds them all.

    Shape: float32 `(N, H, W, C)`, -1..1 -> `{"AtoB": (N, H, W, C), "real_A": (N, h, w, 1), ...}`, the logits
        of every generator and discriminator.

    Args:
        generators: by direction, such as "AtoB".
        discriminators: by their domain, such as "A".
    """
    first = next(iter(generators.values()))
    image = keras.Input(first.input.shape[1:], name="image")
    outputs = {direction: generator(image)["logits"] for direction, generator in generators.items()}
    for domain, discriminator in discriminators.items():
        outputs[f"real_{domain}"] = discriminator(image)["logits"]
    return keras.Model(image, outputs, name="cyclegan")


def _conv(
    x: keras.KerasTensor, filters: int, kernel: int, name: str, stride: int = 1, dtype: str | None = None
) -> keras.KerasTensor:
    """Convolve without padding; logits in float32, since PyTorch has no gradient for one bfloat16 map."""
    start = Normal(0.02)  # section 7.1
    return Conv2D(filters, kernel, strides=stride, kernel_initializer=start, dtype=dtype, name=name)(x)


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = InstanceNormalization(1e-5, affine=False, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_act")(x)


def _reflected(x: keras.KerasTensor, filters: int, kernel: int, name: str) -> keras.KerasTensor:
    x = ReflectPad(kernel // 2, name=f"{name}_pad")(x)
    return _normalised(_conv(x, filters, kernel, name), name)


def _residual(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    inner = _reflected(x, x.shape[-1], 3, f"{name}_conv1")
    inner = ReflectPad(1, name=f"{name}_conv2_pad")(inner)
    inner = _conv(inner, x.shape[-1], 3, f"{name}_conv2")
    inner = InstanceNormalization(1e-5, affine=False, name=f"{name}_conv2_norm")(inner)
    return layers.Add(name=f"{name}_out")([x, inner])  # no activation after it


def _up(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Double height and width as PyTorch's ConvTranspose2d(3, 2, padding=1, output_padding=1) does."""
    transposed = Conv2DTranspose(filters, 3, strides=2, kernel_initializer=Normal(0.02), name=name)
    x = layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop")(transposed(x))
    return _normalised(x, name)
