"""HRNet (Wang et al. 2019, arXiv:1908.07919): high resolution kept from the first layer to the last."""

from collections.abc import Sequence
from typing import Literal

import keras

from kerazoo.families.hrnet import heads
from kerazoo.families.hrnet.body import Fuse, body, stem
from kerazoo.layers import CropLike, MirrorPad, Upsample

Head = Literal["classification", "segmentation", "heatmap", "pyramid"]


def hrnet(
    *,
    head: Head,
    fuse: Fuse,
    classes: int,
    width: int = 18,
    blocks: int = 4,
    modules: Sequence[int] = (1, 4, 3),
    bottlenecks: int = 4,
    bottleneck_width: int = 64,
    channels: int = 3,
    align_corners: bool = False,
    head_width: int = 32,
    head_bias: bool = True,
    std: float | None = None,
    full_size: bool = False,
) -> keras.Model:
    """Return the HRNet with one of its four heads.

    The published networks differ in arithmetic where they do not differ in weights: those for
    classification, poses and detection fuse by nearest neighbour, those for segmentation and faces
    bilinearly, and among these `align_corners` is a property of each checkpoint.

    Shape: `(N, H, W, channels)` ->
        classification: `{"logits": (N, classes)}`;
        heatmap (V1, one map per key point): `{"heatmaps": (N, H/4, W/4, classes)}`;
        segmentation (V2, also face landmarks): `{"logits": (N, H/4, W/4, classes)}`;
        pyramid (V2p, features for detection): `{"level0": (N, H/4, W/4, classes), ..., "level4": ...}`
        at strides 4 to 64, H and W at least 64.
        Any H and W: where nearest neighbours are fused, the image is mirrored to what 32 divides,
        and the output is that of the mirrored image; else maps round up.

    Args:
        head: what the network is for.
        fuse: how low resolutions are brought to higher ones.
        classes: channels of the output: classes, key points, or features of a level (published: 256).
        width: channels of the highest resolution: 18, 30, 32, 40, 44, 48, 64 or any other.
        blocks, modules, bottlenecks, bottleneck_width: the body's depth, see `body.body`; the small
            networks are `configuration.SMALL_V1` and `SMALL_V2`.
        channels: of the image.
        align_corners: of bilinear fusing and of the segmentation head, see `kerazoo.layers.Upsample`.
        head_width: classification only: inner width of the highest branch's last unit; 2048 features
            are 64 times that.
        head_bias: whether the normalised convolutions of the classification and segmentation heads have
            a bias: true of the official networks, not of PaddlePaddle's ("ssld") and MMSegmentation's.
        std: heatmap and segmentation only: of the last layer's first weights (published: 0.001, with
            which heat maps begin near 0); None for He's.
        full_size: segmentation only: logits of the image's own size instead of stride 4.

    Raises:
        ValueError: an unknown `head` or `fuse`, or `full_size` without the segmentation head.

    Example:
        >>> import kerazoo
        >>> small = {"width": 4, "blocks": 1, "modules": (1, 1, 1), "bottlenecks": 1}
        >>> network = kerazoo.models.hrnet(head="heatmap", fuse="nearest", classes=17, **small)
        >>> network.compute_output_shape((1, 64, 96, 3))
        {'heatmaps': (1, 16, 24, 17)}
    """
    if full_size and head != "segmentation":
        raise ValueError(f"full_size is for segmentation, not for {head}")
    image = keras.Input((None, None, channels), name="image")
    x = MirrorPad(32, name="mirror")(image) if fuse == "nearest" or full_size else image
    branches = body(
        stem(x)[-1],
        width=width,
        blocks=blocks,
        modules=modules,
        bottlenecks=bottlenecks,
        bottleneck_width=bottleneck_width,
        fuse=fuse,
        align_corners=align_corners,
        targets=1 if head == "heatmap" else 4,
    )
    if head == "classification":
        outputs = heads.classification(branches, classes, head_width, head_bias)
    elif head == "heatmap":
        outputs = heads.heatmap(branches, classes, std)
    elif head == "pyramid":
        outputs = heads.pyramid(branches, classes)
    elif head == "segmentation":
        outputs = heads.segmentation(branches, classes, align_corners, head_bias, std)
    else:
        raise ValueError(f"unknown head {head!r}, there are classification, segmentation, heatmap, pyramid")
    if full_size:
        large = Upsample(4, align_corners=align_corners, dtype="float32", name="large")(outputs["logits"])
        outputs = {"logits": CropLike(dtype="float32", name="cropped")([large, image])}
    return keras.Model(image, outputs, name="hrnet")


def hrnet_features(
    *,
    fuse: Fuse,
    width: int = 18,
    blocks: int = 4,
    modules: Sequence[int] = (1, 4, 3),
    bottlenecks: int = 4,
    bottleneck_width: int = 64,
    channels: int = 3,
    align_corners: bool = False,
) -> keras.Model:
    """Return the body alone, the maps that a decoder takes; c1 is the stem's first.

    Shape: `(N, H, W, channels)` -> `{"c1": (N, H/2, W/2, 64), "c2": (N, H/4, W/4, width), "c3": (N, H/8,
        W/8, 2 * width), "c4": (N, H/16, W/16, 4 * width), "c5": (N, H/32, W/32, 8 * width)}`; 32 divides
        H and W where nearest neighbours are fused, else maps round up.

    Args:
        fuse: "nearest" for the weights of a classifier.
        width, blocks, modules, bottlenecks, bottleneck_width, channels, align_corners: as of `hrnet`.

    Example:
        >>> import kerazoo
        >>> small = {"width": 4, "blocks": 1, "modules": (1, 1, 1), "bottlenecks": 1}
        >>> encoder = kerazoo.models.hrnet_features(fuse="nearest", **small)
        >>> encoder.compute_output_shape((1, 64, 96, 3))["c2"]
        (1, 16, 24, 4)
    """
    image = keras.Input((None, None, channels), name="image")
    half, quarter = stem(image)
    branches = body(
        quarter,
        width=width,
        blocks=blocks,
        modules=modules,
        bottlenecks=bottlenecks,
        bottleneck_width=bottleneck_width,
        fuse=fuse,
        align_corners=align_corners,
    )
    return keras.Model(
        image, {f"c{level}": x for level, x in enumerate([half, *branches], 1)}, name="hrnet_features"
    )
