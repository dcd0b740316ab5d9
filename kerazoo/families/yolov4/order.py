"""The convolutions of YOLOv4 in the order of its cfg files, which is all that darknet's weights go by."""

from collections.abc import Iterator
from typing import NamedTuple

from kerazoo.families.yolov4.configuration import PER_HEAD, Network, units


class Convolution(NamedTuple):
    """A convolution of the network.

    Attributes:
        name: of its layer.
        channels: of its input.
        filters: of its output.
        kernel: side.
        norm: whether a batch normalisation follows; otherwise it has biases.
    """

    name: str
    channels: int
    filters: int
    kernel: int
    norm: bool = True

    def values(self) -> int:
        """Return how many values darknet keeps of it."""
        return self.filters * (self.channels * self.kernel**2 + (4 if self.norm else 1))


def convolutions(
    network: Network, *, classes: int, width: int = 32, depth: float = 1.0, channels: int = 3
) -> list[Convolution]:
    """Return the convolutions of `yolov4` or `yolov4_tiny`, with these arguments, in the order of the cfg."""
    outputs = PER_HEAD * (5 + classes)
    if network == "yolov4-tiny":
        return [*_tiny(width, channels, outputs)]
    trunk = _trunk(width, units(depth), channels)
    return [*trunk, *_pyramid_pooling(16 * width), *_up(width), *_down(width, outputs)]


def _trunk(width: int, counts: tuple[int, ...], channels: int) -> Iterator[Convolution]:
    yield Convolution("stem", channels, width, 3)
    for stage, count in enumerate(counts, 1):
        name, filters = f"stage{stage}", width * 2**stage
        half, inner = (filters, filters // 2) if stage == 1 else (filters // 2, filters // 2)
        yield Convolution(f"{name}_down", filters // 2, filters, 3)
        yield Convolution(f"{name}_bypass", filters, half, 1)
        yield Convolution(f"{name}_main", filters, half, 1)
        for unit in range(1, count + 1):
            yield Convolution(f"{name}_unit{unit}_conv1", half, inner, 1)
            yield Convolution(f"{name}_unit{unit}_conv2", inner, half, 3)
        yield Convolution(f"{name}_post", half, half, 1)
        yield Convolution(f"{name}_out", 2 * half, filters, 1)


def _pyramid_pooling(filters: int) -> Iterator[Convolution]:
    for first in (1, 4):
        yield Convolution(f"spp_conv{first}", 2 * filters if first == 1 else 4 * filters, filters, 1)
        yield Convolution(f"spp_conv{first + 1}", filters, 2 * filters, 3)
        yield Convolution(f"spp_conv{first + 2}", 2 * filters, filters, 1)


def _five(name: str, filters: int) -> Iterator[Convolution]:
    for step in (1, 2, 3, 4, 5):
        narrow, wide = filters, 2 * filters
        shape = (wide, narrow, 1) if step % 2 else (narrow, wide, 3)
        yield Convolution(f"{name}_conv{step}", *shape)


def _up(width: int) -> Iterator[Convolution]:
    for name, filters in (("up16", 8 * width), ("up8", 4 * width)):
        yield Convolution(f"{name}_reduce", 2 * filters, filters, 1)
        yield Convolution(f"{name}_lateral", 2 * filters, filters, 1)
        yield from _five(name, filters)


def _down(width: int, outputs: int) -> Iterator[Convolution]:
    yield from _head("stride8", 4 * width, outputs)
    for stride, filters in ((16, 8 * width), (32, 16 * width)):
        yield Convolution(f"down{stride}_reduce", filters // 2, filters, 3)
        yield from _five(f"down{stride}", filters)
        yield from _head(f"stride{stride}", filters, outputs)


def _head(name: str, channels: int, outputs: int, filters: int | None = None) -> Iterator[Convolution]:
    filters = filters or 2 * channels
    yield Convolution(f"{name}_conv", channels, filters, 3)
    yield Convolution(name, filters, outputs, 1, norm=False)


def _tiny(width: int, channels: int, outputs: int) -> Iterator[Convolution]:
    yield Convolution("stem", channels, width, 3)
    yield Convolution("down", width, 2 * width, 3)
    for block in (1, 2, 3):
        name, filters = f"block{block}", 2**block * width
        yield Convolution(f"{name}_conv1", filters, filters, 3)
        yield Convolution(f"{name}_conv2", filters // 2, filters // 2, 3)
        yield Convolution(f"{name}_conv3", filters // 2, filters // 2, 3)
        yield Convolution(f"{name}_out", filters, filters, 1)
    yield Convolution("neck_conv1", 16 * width, 16 * width, 3)
    yield Convolution("neck_conv2", 16 * width, 8 * width, 1)
    yield from _head("stride32", 8 * width, outputs)
    yield Convolution("up16_reduce", 8 * width, 4 * width, 1)
    yield from _head("stride16", 12 * width, outputs, 8 * width)
