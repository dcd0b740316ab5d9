"""How maps become people: the numbers of a parser, and those of the five published ones."""

from typing import Annotated, Literal

from pydantic import Field

from kerazoo.settings import settings

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Strength = Annotated[float, Field(ge=0)]


@settings
class Parser:
    """What counts as a peak, as a limb and as a person.

    Attributes:
        peak: height that a peak of a heat map is above.
        neighbours: cells around a peak that are no higher.
        smoothing: deviation in cells of a Gaussian that heat maps are smoothed by before peaks are looked
            for; heights are those of the maps themselves.
        apart: cells that peaks of one point keep from a higher one.
        samples: least and most places on a line between two peaks at which its limb's field is read; where
            the two differ, the root of five times the line's length in input pixels.
        agreement: of the field with the line's direction that a sample agrees above.
        share: of the samples that must agree.
        counted: whose mean scores a limb, of "all" samples or of the "agreeing" ones.
        half_height: lines longer than half the map's height lose score in proportion.
        least_points, least_score: of a person; the score is that of points and limbs, per point.
    """

    peak: Share = 0.1
    neighbours: Literal[4, 8] = 4
    smoothing: Strength = 0.0
    apart: Strength = 0.0
    samples: tuple[Count, Count] = (10, 10)
    agreement: Share = 0.05
    share: Share = 0.8
    counted: Literal["all", "agreeing"] = "all"
    half_height: bool = False
    least_points: Count = 3
    least_score: Strength = 0.2

    def __post_init__(self) -> None:
        if not 2 <= self.samples[0] <= self.samples[1]:
            raise ValueError("samples needs the least, 2 or more, and the most")


PRESETS = {
    "openpose": Parser(
        peak=0.05, neighbours=8, samples=(5, 25), share=0.95, counted="agreeing", least_score=0.4
    ),
    "matlab": Parser(share=0.8, counted="agreeing"),
    "python": Parser(smoothing=3.0 / 8, half_height=True, least_points=4, least_score=0.4),
    "lightweight": Parser(apart=6.0 / 4, share=0.85, counted="agreeing"),
    "tf-pose": Parser(peak=0.05, neighbours=8, share=0.65, half_height=True, least_points=4, least_score=0.3),
}
"""The parsers of the C++ program, of the Matlab and Python evaluation, of lightweight-human-pose-estimation
and of tf-pose-estimation, with their thresholds. Those that enlarge the maps first had lengths in
enlarged cells (`smoothing` of the third, `apart` of the fourth); here maps stay as they are."""

Preset = Literal["openpose", "matlab", "python", "lightweight", "tf-pose"]
