"""Images of any size through networks that pool: mirrored at the entry, cropped at the exit."""

from typing import Any

from keras import layers, ops

from kerazoo.layers import operations
from kerazoo.layers.registered import registered


@registered
class MirrorPad(layers.Layer):
    """Mirror an image beyond its borders until its sides suit the network.

    The edge itself is not repeated; where the image is smaller than its border the
    reflection goes on bouncing. What makes the sides suit is added at the bottom and right
    only, so that the pooling grid starts at the first pixel. Nothing is done where nothing
    is needed.

    Shape: `(N, H, W, C)` -> `(N, H', W', C)`, H' the least number >= H + 2 * margin, and >= `least`, with
        H' % multiple == remainder.

    Args:
        multiple: what the sides are counted in.
        margin: pixels added on each of the four sides.
        remainder: of the sides after division by `multiple`.
        least: of the sides.
    """

    def __init__(
        self, multiple: int, margin: int = 0, remainder: int = 0, least: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.multiple, self.margin, self.remainder, self.least = multiple, margin, remainder, least

    def call(self, x):
        return self._padded(self._padded(x, 1), 2)

    def _padded(self, x, axis):
        size = ops.shape(x)[axis]
        length = self._length(size)
        if isinstance(size, int) and length == size:
            return x
        # A triangle wave: 0 1 2 3 2 1 0 1 ... for a side of 4, of period 6.
        period = ops.maximum(2 * (size - 1), 1)
        # Reflection is even; and tf2onnx turns `%` into C's, which differs below zero.
        index = ops.abs(ops.arange(length, dtype="int32") - self.margin) % period
        return ops.take(x, ops.minimum(index, period - index), axis)

    def _length(self, size):
        least = size + 2 * self.margin
        if self.least:
            least = max(least, self.least) if isinstance(size, int) else ops.maximum(least, self.least)
        # The least length >= `least` with length % multiple == remainder.
        beyond = (least + self.multiple - self.remainder) % self.multiple
        return least + (self.multiple - beyond) % self.multiple

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return batch, *(side and self._length(side) for side in sides), channels

    def get_config(self):
        own = ("multiple", "margin", "remainder", "least")
        return super().get_config() | {name: getattr(self, name) for name in own}


@registered
class ReflectPad(layers.Layer):
    """Mirror a map beyond its borders, the edge itself not repeated: PyTorch's ReflectionPad2d.

    Shape: `(N, H, W, C)` -> `(N, H + 2 * margin, W + 2 * margin, C)`, H and W > margin.

    Args:
        margin: pixels added on each of the four sides.
    """

    def __init__(self, margin: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.margin = margin

    def call(self, x):
        return operations.reflect_pad(x, self.margin)

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return batch, *(side and side + 2 * self.margin for side in sides), channels

    def get_config(self):
        return super().get_config() | {"margin": self.margin}


@registered
class CropLike(layers.Layer):
    """Crop the first of two maps to the height and width of the second.

    Shape: `[(N, H, W, C), (N, h, w, any)]` -> `(N, h, w, C)`, H >= offset + h.

    Args:
        offset: rows and columns left out at the top and left.
    """

    def __init__(self, offset: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offset = offset

    def call(self, inputs):
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        if all(isinstance(size, int) for size in (height, width)) and x.shape[1:3] == (height, width):
            return x
        return x[:, self.offset : self.offset + height, self.offset : self.offset + width]

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return x[0], like[1], like[2], x[3]

    def get_config(self):
        return super().get_config() | {"offset": self.offset}
