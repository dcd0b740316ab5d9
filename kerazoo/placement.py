"""How a photograph was put into the network's input."""

from typing import NamedTuple


class Placement(NamedTuple):
    """The window of the photograph that the network's output stands for.

    Attributes:
        top, left: photograph pixel of the output's first pixel.
        height, width: size of the window in photograph pixels; what the output
            holds beyond it is padding and is cut off by `decode`.
    """

    top: int
    left: int
    height: int
    width: int
