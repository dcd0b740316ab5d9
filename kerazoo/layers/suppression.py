"""Which boxes stay, inside a network: greedy suppression with outputs of a fixed size.

`kerazoo.tasks.detection.suppression` states the same for NumPy. Boxes are left, top, right, bottom,
`(..., 4)`, and broadcast.
"""

from typing import Any

import keras
from keras import layers, ops

from kerazoo.layers.registered import registered

Tensor = Any
"""Of the running backend."""

LEAST = 1e-12
"""What is divided by at least: boxes without area overlap with nothing."""


def area(boxes: Tensor) -> Tensor:
    """Return the areas of boxes, 0 for those turned inside out: `(..., 4)` -> `(...)`."""
    sides = ops.relu(boxes[..., 2:] - boxes[..., :2])
    return sides[..., 0] * sides[..., 1]


def intersection(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the areas that boxes have in common: two times `(..., 4)` -> `(...)`."""
    low = ops.maximum(boxes[..., :2], others[..., :2])
    high = ops.minimum(boxes[..., 2:], others[..., 2:])
    sides = ops.relu(high - low)
    return sides[..., 0] * sides[..., 1]


def enclosing(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the smallest boxes around two boxes each: two times `(..., 4)` -> `(..., 4)`."""
    low = ops.minimum(boxes[..., :2], others[..., :2])
    high = ops.maximum(boxes[..., 2:], others[..., 2:])
    return ops.concatenate([low, high], axis=-1)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return intersection over union, 0..1: two times `(..., 4)` -> `(...)`."""
    common = intersection(boxes, others)
    return common / ops.maximum(area(boxes) + area(others) - common, LEAST)


def diou(boxes: Tensor, others: Tensor, exponent: float = 1.0) -> Tensor:
    """Return the distance IoU, -1..1: `IoU - (d^2 / c^2)^exponent` (Zheng et al. 2020).

    d is the distance of the centres and c the diagonal of the smallest box around both.

    Shape: two times `(..., 4)` -> `(...)`.

    Args:
        boxes, others: the boxes.
        exponent: 1 in the paper; 0.6 in darknet's suppression, whose gradient at 0 is infinite.
    """
    apart = (boxes[..., :2] + boxes[..., 2:] - others[..., :2] - others[..., 2:]) / 2
    around = enclosing(boxes, others)
    diagonal = ops.sum(ops.square(around[..., 2:] - around[..., :2]), axis=-1)
    share = ops.sum(ops.square(apart), axis=-1) / ops.maximum(diagonal, LEAST)
    return iou(boxes, others) - (share if exponent == 1 else ops.power(share, exponent))


@registered
class Suppression(layers.Layer):
    """The best boxes of all classes, without those that overlap with a better one of their class.

    Every box may be of every class; a box and a class are a candidate. The best candidate stays and
    suppresses those of its class that overlap with it; and so on.

    Shape: boxes `(N, B, 4)`, scores `(N, B, C)`, 0..1 -> a dict of what stays, best first, with zeros after
        it: "boxes" float32 `(N, top, 4)`, "scores" float32 `(N, top)`, "classes" int32 `(N, top)` and
        "count", how many there are, int32 `(N,)`.

    Args:
        threshold: of overlap, above which a candidate is suppressed.
        top: candidates that stay at most.
        least: score that candidates are above.
        candidates: that are looked at, the best.
        exponent: None measures overlap by `iou`; else by `diou` with this exponent.
    """

    def __init__(
        self,
        threshold: float,
        top: int = 100,
        least: float = 0.0,
        candidates: int = 1000,
        exponent: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.threshold, self.top, self.least = threshold, top, least
        self.candidates, self.exponent = candidates, exponent

    def build(self, boxes_shape, scores_shape):
        self.built = True

    def call(self, boxes, scores):
        boxes, scores = ops.cast(boxes, "float32"), ops.cast(scores, "float32")
        boxes, labels, scores = self._best(boxes, scores)  # (N, M, 4), (N, M), (N, M)
        index, kept = self._greedy(boxes, labels, scores)  # (N, top) each
        found = kept > self.least
        chosen = ops.take_along_axis(boxes, ops.repeat(ops.expand_dims(index, -1), 4, axis=-1), axis=1)
        return {
            "boxes": ops.where(ops.expand_dims(found, -1), chosen, 0.0),
            "scores": ops.where(found, kept, 0.0),
            "classes": ops.where(found, ops.take_along_axis(labels, index, axis=1), 0),
            "count": ops.sum(ops.cast(found, "int32"), axis=1),
        }

    def _best(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes, labels and scores of the best candidates, best first."""
        classes = scores.shape[-1]
        flat = ops.reshape(scores, (ops.shape(scores)[0], -1))  # (N, B C)
        flat = ops.pad(flat, ((0, 0), (0, self.candidates)))  # there may be fewer
        best, index = ops.top_k(flat, self.candidates)  # (N, M)
        index = ops.cast(ops.where(best > self.least, index, 0), "int32")
        owner = ops.repeat(ops.expand_dims(index // classes, -1), 4, axis=-1)  # (N, M, 4)
        return ops.take_along_axis(boxes, owner, axis=1), index % classes, best

    def _greedy(self, boxes: Tensor, labels: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return which candidates stay, best first, and their scores; `least` after them."""
        places = ops.expand_dims(ops.arange(self.candidates, dtype="int32"), 0)  # (1, M)
        slots = ops.expand_dims(ops.arange(self.top, dtype="int32"), 0)  # (1, top)

        def goes_on(step, left, index, kept):
            return ops.logical_and(step < self.top, ops.max(left) > self.least)

        def next_best(step, left, index, kept):
            best = ops.max(left, axis=1, keepdims=True)  # (N, 1)
            # Keras' own argmax looks at the bits of zeros, which ONNX cannot.
            place = ops.min(ops.where(left == best, places, self.candidates - 1), axis=1, keepdims=True)
            is_best = places == place  # (N, M)
            box = ops.sum(ops.where(ops.expand_dims(is_best, -1), boxes, 0.0), axis=1, keepdims=True)
            label = ops.sum(ops.where(is_best, labels, 0), axis=1, keepdims=True)
            loses = ops.logical_and(labels == label, self._overlap(box, boxes) > self.threshold)
            left = ops.where(ops.logical_or(is_best, loses), self.least, left)
            here = slots == step
            return step + 1, left, ops.where(here, place, index), ops.where(here, best, kept)

        none = ops.zeros_like(scores[:, :1])  # (N, 1)
        state = (
            ops.convert_to_tensor(0, "int32"),
            ops.maximum(scores, self.least),
            ops.cast(ops.repeat(none, self.top, axis=1), "int32"),
            ops.repeat(none, self.top, axis=1) + self.least,
        )
        _, _, index, kept = ops.while_loop(goes_on, next_best, state)
        return index, kept

    def _overlap(self, boxes: Tensor, others: Tensor) -> Tensor:
        return iou(boxes, others) if self.exponent is None else diou(boxes, others, self.exponent)

    def compute_output_spec(self, boxes, scores):
        rows = boxes.shape[0], self.top
        return {
            "boxes": keras.KerasTensor((*rows, 4), "float32"),
            "scores": keras.KerasTensor(rows, "float32"),
            "classes": keras.KerasTensor(rows, "int32"),
            "count": keras.KerasTensor(rows[:1], "int32"),
        }

    def get_config(self):
        own = ("threshold", "top", "least", "candidates", "exponent")
        return super().get_config() | {name: getattr(self, name) for name in own}
