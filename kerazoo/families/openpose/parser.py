"""How maps become people: the numbers of a parser, and those of the published ones."""

from typing import Annotated

from pydantic import Field

from kerazoo.settings import settings

Share = Annotated[float, Field(ge=0, le=1)]


@settings
class Parser:
    peak: Share = 0.1
    samples: Annotated[int, Field(ge=2)] = 10
    agreement: Share = 0.05
    share: Share = 0.8
    least_points: Annotated[int, Field(ge=1)] = 3
    least_score: Annotated[float, Field(ge=0)] = 0.2
