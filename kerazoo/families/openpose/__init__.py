"""Part affinity fields (Cao et al. 2017, arXiv:1611.08050): key points and limbs of all people at once."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.families.openpose.codec import STRIDE
from kerazoo.families.openpose.parser import PRESETS, Parser, Preset
from kerazoo.image import check_enlargement
from kerazoo.settings import settings
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.placement import Window
from kerazoo.structures.skeleton import COCO18, Skeleton
from kerazoo.task import PLAIN, Forward, Options
from kerazoo.tasks.pose import Pose

if TYPE_CHECKING:
    import keras

LARGEST_INPUT = 2**24
"""Pixels that a smaller image is enlarged to at most."""

PUBLISHED = {"height": 368, "scales": (1.0,), "parser": Parser(), "heatmaps_weight": 1.0}
"""How all published networks predict, and were trained."""

PERSON = 100
"""Pixels of the side of the square that a person fills, as planned: twelve cells of the maps."""

Factor = Annotated[float, Field(gt=0)]


@settings
class OpenPose(Pose):
    """A heat map for every point and a field of unit vectors for every limb, refined from stage to stage.

    Attributes:
        trunk: "vgg19" as in the paper, "mobilenet" (Osokin 2018), "mobilenet_v2", the small network of
            tf-pose-estimation, which normalises by the statistics of the images it sees, or
            "residual", for trainings from nothing.
        stages: predictions one after the other, each of which is trained; the last one answers.
        width: factor on the channels of every layer.
        height: pixels that images are scaled to for prediction, in proportion.
        scales: heights that predictions are averaged over, as factors of `height`.
        sigma: of a point's Gaussian, in input pixels.
        half_width: of a limb's field, in input pixels.
        heatmaps_weight: factor on the loss of heat maps, beside that of fields; the paper's is 1.
        targets: how they are drawn (`kerazoo.families.openpose.codec.targets`).
        parser: how maps become people; or the name of a published parser.
        refinement_lr_factor, bias_lr_factor: factors on the learning rate of all stages but the
            first, and of biases (the published training: 4 and 2).
    """

    mean: tuple[float, ...] = (128.0,)
    std: tuple[float, ...] = (256.0,)
    order: Literal["RGB", "BGR"] = "BGR"
    skeleton: Skeleton = COCO18
    importer: ClassVar[str | None] = "kerazoo.families.openpose.importer"

    trunk: Literal["vgg19", "mobilenet", "mobilenet_v2", "residual"] = "mobilenet"
    stages: Annotated[int, Field(ge=1)] = 2
    width: Factor = 1.0
    height: Annotated[int, Field(ge=STRIDE)] = 368
    scales: tuple[Factor, ...] = (1.0,)
    sigma: Factor = 7.0
    half_width: Factor = 8.0
    heatmaps_weight: Factor = 1.0
    targets: Literal["capsule", "paper", "mixed", "published"] = "capsule"
    parser: Parser | Preset = Parser()
    refinement_lr_factor: Factor = 1.0
    bias_lr_factor: Factor = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.skeleton.limbs:
            raise ValueError("the skeleton has no limbs, which people are put together by")

    def build(self) -> "keras.Model":
        from kerazoo.families.openpose.model import built

        return built(self)

    def parsing(self) -> Parser:
        """Return how maps become people."""
        return PRESETS[self.parser] if isinstance(self.parser, str) else self.parser

    def weight_settings(self) -> dict[str, Any]:
        part_of_weights = ("trunk", "stages", "width", "channels", "mean", "std", "order")
        return {name: getattr(self, name) for name in part_of_weights}

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Plan the height that images are scaled to: people fill `PERSON` then, in training and after."""
        from kerazoo.tasks import planning

        data = grounds.fingerprint
        people, heights = data.measures.get("size of people (pixels)", ()), data.heights
        if grounds.pretrained or not len(people):
            return []
        image, person = float(np.median(heights)), max(float(np.median(people)), 1.0)
        most = math.isqrt(planning.FRAME_PIXELS[planning.device(grounds)])
        height = planning.multiple_above(min(round(image * PERSON / person), most), STRIDE)
        scale = height / image
        crop = grounds.crop or (height, height)
        seen = f"people of {person:.0f} pixels are seen at {scale:.2f} of their size"
        return [
            Decision("family.height", height, f"images of {image:.0f} pixels, people fill {person:.0f}"),
            Decision("augmentation.crop", crop, "as the network predicts"),
            Decision("augmentation.scale", (round(0.8 * scale, 3), round(1.25 * scale, 3)), seen),
            planning.batch(grounds, crop),
            *planning.light(grounds),
        ]

    # --- from the image to the network ---------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Window]:
        if whole:
            return self.scaled(image, self.height)
        height, width = image.shape[:2]
        if height % STRIDE or width % STRIDE:
            raise UserError(
                f"training windows of {height} x {width} pixels do not divide by {STRIDE}",
                f"set augmentation.crop to multiples of {STRIDE}, such as [256,256]",
            )
        return self.normalised(image), Window(0, 0, width, height, width, height)

    def scaled(self, image: np.ndarray, height: int) -> tuple[np.ndarray, Window]:
        """Return the input for an image brought to a height; its border is repeated up to whole cells.

        Args:
            image: uint8 `(H, W, 3)`.
            height: in pixels; the width follows.
        """
        from kerazoo.media.opencv import cv2

        rows, columns = height, max(round(image.shape[1] * height / image.shape[0]), 1)
        check_enlargement(image.shape, (rows, columns), LARGEST_INPUT)
        method = cv2.INTER_AREA if rows < image.shape[0] else cv2.INTER_CUBIC
        small = cv2.resize(image, (columns, rows), interpolation=method)
        filled = [-(-side // STRIDE) * STRIDE for side in (rows, columns)]
        border = [(0, whole - side) for whole, side in zip(filled, (rows, columns), strict=True)]
        padded = np.pad(small, (*border, (0, 0)), mode="edge")
        covered = (image.shape[1] * filled[1] / columns, image.shape[0] * filled[0] / rows)
        return self.normalised(padded), Window(0, 0, *covered, filled[1], filled[0])

    def encode(self, truth: People, placement: Window) -> dict[str, np.ndarray]:
        from kerazoo.families.openpose.codec import targets

        people = dataclasses.replace(truth, points=placement.to_input(truth.points).astype("float32"))
        size = placement.rows // STRIDE, placement.columns // STRIDE
        return targets(
            people, size, stride=STRIDE, sigma=self.sigma, half_width=self.half_width, mode=self.targets
        )

    # --- from the network to the result -------------------------------------------------

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.openpose.objective import PoseObjective

        return PoseObjective(network, self)

    def decode(self, outputs: dict[str, np.ndarray], placement: Window) -> Poses:
        last = f"stage{self.stages}"
        return self.joined(outputs[f"{last}_heatmaps"], outputs[f"{last}_fields"], placement)

    def joined(self, heatmaps: np.ndarray, fields: np.ndarray, window: Window) -> Poses:
        """Return the people of one image's maps `(h, w, K + 1)` and `(h, w, 2 L)`."""
        from kerazoo.families.openpose.grouping import people

        found = people(heatmaps, fields, self.skeleton, self.parsing(), stride=STRIDE, sigma=self.sigma)
        found.points[..., :2] = window.to_image(found.points[..., :2])
        return found

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Poses]:
        from kerazoo.families.openpose.averaging import averaged

        return (self.joined(*averaged(self, forward, image, mirrored=options.tta)) for image in images)

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.openpose.serving import serving_model

        return serving_model(self, network)

    @property
    def tolerance(self) -> float:
        # Statistics of the image itself amplify rounding: two kernels of TensorFlow differ by up to
        # 3e-4 on tf-pose's own images, an export by 9e-4 on made-up ones.
        return 2e-3 if self.trunk == "mobilenet_v2" else super().tolerance

    def output_difference(self, expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> float:
        """Return the largest difference of maps and heights, or the middle one of places by the image's size.

        Rounding decides which of nearly equal peaks comes first and which cell a sample falls into.
        """
        from kerazoo.families.openpose.serving import heights_apart

        apart = np.abs(found["peaks"] - expected["peaks"])[..., :2]
        share = np.median(apart) / max(np.abs(expected["peaks"][..., :2]).max(), 1)
        limbs = np.median(np.abs(found["limbs"] - expected["limbs"]))
        heights = heights_apart(found["peaks"][..., 2], expected["peaks"][..., 2], self.parsing().peak)
        maps = [np.abs(found[name] - expected[name]).max() for name in ("heatmaps", "fields")]
        return float(np.max([share, heights, limbs, *maps]))

    # --- published weights ----------------------------------------------------------------

    def adopting(self, published: dict[str, Any]) -> Self:
        """Return this family with a checkpoint's settings; a skeleton other than COCO-18 stays."""
        found = dict(published)
        counts = found.pop("points"), found.pop("limbs")
        skeleton = {"skeleton": COCO18} if counts == (len(COCO18.points), len(COCO18.limbs)) else {}
        return super().adopting(PUBLISHED | found | skeleton)
