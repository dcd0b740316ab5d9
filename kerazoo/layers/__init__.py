"""What networks are made of: convolution blocks, exact resizing, mirroring to any size.

Every layer gives the same numbers on the three backends and, on TensorFlow, exports with
unknown height and width. Importing this package makes Keras know them all.
"""

from kerazoo.layers.blocks import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    HeNormal,
    Materialised,
    Normal,
    ZeroChannels,
    conv_norm_act,
    dropout,
    norm_act,
    pad_conv,
    pad_depthwise,
)
from kerazoo.layers.convolutions import Conv2D, Conv2DTranspose, DepthwiseConv2D
from kerazoo.layers.deformable import DeformableConv2D
from kerazoo.layers.distances import EuclideanDistance, WeightedL1
from kerazoo.layers.folding import folded
from kerazoo.layers.norms import BatchNormalization, CurrentNorm, InstanceNormalization
from kerazoo.layers.part_fields import LimbScores, Peaks
from kerazoo.layers.pooling import MaxPooling2D, PadMaxPool
from kerazoo.layers.resizing import (
    Bilinear,
    BilinearConv2DTranspose,
    DepthwiseConv2DTranspose,
    ResizeLike,
    Upsample,
    bilinear_kernel,
)
from kerazoo.layers.sizes import CropLike, MirrorPad, ReflectPad
from kerazoo.layers.top_down import KeyPoints, Letterbox, Stretch

__all__ = [
    "BATCH_NORM_EPSILON",
    "BATCH_NORM_MOMENTUM",
    "BatchNormalization",
    "Bilinear",
    "BilinearConv2DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "CropLike",
    "CurrentNorm",
    "DeformableConv2D",
    "DepthwiseConv2D",
    "DepthwiseConv2DTranspose",
    "EuclideanDistance",
    "HeNormal",
    "InstanceNormalization",
    "KeyPoints",
    "Letterbox",
    "LimbScores",
    "Materialised",
    "MaxPooling2D",
    "MirrorPad",
    "Normal",
    "PadMaxPool",
    "Peaks",
    "ReflectPad",
    "ResizeLike",
    "Stretch",
    "Upsample",
    "WeightedL1",
    "ZeroChannels",
    "bilinear_kernel",
    "conv_norm_act",
    "dropout",
    "folded",
    "norm_act",
    "pad_conv",
    "pad_depthwise",
]
