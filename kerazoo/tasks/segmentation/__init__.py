"""Semantic segmentation: a class for every pixel."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.settings import fields, replace, settings
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.mask import VOID, Mask, Segmented
from kerazoo.structures.placement import Placement, reflected_window
from kerazoo.structures.scores import Scores
from kerazoo.task import PLAIN, Forward, Options
from kerazoo.tasks.images import Labelled, activated

if TYPE_CHECKING:
    import keras

    from kerazoo.data.source import Source

RARE = 0.01
"""Share of the pixels below which a class is rare."""


@settings
class Losses:
    """How much each loss weighs; those at 0 are not computed.

    Attributes:
        cross_entropy, dice, focal: weights.
        ohem: weight of the cross entropy of hard pixels alone, to be used in place of `cross_entropy`.
        ohem_threshold: hard are pixels whose true class has a probability below this,
        ohem_kept: or else the hardest, as this share of the labelled pixels of a batch. The defaults are
            those of HRNet on Cityscapes (131072 of three crops of 512 x 1024 on each device).
    """

    cross_entropy: Annotated[float, Field(ge=0)] = 1.0
    dice: Annotated[float, Field(ge=0)] = 0.0
    focal: Annotated[float, Field(ge=0)] = 0.0
    ohem: Annotated[float, Field(ge=0)] = 0.0
    ohem_threshold: Annotated[float, Field(gt=0, le=1)] = 0.9
    ohem_kept: Annotated[float, Field(ge=0, le=1)] = 1 / 12

    def active(self) -> dict[str, float]:
        """Return `{name: weight}` of the losses in use."""
        weights = {name: getattr(self, name) for name in ("cross_entropy", "dice", "focal", "ohem")}
        return {name: weight for name, weight in weights.items() if weight}


@settings
class Segmentation(Labelled):
    """What every segmentation family shares.

    Attributes:
        classes: number of logits. 1: one sigmoid, labels 0 and 1; otherwise a softmax.
        losses: what is minimised; averaged over the heads.
        class_weights: factor on the pixels of each class, in label order, or None.
        threshold: of a sigmoid: pixels above it are of the second class. None is what the validation data
            show to be best, or one half where that is as good.
    """

    supports: ClassVar[frozenset[str]] = frozenset({"tile", "tta"})
    has_class_colours: ClassVar[bool] = True

    classes: Annotated[int, Field(ge=1, lt=VOID)] = 1
    losses: Losses = Losses(cross_entropy=1.0, dice=1.0)
    class_weights: tuple[float, ...] | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = self.class_weights
        if weights is not None and len(weights) != self.labels():
            raise ValueError(f"class_weights has {len(weights)} values for {self.labels()} classes")
        if min(weights or (1.0,)) < 0:
            raise ValueError("class_weights must not be below 0")
        if not self.losses.active():
            raise ValueError("all losses are 0")

    def labels(self) -> int:
        return max(self.classes, 2)

    def with_classes(self, names: Sequence[str]) -> "Segmentation":
        """Return this family for data with these classes; two classes keep a sigmoid or softmax of two."""
        classes = self.classes if len(names) == 2 and self.classes <= 2 else len(names)
        classes = 1 if len(names) == 2 and self.classes > 2 else classes
        weights = self.class_weights if len(names) == max(self.classes, 2) else None
        return replace(self, {"classes": classes, "names": tuple(names), "class_weights": weights}, "family")

    def adopting(self, published: dict[str, Any]) -> Self:
        """Return this family with a checkpoint's settings; names stay where they still fit."""
        labels = max(published["classes"], 2)
        names = self.names if len(self.names) == labels else ()
        weights = self.class_weights if len(self.class_weights or ()) == labels else None
        return replace(self, {**published, "names": names, "class_weights": weights}, "family")

    def weight_settings(self) -> dict[str, Any]:
        free = {"classes", "names", "losses", "class_weights", "dropout", "mode", "level", "threshold"}
        return {name: value for name, value in fields(self).items() if name not in free}

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Plan normalisation, the training window, the batch, turns, and Dice for rare classes."""
        from kerazoo.tasks import planning

        size = grounds.crop
        decisions = planning.normalisation(grounds, self.channels)
        if size is None:
            size, because = planning.window(grounds, self._window_below)
            decisions.append(Decision("augmentation.crop", size, because))
        decisions += [planning.batch(grounds, size), *planning.orientation(grounds)]
        rarest = min(grounds.fingerprint.classes.items(), key=lambda item: item[1], default=("", 1.0))
        if rarest[1] < RARE and not self.losses.dice:
            because = f"{rarest[0]} is {rarest[1]:.1%} of the pixels: Dice counts each class alike"
            decisions.append(Decision("family.losses.dice", 1.0, because))
        return decisions

    def _window_below(self, side: int) -> int:
        """Return the largest side of labelled windows that fits, up to a side; or the least."""
        from kerazoo.tasks import planning

        context = 2 * self.context()
        if not context:
            return planning.multiple_below(side, planning.MULTIPLE)
        least = self.admissible(context + 1)
        fitting = (n for n in range(side + context, least, -1) if self.admissible(n) == n)
        return next(fitting, least) - context

    # --- from the image to the network ---------------------------------------------

    def admissible(self, size: int) -> int:
        """Return the smallest length of an image side >= size that the network takes."""
        return size

    def stride(self) -> int:
        """Return the pixels of the input per pixel of the network's coarsest map."""
        return 1

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Placement]:
        height, width = image.shape[:2]
        context = self.context()
        if not whole:
            self._check_window(height, width)
            inner = Placement(context, context, height - 2 * context, width - 2 * context)
            return self.normalised(image), inner
        size = (self.admissible(n + 2 * context) for n in (height, width))
        window = reflected_window(image, Placement(-context, -context, *size))
        return self.normalised(window), Placement(0, 0, height, width)

    def _check_window(self, height: int, width: int) -> None:
        fitting = self.admissible(height), self.admissible(width)
        if fitting != (height, width):
            crop = tuple(side - 2 * self.context() for side in fitting)
            raise UserError(
                f"this network takes no training window of {height - 2 * self.context()} x "
                f"{width - 2 * self.context()} labelled pixels",
                f"set augmentation.crop to {list(crop)}",
            )

    def encode(self, truth: Mask, placement: Placement) -> dict[str, np.ndarray]:
        top, left, height, width = placement
        window = np.s_[top : top + height, left : left + width]
        weights = truth.labels[window] != VOID
        if truth.weights is not None:
            weights = weights * truth.weights[window]
        return {"labels": truth.labels[window], "weights": weights.astype("float32")}

    # --- from the network to the result -------------------------------------------------

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.segmentation.objective import SegmentationObjective

        return SegmentationObjective(network, self.losses, self.class_weights)

    def probabilities(self, outputs: dict[str, np.ndarray], placement: Placement) -> np.ndarray:
        """Return the class probabilities, averaged over the heads: float32 `(H, W, classes)`."""
        heads = [activated(logits) for logits in outputs.values()]
        mean = heads[0] if len(heads) == 1 else np.mean(heads, axis=0)
        return mean[: placement.height, : placement.width]

    def decode(self, outputs: dict[str, np.ndarray], placement: Placement) -> Segmented:
        return self.label(self.probabilities(outputs, placement))

    def label(self, probabilities: np.ndarray) -> Segmented:
        """Return the most probable class of every pixel; of a sigmoid, whether it is above `threshold`."""
        if self.classes == 1:
            second = probabilities[..., 0]
            return Segmented((second > self.cut()).astype("uint8"), np.rint(255 * second).astype("uint8"))
        return Segmented(probabilities.argmax(axis=-1).astype("uint8"))

    def cut(self) -> float:
        """Return the probability above which a pixel is of the second of two classes."""
        return 0.5 if self.threshold is None else self.threshold

    def calibrated(self, scores: dict[str, Any]) -> Self:
        chosen = scores.get("threshold")
        if self.threshold is not None or chosen is None:
            return self
        return replace(self, {"threshold": chosen}, "family")

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Segmented]:
        from kerazoo.tasks.segmentation.tiling import whole_or_tiled

        return whole_or_tiled(self, forward, images, options)

    def evaluate(self, pairs: Iterable[tuple[Mask, Segmented]]) -> Scores:
        from kerazoo.tasks.segmentation.scores import best_cut, confusion, level_counts, scores

        images, levels = [], np.zeros((2, 256), "int64")
        for truth, result in pairs:
            images.append(confusion(truth.labels, result.labels, self.labels()))
            if result.levels is not None:
                levels += level_counts(truth.labels, result.levels)
        numbers = {"images": len(images)} | scores(images, self.class_names())
        return Scores(numbers | ({"threshold": best_cut(levels)} if self.classes == 1 else {}))

    def draw(self, image: np.ndarray, result: Segmented) -> np.ndarray:
        from kerazoo.draw import overlay

        return overlay(image, result.labels)

    def source_for(self, path: str) -> "type[Source]":
        from kerazoo.data.segmentation.folders import Folder

        return Folder

    def configure(self, data: "Source") -> "Source":
        """Return a folder with what its masks mean decided, in the labels of this network's class names."""
        from kerazoo.data.segmentation.folders import Folder

        return data.with_decided_classes(self.names) if isinstance(data, Folder) else data

    def describe(self, result: Segmented) -> dict[str, Any]:
        """Return the pixels of every class and their share of the image."""
        names = self.class_names()
        pixels = np.bincount(result.labels.ravel(), minlength=len(names)).tolist()
        share = [round(count / result.labels.size, 6) for count in pixels]
        return {
            "pixels": dict(zip(names, pixels, strict=True)),
            "share": dict(zip(names, share, strict=True)),
        }

    def save(self, result: Segmented, stem: Path) -> list[Path]:
        """Write the labels as an 8-bit PNG, one grey level per class."""
        from kerazoo.image import write_image

        path = stem.with_name(f"{stem.name}_mask.png")
        write_image(path, result.labels)
        return [path]

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.segmentation.objective import serving_model

        return serving_model(self, network)
