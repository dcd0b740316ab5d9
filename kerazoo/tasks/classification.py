"""Classification: one class for a photograph."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.placement import Placement
from kerazoo.settings import fields, replace, settings
from kerazoo.tasks.photographs import Photographs, activated

if TYPE_CHECKING:
    import keras

    from kerazoo.data.warp import Warp

TOP = 5
"""How many classes a person is told of a photograph."""


@dataclasses.dataclass(frozen=True)
class Label:
    """The truth of classification.

    Attributes:
        label: class index from 0.
    """

    label: int

    def moved(self, warp: "Warp") -> "Label":
        """Return the label after a geometric change: itself."""
        return self


@dataclasses.dataclass(frozen=True)
class Classified:
    """The result of classification.

    Attributes:
        probabilities: float32 `(classes,)`, of sum 1.
    """

    probabilities: np.ndarray


@settings
class Classification(Photographs):
    """What every classification family shares; its network's one output is called "logits".

    A photograph is scaled until it just covers `size` divided by `crop_share`, and its centre of
    `size` is what the network sees. Training windows are taken as they are.

    Attributes:
        classes: number of logits, of a softmax.
        size: height and width in pixels that the network is validated at.
        crop_share: part of the scaled photograph's shorter side that is kept.
        interpolation: of the scaling; where it shrinks, it averages (as Pillow does it).
        label_smoothing: part of a truth's weight that is spread over all classes (Szegedy et al. 2016).
        mixup: alpha of mixup (Zhang et al. 2018), 0 for none: two images and their truths are
            mixed by a share drawn from Beta(alpha, alpha).
    """

    classes: Annotated[int, Field(ge=2)] = 2
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (224, 224)
    crop_share: Annotated[float, Field(gt=0, le=1)] = 0.875
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: Annotated[float, Field(ge=0)] = 0.0

    def labels(self) -> int:
        return self.classes

    def for_classes(self, names: Sequence[str]) -> "Classification":
        return replace(self, {"classes": len(names), "names": tuple(names)}, "family")

    def adopting(self, found: dict[str, Any]) -> Self:
        """Return this family with settings found in a checkpoint; names stay where they still fit."""
        names = self.names if len(self.names) == found["classes"] else ()
        return replace(self, {"names": names} | found, "family")

    def meaning(self) -> dict[str, Any]:
        free = {
            "classes",
            "names",
            "size",
            "crop_share",
            "interpolation",
            "label_smoothing",
            "mixup",
            "dropout",
        }
        return {name: value for name, value in fields(self).items() if name not in free}

    # --- from the photograph to the network ---------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Placement]:
        window = self.centre(image) if whole else image
        return self.normalised(window), Placement(0, 0, *image.shape[:2])

    def centre(self, image: np.ndarray) -> np.ndarray:
        """Return what the network sees of a photograph: uint8 `(H, W, 3)` -> `(*size, 3)`."""
        covered = [int(side / self.crop_share) for side in self.size]
        height, width = _covering(image.shape[:2], covered)
        top, left = (round((n - side) / 2) for n, side in zip((height, width), self.size, strict=True))
        scaled = _scaled(image, height, width, self.interpolation)
        return scaled[top : top + self.size[0], left : left + self.size[1]]

    def encode(self, truth: Label, placement: Placement) -> dict[str, np.ndarray]:
        targets = np.full(self.classes, self.label_smoothing / self.classes, "float32")
        targets[truth.label] += 1 - self.label_smoothing
        return {"targets": targets}

    # --- from the network to the result -------------------------------------------------

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.classification_objective import ClassificationObjective

        return ClassificationObjective(network)

    def decode(self, outputs: dict[str, np.ndarray], placement: Placement) -> Classified:
        return Classified(activated(outputs["logits"]))

    def infer(
        self, forward: Callable, image: np.ndarray, *, tile: int | None = None, tta: bool = False
    ) -> Classified:
        if tile:
            raise UserError("classification knows no tiles", "leave --tile out")
        x, placement = self.prepare(image)
        views = [x, x[:, ::-1]] if tta else [x]
        logits = forward(np.stack(views))["logits"]
        return Classified(np.mean([self.decode({"logits": v}, placement).probabilities for v in logits], 0))

    def evaluate(self, pairs: Iterable[tuple[Label, Classified]]) -> dict[str, Any]:
        from kerazoo.tasks.accuracy import scores

        return scores(((truth.label, result.probabilities) for truth, result in pairs), self.class_names())

    def draw(self, image: np.ndarray, result: "Classified | Label") -> np.ndarray:
        from kerazoo.draw import captioned

        names = self.class_names()
        if isinstance(result, Label):
            return captioned(image, names[result.label])
        best = int(result.probabilities.argmax())
        return captioned(image, f"{names[best]} {result.probabilities[best]:.0%}")

    def describe(self, result: Classified) -> dict[str, Any]:
        """Return the most probable classes, the best first."""
        best = np.argsort(-result.probabilities, kind="stable")[:TOP]
        named = zip(np.array(self.class_names())[best], result.probabilities[best], strict=True)
        return {"top": [{"class": str(name), "probability": round(float(p), 6)} for name, p in named]}

    def save(self, result: Classified, stem: Path) -> list[Path]:
        """Write nothing: what there is to say is in the row of JSON."""
        return []

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.classification_objective import serving_model

        return serving_model(self, network)


def _covering(image: Sequence[int], least: Sequence[int]) -> tuple[int, int]:
    """Return the smallest height and width of the image's shape that hold `least`."""
    (height, width), (rows, columns) = image, least
    if rows * width >= columns * height:
        return rows, width * rows // height
    return height * columns // width, columns


def _scaled(image: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    from PIL import Image

    if image.shape[:2] == (height, width):
        return image
    method = Image.Resampling[interpolation.upper()]
    return np.asarray(Image.fromarray(image).resize((width, height), method))
