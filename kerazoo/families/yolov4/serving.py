"""The exported graph: a photograph of any size in, objects in its own pixels out."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from kerazoo.families.yolov4.codec import CANDIDATES, LARGEST
from kerazoo.families.yolov4.configuration import PER_HEAD, Heads
from kerazoo.layers import Stretch
from kerazoo.layers.registered import registered
from kerazoo.layers.suppression import Suppression, area

if TYPE_CHECKING:
    from kerazoo.families.yolov4 import YOLOv4


def serving_model(family: "YOLOv4", network: keras.Model) -> keras.Model:
    """Return `{"image"}` -> `{"boxes", "scores", "classes", "count"}` of unknown batch, height and width.

    Shape: image float32 `(N, H, W, C)`, 0..255 (RGB) -> of the best `top` objects, best first and zeros after
        the last: boxes float32 `(N, top, 4)`, left, top, right, bottom in the image's pixels; scores float32
        `(N, top)`, 0..1; classes int32 `(N, top)`; and how many there are, count int32 `(N,)`.
    """
    image, normalised = family.serving_input()
    outputs = network(Stretch(family.size, name="framed")(normalised))
    heads, thresholds = family.heads(), family.thresholds()
    boxes, scores = AnchorBoxes(heads, name="anchor_boxes", dtype="float32")(
        [outputs[name] for name in heads.names()]
    )
    found = Suppression(
        thresholds.overlap,
        family.top,
        thresholds.least,
        CANDIDATES,
        family.exponent(),
        dtype="float32",
        name="objects",
    )(boxes, scores)
    found["boxes"] = InImage(family.size, dtype="float32", name="in_image")([found["boxes"], image])
    named = {name: layers.Identity(name=name)(value) for name, value in found.items()}
    return keras.Model({"image": image}, named, name="serving")


@registered
class AnchorBoxes(layers.Layer):
    """Read the boxes of all anchors off YOLOv4's heads.

    `kerazoo.families.yolov4.codec.predictions` states the same for NumPy.

    Shape: heads `(N, h, w, 3 (5 + C))` of known h and w -> boxes `(N, B, 4)`, left, top, right, bottom in
        pixels of the network's input, and scores `(N, B, C)`, 0 for boxes outside of it.

    Args:
        heads: of the network; four sequences.
    """

    def __init__(self, heads: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = Heads(*heads)

    def call(self, inputs):
        found = [self._of(maps, index) for index, maps in enumerate(inputs)]
        boxes, scores = (ops.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
        rows, columns = (side * self.heads.strides[0] for side in inputs[0].shape[1:3])
        limit = ops.convert_to_tensor([columns, rows] * 2, "float32")
        seen = ops.expand_dims(area(ops.clip(boxes, 0.0, limit)) > 0, -1)
        return boxes, ops.where(seen, scores, 0.0)

    def _of(self, maps: Any, index: int) -> tuple[Any, Any]:
        _, rows, columns, channels = maps.shape
        stride, scale = self.heads.strides[index], self.heads.scale_x_y[index]
        maps = ops.reshape(maps, (-1, rows * columns, PER_HEAD, channels // PER_HEAD))
        corner = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 1, 2)
        anchors = np.array([self.heads.anchors[place] for place in self.heads.masks[index]], "float32")
        stretched = ops.sigmoid(maps[..., :2]) * scale - (scale - 1) / 2
        centres = (stretched + ops.convert_to_tensor(corner, "float32")) * float(stride)
        halves = ops.exp(ops.minimum(maps[..., 2:4], LARGEST)) * ops.convert_to_tensor(anchors / 2)
        boxes = ops.concatenate([centres - halves, centres + halves], axis=-1)
        scores = ops.sigmoid(maps[..., 4:5]) * ops.sigmoid(maps[..., 5:])
        count = rows * columns * PER_HEAD
        return ops.reshape(boxes, (-1, count, 4)), ops.reshape(scores, (-1, count, scores.shape[-1]))

    def compute_output_spec(self, inputs):
        batch, *_, channels = inputs[0].shape
        count = sum(maps.shape[1] * maps.shape[2] * PER_HEAD for maps in inputs)
        return (
            keras.KerasTensor((batch, count, 4), "float32"),
            keras.KerasTensor((batch, count, channels // PER_HEAD - 5), "float32"),
        )

    def get_config(self):
        return super().get_config() | {"heads": tuple(self.heads)}


@registered
class InImage(layers.Layer):
    """Bring boxes from the network's input, to which an image was stretched, to the image's own pixels.

    Shape: boxes `(N, B, 4)`, image `(N, H, W, any)` -> `(N, B, 4)`, clipped to the image.

    Args:
        size: height and width of the network's input.
    """

    def __init__(self, size: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        rows, columns = size
        self.size = rows, columns

    def call(self, inputs):
        boxes, image = inputs
        _, height, width, _ = ops.shape(image)
        rows, columns = self.size
        limit = ops.cast(ops.stack([width, height, width, height]), "float32")
        size = ops.convert_to_tensor([columns, rows, columns, rows], "float32")
        return ops.clip(boxes * (limit / size), 0.0, limit)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return super().get_config() | {"size": self.size}
