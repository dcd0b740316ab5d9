"""HRNet for the key points of one person at a time."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.families.hrnet.configuration import Body
from kerazoo.settings import fields, replace, settings
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.placement import Window
from kerazoo.task import PLAIN, Forward, Options
from kerazoo.tasks.images import IMAGENET
from kerazoo.tasks.pose import Pose

if TYPE_CHECKING:
    import keras

    from kerazoo.data.source import Source

MULTIPLE = 32
"""Sides of the network's input divide by it: the lowest resolution's stride."""

DEVIATION = 0.001
"""Of the last layer's first weights, as published: heat maps begin near 0, which most of them is."""

Side = Annotated[int, Field(ge=MULTIPLE, multiple_of=MULTIPLE)]
Positive = Annotated[float, Field(gt=0)]


@settings
class HRNetPose(Pose):
    """HRNet V1: a heat map for every point of the one person in a box.

    A whole image is taken for such a box. To train and to be scored, a source cuts windows around
    people (`kerazoo.data.keypoints.windows`); `infer_boxes` looks at boxes that something else has found.

    Attributes:
        body: depth and width.
        fuse: how branches are brought to one size; a property of published weights.
        size: height and width of the network's input; a box is put into it in proportion.
        sigma: of the targets' Gaussians, in cells of 4 input pixels (published: 2, and 3 at 384 x 288).
        target: "exact", with the centre where the point is, or "rounded" to the nearest cell, as published.
        cells: what input pixel cell g stands for: its middle, "centre", or 4 g, "corner", as published.
        decode_by: "dark", the top of the Gaussian, or "quarter", a quarter of a cell to a side, as published.
        margin: by how much what the network sees is larger than what just holds the box.
    """

    mean: tuple[float, ...] = (123.675, 116.28, 103.53)
    std: tuple[float, ...] = (58.395, 57.12, 57.375)
    body: Body = Body()
    fuse: Literal["nearest", "bilinear"] = "nearest"
    size: tuple[Side, Side] = (256, 192)
    sigma: Positive = 2.0
    target: Literal["exact", "rounded"] = "exact"
    cells: Literal["centre", "corner"] = "centre"
    decode_by: Literal["dark", "quarter"] = "dark"
    margin: Positive = 1.25

    importer: ClassVar[str | None] = "kerazoo.families.hrnet.importer"
    supports: ClassVar[frozenset[str]] = frozenset({"tta", "boxes"})
    published: ClassVar[dict[str, str]] = {"target": "rounded", "cells": "corner", "decode_by": "quarter"}
    """How the heat maps of published weights were drawn and are read."""
    layouts: ClassVar[tuple[str, ...]] = ("pose",)
    branches: ClassVar[int] = 1
    """What the body's last module fuses to."""

    def build(self) -> "keras.Model":
        from kerazoo.families.hrnet.model import hrnet

        return hrnet(
            head="heatmap",
            fuse=self.fuse,
            classes=len(self.skeleton.points),
            channels=self.channels,
            std=DEVIATION,
            **fields(self.body),
        )

    def weight_settings(self) -> dict[str, Any]:
        part_of_weights = ("body", "fuse", "channels", "mean", "std", "order")
        return {name: getattr(self, name) for name in part_of_weights}

    @property
    def first(self) -> float:
        """The input pixel, along both axes, that cell 0 stands for."""
        return 1.5 if self.cells == "centre" else 0.0

    def configure(self, data: "Source") -> "Source":
        """Return the data with this network's points, in windows as it wants them where they are whole."""
        from kerazoo.data.keypoints.windows import Windows

        rows, columns = self.size
        windows = getattr(data, "windows", None) or Windows(aspect=columns / rows, margin=self.margin)
        return replace(super().configure(data), {"windows": windows})

    # --- from the image to the network ---------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Window]:
        from kerazoo.tasks.framing import letterbox

        height, width = image.shape[:2]
        if whole:
            window = letterbox(height, width, self.size)
            return self.framed(image, window), window
        if height % MULTIPLE or width % MULTIPLE:
            raise UserError(
                f"training windows of {height} x {width} pixels do not divide by {MULTIPLE}",
                f"set augmentation.crop to family.size, {list(self.size)}",
            )
        return self.normalised(image), Window(0, 0, width, height, width, height)

    def framed(self, image: np.ndarray, window: Window) -> np.ndarray:
        """Return the network's input for a part of an image, grey beyond it."""
        from kerazoo.tasks.framing import seen

        return self.normalised(seen(image, window))

    def encode(self, truth: People, placement: Window) -> dict[str, np.ndarray]:
        from kerazoo.families.hrnet.codec import targets

        rounded = self.target == "rounded"
        return targets(truth, placement, sigma=self.sigma, first=self.first, rounded=rounded)

    # --- from the network to the result -------------------------------------------------

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.hrnet.pose_objective import JointObjective

        return JointObjective(network)

    def decode(self, outputs: dict[str, np.ndarray], placement: Window) -> Poses:
        from kerazoo.families.hrnet.codec import STRIDE, peaks, person_score

        points = peaks(outputs["heatmaps"], self.sigma if self.decode_by == "dark" else None)
        points[:, :2] = placement.to_image(points[:, :2] * STRIDE + self.first)
        return Poses(points[None], np.array([person_score(points[:, 2])], "float32"))

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Poses]:
        """Yield the person in each image in turn; `tta` averages with the mirror image's heat maps."""
        from kerazoo.families.hrnet.top_down import people

        return people(self, forward, (self.prepare(image) for image in images), options.tta)

    def infer_boxes(
        self, forward: Forward, image: np.ndarray, boxes: np.ndarray, scores: np.ndarray, *, tta: bool = False
    ) -> Poses:
        """Return the people in boxes, the best first; a score is the person's own times that of the box."""
        from kerazoo.families.hrnet.top_down import in_boxes

        return in_boxes(self, forward, image, boxes, scores, tta)

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.hrnet.pose_objective import serving_model

        return serving_model(self, network)

    def output_difference(self, expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> float:
        """Return the largest difference of heights, or the middle one of places as a share of the image.

        Rounding decides which of two nearly equal cells is the highest, so one place alone says nothing.
        """
        points, others = expected["keypoints"], found["keypoints"]
        apart = np.abs(others - points)
        share = np.median(apart[..., :2]) / max(np.abs(points[..., :2]).max(), 1)
        maps = np.abs(found["heatmaps"] - expected["heatmaps"])
        return float(np.max([share, apart[..., 2].max(), maps.max()]))

    # --- published weights ----------------------------------------------------------------

    def adopting(self, published: dict[str, Any]) -> Self:
        from kerazoo.families.hrnet.importer import family_settings, skeleton_of

        found = family_settings(published) | self.published
        skeleton = skeleton_of(found.pop("classes"), self.skeleton)
        return super().adopting(found | {"skeleton": skeleton})

    def start(self, arrays: dict[str, np.ndarray]) -> tuple[Self, dict[str, np.ndarray]]:
        """Return what a training starts from: such a network, or the body of an ImageNet classifier.

        The body then computes as this family says: published trainings of faces start
        from a classifier too, although it fuses its branches otherwise.
        """
        from kerazoo.families.hrnet.importer import (
            CLASSIFICATION,
            convert_body,
            family_settings,
            is_classifier,
            recognised,
        )

        if not is_classifier(arrays):
            return super().start(arrays)
        found = family_settings(recognised(CLASSIFICATION, arrays))
        kept = {name: found[name] for name in ("body", "channels", *IMAGENET)}
        return replace(self, kept, "family"), convert_body(arrays, self.branches)
