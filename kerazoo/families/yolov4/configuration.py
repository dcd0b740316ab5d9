"""What the published networks have beside their layers (AlexeyAB/darknet, yolov4.cfg and yolov4-tiny.cfg)."""

from typing import Literal, NamedTuple

Network = Literal["yolov4", "yolov4-tiny"]

Anchor = tuple[float, float]
"""Width and height of a shape that boxes are told as factors of, in pixels of the network's input."""


class Heads(NamedTuple):
    """The heads of a network, the finest first.

    Attributes:
        strides: input pixels per cell.
        anchors: of all heads together.
        masks: which of the anchors each head has.
        scale_x_y: by how much the logistic of centres is stretched, so that a cell's border can be reached.
    """

    strides: tuple[int, ...]
    anchors: tuple[Anchor, ...]
    masks: tuple[tuple[int, ...], ...]
    scale_x_y: tuple[float, ...]

    def names(self) -> tuple[str, ...]:
        """Return what the network calls its outputs: "stride8" and so on."""
        return tuple(f"stride{stride}" for stride in self.strides)


YOLOV4 = Heads(
    strides=(8, 16, 32),
    anchors=((12, 16), (19, 36), (40, 28), (36, 75), (76, 55), (72, 146), (142, 110), (192, 243), (459, 401)),
    masks=((0, 1, 2), (3, 4, 5), (6, 7, 8)),
    scale_x_y=(1.2, 1.1, 1.05),
)

# The published masks: the first anchor is nobody's, the fourth belongs to both heads.
YOLOV4_TINY = Heads(
    strides=(16, 32),
    anchors=((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319)),
    masks=((1, 2, 3), (3, 4, 5)),
    scale_x_y=(1.05, 1.05),
)

HEADS: dict[Network, Heads] = {"yolov4": YOLOV4, "yolov4-tiny": YOLOV4_TINY}

STRIDE = 32
"""What divides the sides of the network's input."""

PER_HEAD = 3
"""Anchors of every head."""


class Thresholds(NamedTuple):
    """What of a network's boxes is an answer.

    Attributes:
        least: score that boxes are above.
        overlap: with a better box of their class, above which boxes are suppressed.
    """

    least: float
    overlap: float


Preset = Literal["valid", "map", "test"]

PRESETS: dict[Preset, Thresholds] = {
    "valid": Thresholds(0.001, 0.6),
    "map": Thresholds(0.005, 0.45),
    "test": Thresholds(0.25, 0.45),
}
"""Of darknet's commands `detector valid`, `detector map` and `detector test`."""


UNITS = (1, 2, 8, 8, 4)
"""Residual units of CSPDarknet53's stages."""


def units(depth: float) -> tuple[int, ...]:
    """Return the residual units of each stage for a factor on their number; one stays at least."""
    return tuple(max(round(count * depth), 1) for count in UNITS)
