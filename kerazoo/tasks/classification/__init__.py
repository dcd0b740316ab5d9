"""Classification: one class for an image."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.image import center_crop
from kerazoo.settings import fields, replace, settings
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.label import Classified, Label
from kerazoo.structures.placement import Placement
from kerazoo.structures.scores import Scores
from kerazoo.task import PLAIN, Forward, Options, batches
from kerazoo.tasks.images import Labelled, activated

if TYPE_CHECKING:
    import keras

    from kerazoo.data.source import Source

TOP = 5
"""How many classes a person is told of an image."""


@settings
class Classification(Labelled):
    """What every classification family shares; its network's one output is called "logits".

    An image is scaled until it just covers `size` divided by `crop_pct`, and its centre of
    `size` is what the network sees. Training windows are taken as they are.

    Attributes:
        classes: number of logits, of a softmax.
        size: height and width in pixels that the network is validated at.
        crop_pct: part of the scaled image's shorter side that is kept.
        interpolation: of the scaling; where it shrinks, it averages (as Pillow does it).
        label_smoothing: part of a truth's weight that is spread over all classes (Szegedy et al. 2016).
        mixup: alpha of mixup (Zhang et al. 2018), 0 for none: two images and their truths are
            mixed by a share drawn from Beta(alpha, alpha).
    """

    supports: ClassVar[frozenset[str]] = frozenset({"tta"})

    classes: Annotated[int, Field(ge=2)] = 2
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (224, 224)
    crop_pct: Annotated[float, Field(gt=0, le=1)] = 0.875
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: Annotated[float, Field(ge=0)] = 0.0

    def labels(self) -> int:
        return self.classes

    def with_classes(self, names: Sequence[str]) -> "Classification":
        return replace(self, {"classes": len(names), "names": tuple(names)}, "family")

    def adopting(self, published: dict[str, Any]) -> Self:
        """Return this family with a checkpoint's settings; names stay where they still fit."""
        names = self.names if len(self.names) == published["classes"] else ()
        return replace(self, {"names": names} | published, "family")

    def weight_settings(self) -> dict[str, Any]:
        free = {
            "classes",
            "names",
            "size",
            "crop_pct",
            "interpolation",
            "label_smoothing",
            "mixup",
            "dropout",
        }
        return {name: value for name, value in fields(self).items() if name not in free}

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Plan normalisation, the size that images are brought to, the batch, and augmentation."""
        from kerazoo.tasks import planning

        size, because = planning.window(grounds, lambda side: planning.multiple_below(side, 32))
        if grounds.pretrained:
            size, because = (224, 224), "published weights were trained at it"
        elif grounds.crop is not None:
            size, because = grounds.crop, "augmentation.crop"
        size = grounds.size or (min(size), min(size))
        decisions = [
            *planning.normalisation(grounds, self.channels),
            Decision("family.size", size, because),
            Decision("family.crop_pct", 1.0, "all of the image is looked at"),
        ]
        if not grounds.whole:
            decisions += [
                Decision("augmentation.crop", size, "as the network is validated at"),
                Decision("augmentation.area", (0.35, 1.0), "parts of images, since they differ in size"),
            ]
        decisions += [planning.batch(grounds, size), *planning.light(grounds)]
        return [*decisions, *planning.orientation(grounds)]

    # --- from the image to the network ---------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Placement]:
        window = self.centre(image) if whole else image
        return self.normalised(window), Placement(0, 0, *image.shape[:2])

    def centre(self, image: np.ndarray) -> np.ndarray:
        """Return what the network sees of an image: uint8 `(H, W, 3)` -> `(*size, 3)`."""
        return center_crop(image, self.size, self.crop_pct, self.interpolation)

    def encode(self, truth: Label, placement: Placement) -> dict[str, np.ndarray]:
        targets = np.full(self.classes, self.label_smoothing / self.classes, "float32")
        targets[truth.label] += 1 - self.label_smoothing
        return {"targets": targets}

    def mix_batch(self, x: np.ndarray, y: Any, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        """Mix every sample with another of the batch, all by one share (mixup, Zhang et al. 2018)."""
        if not self.mixup:
            return x, y
        share, partner = np.float32(rng.beta(self.mixup, self.mixup)), rng.permutation(len(x))
        targets = y["targets"]
        return _mixed(x, x[partner], share), {"targets": _mixed(targets, targets[partner], share)}

    # --- from the network to the result -------------------------------------------------

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.classification.objective import ClassificationObjective

        return ClassificationObjective(network)

    def decode(self, outputs: dict[str, np.ndarray], placement: Placement) -> Classified:
        return Classified(activated(outputs["logits"]))

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Classified]:
        """Yield the classes of images in turn; `tta` averages over the image and its mirror image."""
        inputs = (self.prepare(image)[0] for image in images)
        for x in batches(inputs, options.batch_size):
            views = [x, x[:, :, ::-1]] if options.tta else [x]
            seen = [activated(forward(view)["logits"]) for view in views]
            yield from map(Classified, np.mean(seen, axis=0))

    def evaluate(self, pairs: Iterable[tuple[Label, Classified]]) -> Scores:
        """Return the scores, and a drawing of the confusion matrix, where there is one."""
        from kerazoo.draw import confusion_matrix
        from kerazoo.tasks.classification.scores import scores

        names = self.class_names()
        numbers = scores(((truth.label, result.probabilities) for truth, result in pairs), names)
        counts = numbers["confusion"]
        drawings = {"confusion": lambda: confusion_matrix(np.array(counts), names)} if counts else {}
        return Scores(numbers, drawings=drawings)

    def draw(self, image: np.ndarray, result: "Classified | Label") -> np.ndarray:
        from kerazoo.draw import add_caption

        names = self.class_names()
        if isinstance(result, Label):
            return add_caption(image, names[result.label])
        best = int(result.probabilities.argmax())
        return add_caption(image, f"{result.probabilities[best]:.0%} {names[best]}")

    def source_for(self, path: str) -> "type[Source]":
        from kerazoo.data.classification.array_files import holds_arrays
        from kerazoo.data.classification.arrays import Arrays
        from kerazoo.data.classification.class_folders import ClassFolders

        return Arrays if holds_arrays(Path(path)) else ClassFolders

    def configure(self, data: "Source") -> "Source":
        """Return folders per class with the labels of this network's class names."""
        from kerazoo.data.classification.class_folders import ClassFolders

        known = self.names and isinstance(data, ClassFolders) and data.classes is None
        return replace(data, {"classes": self.names}) if known else data

    def describe(self, result: Classified) -> dict[str, Any]:
        """Return the most probable classes, the best first."""
        best = np.argsort(-result.probabilities, kind="stable")[:TOP]
        named = zip(np.array(self.class_names())[best], result.probabilities[best], strict=True)
        return {"top": [{"class": str(name), "probability": round(float(p), 6)} for name, p in named]}

    def summary(self, described: dict[str, Any]) -> str:
        return ", ".join(f"{answer['class']} {answer['probability']:.1%}" for answer in described["top"])

    def save(self, result: Classified, stem: Path) -> list[Path]:
        """Write nothing: what there is to say is in the row of JSON."""
        return []

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.classification.objective import serving_model

        return serving_model(self, network)


def _mixed(one: np.ndarray, other: np.ndarray, share: np.float32) -> np.ndarray:
    return share * one + (1 - share) * other
