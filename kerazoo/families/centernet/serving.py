"""The exported graph: a photograph of any size in, objects in its own pixels out."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from kerazoo.families.centernet.codec import STRIDE
from kerazoo.layers import Letterbox
from kerazoo.layers.registered import registered
from kerazoo.layers.suppression import area
from kerazoo.layers.top_down import letterbox
from kerazoo.tasks.framing import GREY

if TYPE_CHECKING:
    from kerazoo.families.centernet import CenterNet

Tensor = Any
"""Of the running backend."""


def serving_model(family: "CenterNet", network: keras.Model) -> keras.Model:
    """Return `{"image"}` -> `{"boxes", "scores", "classes", "count"}` of unknown batch, height and width.

    Shape: image float32 `(N, H, W, C)`, 0..255 (RGB) -> of the best `top` objects, best first and zeros after
        the last: boxes float32 `(N, top, 4)`, left, top, right, bottom in the image's pixels; scores float32
        `(N, top)`, 0..1; classes int32 `(N, top)`; and how many there are, count int32 `(N,)`.
    """
    image, normalised = family.serving_input()
    beyond = family.normalised(np.full((1, 1, 3), GREY, "uint8")).ravel().tolist()
    outputs = network(Letterbox(family.size, beyond, name="framed")(normalised))
    maps = [outputs[name] for name in ("heatmap", "size", "offset")]
    found = Centers(family.top, dtype="float32", name="objects")([*maps, image])
    named = {name: layers.Identity(name=name)(value) for name, value in found.items()}
    return keras.Model({"image": image}, named, name="serving")


@registered
class Centers(layers.Layer):
    """Read objects off CenterNet's maps, in the pixels of the image that was framed.

    `kerazoo.families.centernet.codec.detections` states the same for NumPy.

    Shape: heat maps `(N, h, w, K)` logits, sizes and offsets `(N, h, w, 2)`, image `(N, H, W, any)` -> the
        dict of `serving_model`.

    Args:
        top: objects at most.
    """

    def __init__(self, top: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.top = top

    def call(self, inputs):
        heatmap, size, offset, image = inputs
        _, rows, columns, classes = heatmap.shape
        highest = ops.max_pool(heatmap, 3, 1, "same", data_format="channels_last")
        scores = ops.where(heatmap == highest, ops.sigmoid(heatmap), 0.0)
        # By class, row and column: the first of equals is the one that NumPy takes.
        flat = ops.reshape(ops.transpose(scores, (0, 3, 1, 2)), (-1, classes * rows * columns))
        scores, index = ops.top_k(flat, min(self.top, classes * rows * columns))  # (N, D)
        index = ops.cast(index, "int32")
        cell = index % (rows * columns)
        corner = ops.cast(ops.stack([cell % columns, cell // columns], axis=-1), "float32")  # (N, D, 2)
        centre, half = corner + _at(offset, cell), _at(size, cell) / 2
        boxes = self._outside(centre - half, centre + half, image, (rows, columns))
        scores = ops.where(area(boxes) > 0, scores, 0.0)
        return _best(boxes, scores, index // (rows * columns))

    def _outside(self, low: Tensor, high: Tensor, image: Tensor, cells: tuple[int, int]) -> Tensor:
        """Return boxes in cells, by two corners `(N, D, 2)`, in the image's pixels and clipped to it."""
        rows, columns = (side * STRIDE for side in cells)
        _, height, width, _ = ops.shape(image)
        top, left, *framed = (
            ops.cast(value, "float32") for value in letterbox(height, width, (rows, columns))
        )
        scale = ops.stack([framed[1] / columns, framed[0] / rows]) * STRIDE
        limit = ops.cast(ops.stack([width, height]), "float32")
        corners = (x * scale + ops.stack([left, top]) for x in (low, high))
        return ops.concatenate([ops.clip(x, 0.0, limit) for x in corners], axis=-1)

    def compute_output_spec(self, inputs):
        *_, image = inputs
        batch = image.shape[0]
        shapes = {"boxes": (batch, self.top, 4), "scores": (batch, self.top), "classes": (batch, self.top)}
        types = {"classes": "int32", "count": "int32"}
        return {
            name: keras.KerasTensor(shape, types.get(name, "float32"))
            for name, shape in (shapes | {"count": (batch,)}).items()
        }

    def get_config(self):
        return super().get_config() | {"top": self.top}


def _at(maps: Tensor, cell: Tensor) -> Tensor:
    """Return the values of maps `(N, h, w, 2)` at cells `(N, D)`, row by row: `(N, D, 2)`."""
    _, rows, columns, channels = maps.shape
    flat = ops.reshape(maps, (-1, rows * columns, channels))
    return ops.take_along_axis(flat, ops.repeat(ops.expand_dims(cell, -1), channels, axis=-1), axis=1)


def _best(boxes: Tensor, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return objects with those of score 0 last, as zeros."""
    count = scores.shape[1]
    scores, order = ops.top_k(scores, count)
    order = ops.cast(order, "int32")
    found = scores > 0
    boxes = ops.take_along_axis(boxes, ops.repeat(ops.expand_dims(order, -1), 4, axis=-1), axis=1)
    labels = ops.take_along_axis(labels, order, axis=1)
    return {
        "boxes": ops.where(ops.expand_dims(found, -1), boxes, 0.0),
        "scores": scores,
        "classes": ops.where(found, labels, 0),
        "count": ops.sum(ops.cast(found, "int32"), axis=1),
    }
