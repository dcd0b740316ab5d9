"""YOLOv4 and YOLOv4-tiny (Bochkovskiy, Wang and Liao 2020, arXiv:2004.10934)."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.families.yolov4.configuration import (
    HEADS,
    PER_HEAD,
    PRESETS,
    STRIDE,
    Heads,
    Network,
    Preset,
    Thresholds,
)
from kerazoo.settings import fields, replace, settings
from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.placement import Framed, Window
from kerazoo.tasks.detection import Detection

if TYPE_CHECKING:
    import keras

    from kerazoo.families.yolov4.order import Convolution

Side = Annotated[int, Field(ge=STRIDE, multiple_of=STRIDE)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@settings
class YOLOv4(Detection):
    """YOLOv4 or YOLOv4-tiny, trained as darknet trains it.

    Where darknet's cfg files have a name for a setting, it is theirs. What the paper lists and the released
    cfg files do not have is off.

    Attributes:
        network: which of the two.
        width: channels of the stem; 32 is the published one.
        depth: factor on the residual units of YOLOv4's stages.
        size: height and width of the network's input, which images are stretched to.
        anchors: width and height in pixels of the input, small ones first; empty for the published ones.
        masks: which of the anchors each head has, the finest head first; empty for the published ones.
        iou_thresh: IoU of shapes above which an object is assigned to anchors besides the best; 1 for none.
        ignore_thresh: IoU with an object above which a box is not asked to be none.
        iou_normalizer: weight of the boxes' loss.
        max_delta: largest gradient of a box by one of its logits.
        label_smooth_eps: how far targets of classes are from 0 and 1, twice.
        focal_gamma: of the focal loss of classes; 0 for cross entropy.
        counters_per_class: objects of every class in the training data, whose rare classes then count more.
        dropblock: share of the maps before the heads that is dropped while training, in squares of 7.
        thresholds_of: darknet's command whose thresholds `decode` has: `valid` and `map` for scores.
        nms_kind: how overlap is measured in suppression: `greedynms` by DIoU whose distance has the
            exponent 0.6, `diounms` by DIoU with the exponent `beta_nms`, `default` by IoU.
        beta_nms: an exponent, which darknet's `greedynms` does not read.
        top: objects of an image at most.
    """

    importer: ClassVar[str | None] = "kerazoo.families.yolov4.importer"

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (255.0,)
    network: Network = "yolov4"
    width: Annotated[int, Field(ge=1)] = 32
    depth: Positive = 1.0
    size: tuple[Side, Side] = (608, 608)
    anchors: tuple[tuple[Positive, Positive], ...] = ()
    masks: tuple[tuple[Annotated[int, Field(ge=0)], ...], ...] = ()
    iou_thresh: Share = 0.213
    ignore_thresh: Share = 0.7
    iou_normalizer: Annotated[float, Field(ge=0)] = 0.07
    max_delta: Positive = 5.0
    label_smooth_eps: Share = 0.0
    focal_gamma: Annotated[float, Field(ge=0)] = 0.0
    counters_per_class: tuple[Annotated[int, Field(ge=0)], ...] = ()
    dropblock: Annotated[float, Field(ge=0, lt=1)] = 0.0
    thresholds_of: Preset = "valid"
    nms_kind: Literal["greedynms", "diounms", "default"] = "greedynms"
    beta_nms: Positive = 0.6
    top: Annotated[int, Field(ge=1)] = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        heads = self.heads()
        if [len(mask) for mask in heads.masks] != [PER_HEAD] * len(heads.strides):
            raise ValueError(f"masks needs {PER_HEAD} anchors for each of {len(heads.strides)} heads")
        if max(map(max, heads.masks)) >= len(heads.anchors):
            raise ValueError(f"masks name more than the {len(heads.anchors)} anchors")
        if self.counters_per_class and len(self.counters_per_class) != self.classes:
            raise ValueError(f"counters_per_class needs {self.classes} numbers")

    def stride(self) -> int:
        return STRIDE

    def heads(self) -> Heads:
        """Return the heads with these anchors."""
        published = HEADS[self.network]
        return published._replace(
            anchors=self.anchors or published.anchors, masks=self.masks or published.masks
        )

    def thresholds(self) -> Thresholds:
        """Return what of a network's boxes is an answer."""
        return PRESETS[self.thresholds_of]

    def exponent(self) -> float | None:
        """Return the exponent of the distance in suppression, None for plain IoU."""
        return {"greedynms": 0.6, "diounms": self.beta_nms, "default": None}[self.nms_kind]

    def build(self) -> "keras.Model":
        from kerazoo.families.yolov4.model import yolov4, yolov4_tiny

        common = {name: getattr(self, name) for name in ("classes", "width", "channels", "dropblock")}
        return yolov4_tiny(**common) if self.network == "yolov4-tiny" else yolov4(**common, depth=self.depth)

    def weight_settings(self) -> dict[str, Any]:
        part_of_weights = (
            "network",
            "width",
            "depth",
            "channels",
            "mean",
            "std",
            "order",
            "anchors",
            "masks",
        )
        return {name: value for name, value in fields(self).items() if name in part_of_weights}

    # --- from the image to the network ---------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Framed]:
        from kerazoo.tasks.framing import seen

        height, width = image.shape[:2]
        rows, columns = self.size if whole else (height, width)
        if rows % STRIDE or columns % STRIDE:
            raise UserError(
                f"training windows of {height} x {width} pixels do not divide by {STRIDE}",
                f"set augmentation.crop to multiples of {STRIDE}, such as {list(self.size)}",
            )
        window = Window(0, 0, width, height, columns, rows)
        return self.normalised(seen(image, window) if whole else image), Framed(window, (height, width))

    def encode(self, truth: Boxes, placement: Framed) -> dict[str, np.ndarray]:
        from kerazoo.families.yolov4.codec import targets

        return targets(truth, placement.window, self.heads(), self.iou_thresh)

    # --- from the network to the result -------------------------------------------------

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.yolov4.objective import Rules, YOLOv4Objective

        rules = Rules(**{name: getattr(self, name) for name in Rules._fields})
        return YOLOv4Objective(network, self.heads(), rules)

    def decode(self, outputs: dict[str, np.ndarray], placement: Framed) -> Detections:
        from kerazoo.families.yolov4.codec import detections

        return detections(outputs, placement, self.heads(), self.thresholds(), self.exponent(), self.top)

    def at_scale(self, factor: float) -> Self:
        size = [max(round(side * factor / STRIDE), 1) * STRIDE for side in self.size]
        return replace(self, {"size": size}, "family")

    # --- data and weights -----------------------------------------------------------------

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Plan as every detector does, and the anchors where published weights do not bring theirs."""
        from kerazoo.families.yolov4.anchors import anchors_of

        decided = super().planned(grounds)
        size = next(tuple(each.value) for each in decided if each.setting == "family.size")
        return decided if grounds.pretrained else [*decided, *anchors_of(grounds.fingerprint, self, size)]

    def for_checkpoint(self, arrays: dict[str, np.ndarray], layout: str | None = None) -> Self:
        """Return this family with a checkpoint's settings; darknet's files may also be of its own shape."""
        from kerazoo.checkpoints.darknet import KEY
        from kerazoo.families.yolov4.importer import sized

        own = sized(arrays[KEY], **self._shape()) if KEY in arrays and layout in (None, KEY) else None
        return super().for_checkpoint(arrays, layout) if own is None else self.adopting(own)

    def start(self, arrays: dict[str, np.ndarray]) -> tuple[Self, dict[str, np.ndarray]]:
        """Return the whole network's or, for darknet's file of the first layers, their variables."""
        from kerazoo.checkpoints.darknet import KEY
        from kerazoo.families.yolov4.importer import LAYOUTS, begun, sized

        if KEY not in arrays or LAYOUTS[KEY](arrays) or sized(arrays[KEY], **self._shape()):
            return super().start(arrays)
        settings, found = begun(arrays[KEY], self.classes, self._shape())
        return replace(self, settings, "family"), found

    def convert(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        from kerazoo.families.yolov4.importer import convert

        return convert(arrays, self.convolutions())

    def convolutions(self) -> "list[Convolution]":
        """Return the network's convolutions in the order of darknet's files."""
        from kerazoo.families.yolov4.order import convolutions

        return convolutions(classes=self.classes, **self._shape())

    def _shape(self) -> dict[str, Any]:
        names = ("network", "width", "depth", "channels")
        return {name: value for name, value in fields(self).items() if name in names}

    # --- export -----------------------------------------------------------------------

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.yolov4.serving import serving_model

        return serving_model(self, network)
