"""The depths and widths that HRNet is published in."""

from typing import Annotated

from pydantic import Field

from kerazoo.settings import settings

Count = Annotated[int, Field(ge=1)]


@settings
class Body:
    """How deep and wide the body is; what is published has the defaults, in widths of 18 to 64.

    Attributes:
        width: channels of the highest resolution; doubled from branch to branch.
        blocks: residual units per branch of a module.
        modules: of stages 2, 3 and 4.
        bottlenecks, bottleneck_width: number and inner width of stage 1's units.
    """

    width: Count = 18
    blocks: Count = 4
    modules: tuple[Count, Count, Count] = (1, 4, 3)
    bottlenecks: Count = 4
    bottleneck_width: Count = 64


SMALL_V1 = Body(width=16, blocks=2, modules=(1, 1, 1), bottlenecks=1, bottleneck_width=32)
SMALL_V2 = Body(width=18, blocks=2, modules=(1, 3, 2), bottlenecks=2, bottleneck_width=64)
"""Called HRNet-W18-C-Small-v1 and -v2, although the first has a width of 16."""
