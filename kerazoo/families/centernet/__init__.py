"""CenterNet: objects as points (Zhou et al. 2019, arXiv:1904.07850)."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.families.centernet.backbone import Backbone, stride
from kerazoo.settings import fields, replace, settings
from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.structures.placement import Framed, Window
from kerazoo.task import Forward
from kerazoo.tasks.detection import Detection
from kerazoo.tasks.images import IMAGENET

if TYPE_CHECKING:
    import keras

Side = Annotated[int, Field(ge=32)]
Weight = Annotated[float, Field(ge=0)]


@settings
class CenterNet(Detection):
    """CenterNet.

    Mean, std and the order of colours are those of the published networks.

    Attributes:
        backbone: what the maps are made by (`kerazoo.models.centernet`).
        width: channels of its first maps; 64 is the published one. 4 divides it.
        head_filters: inner channels of the heads; None is the published number.
        size: height and width of the network's input, which images are framed to.
        radius: of the targets' Gaussians: "centernet" as published, "iou" as meant
            (`kerazoo.families.centernet.codec.gaussian_radius`).
        size_weight, offset_weight: of these terms of the loss; the heat maps' is 1.
        divisor: of these terms: "published" counts x and y, "paper" objects.
        top: objects of an image at most.
    """

    importer: ClassVar[str | None] = "kerazoo.families.centernet.importer"

    mean: tuple[float, ...] = (104.01362, 114.03422, 119.91659)
    std: tuple[float, ...] = (73.60276, 69.89082, 70.91508)
    order: Literal["RGB", "BGR"] = "BGR"
    backbone: Backbone = "resnet18"
    width: Annotated[int, Field(ge=4, multiple_of=4)] = 64
    head_filters: Annotated[int, Field(ge=1)] | None = None
    size: tuple[Side, Side] = (512, 512)
    radius: Literal["centernet", "iou"] = "centernet"
    size_weight: Weight = 0.1
    offset_weight: Weight = 1.0
    divisor: Literal["published", "paper"] = "published"
    top: Annotated[int, Field(ge=1)] = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        multiple = self.stride()
        if self.size[0] % multiple or self.size[1] % multiple:
            raise ValueError(f"size needs multiples of {multiple}")

    def stride(self) -> int:
        return stride(self.backbone)

    def build(self) -> "keras.Model":
        from kerazoo.families.centernet.model import centernet

        return centernet(
            classes=self.classes,
            backbone=self.backbone,
            width=self.width,
            head_filters=self.head_filters,
            channels=self.channels,
        )

    def deploy(self, network: "keras.Model") -> "keras.Model":
        """Return the network without the outputs of stacks that only the loss reads."""
        import keras

        from kerazoo.families.centernet.objective import HEADS

        last = {name: maps for name, maps in network.output.items() if name in HEADS}
        return network if len(last) == len(network.output) else keras.Model(network.input, last)

    def weight_settings(self) -> dict[str, Any]:
        part_of_weights = ("backbone", "width", "head_filters", "channels", "mean", "std", "order")
        return {name: value for name, value in fields(self).items() if name in part_of_weights}

    def start(self, arrays: dict[str, np.ndarray]) -> tuple[Self, dict[str, np.ndarray]]:
        """Return the whole network's or, for a classifier's checkpoint, the backbone's.

        A classifier brings its normalisation: ImageNet's, of RGB.
        """
        from kerazoo.checkpoints.mapping import fits
        from kerazoo.families.centernet.importer import convert_body

        if fits(self._importer().LAYOUTS, arrays):
            return super().start(arrays)
        return replace(self, IMAGENET, "family"), convert_body(arrays, self.backbone)

    # --- from the image to the network ---------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Framed]:
        from kerazoo.tasks.framing import letterbox, seen

        height, width = image.shape[:2]
        if whole:
            window = letterbox(height, width, self.size)
            return self.normalised(seen(image, window)), Framed(window, (height, width))
        multiple = self.stride()
        if height % multiple or width % multiple:
            raise UserError(
                f"training windows of {height} x {width} pixels do not divide by {multiple}",
                f"set augmentation.crop to multiples of {multiple}, such as {list(self.size)}",
            )
        return self.normalised(image), Framed(Window(0, 0, width, height, width, height), (height, width))

    def encode(self, truth: Boxes, placement: Framed) -> dict[str, np.ndarray]:
        from kerazoo.families.centernet.codec import targets

        return targets(truth, placement.window, self.classes, self.radius)

    # --- from the network to the result -------------------------------------------------

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.centernet.objective import CenterNetObjective

        return CenterNetObjective(network, self.size_weight, self.offset_weight, self.divisor)

    def decode(self, outputs: dict[str, np.ndarray], placement: Framed) -> Detections:
        from kerazoo.families.centernet.codec import detections

        return detections(outputs, placement.window, placement.size, self.top)

    def views(self, forward: Forward, image: np.ndarray) -> list[Detections]:
        """Return what is found in maps that are averaged over the image and its mirror image."""
        from kerazoo.families.centernet.codec import averaged

        x, placement = self.prepare(image)
        views = (x, np.ascontiguousarray(x[:, ::-1]))
        straight, mirrored = ({name: value[0] for name, value in forward(v[None]).items()} for v in views)
        return [self.decode(averaged(straight, mirrored), placement)]

    def at_scale(self, factor: float) -> Self:
        multiple = self.stride()
        size = [max(round(side * factor / multiple), 1) * multiple for side in self.size]
        return replace(self, {"size": size}, "family")

    # --- export -----------------------------------------------------------------------

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.centernet.serving import serving_model

        return serving_model(self, network)
