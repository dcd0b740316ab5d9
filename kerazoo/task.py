"""The contract between a problem, its networks and the verbs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from kerazoo.errors import UserError
from kerazoo.settings import fields, settings
from kerazoo.structures.sample import Sample

if TYPE_CHECKING:
    import keras


@settings
class Task(ABC):
    """A problem together with a network that solves it.

    A family is a frozen dataclass below a task. Its fields are the settings; graph,
    targets, objective and decoding read the same fields, so they cannot disagree.
    Up to `encode` and from `decode` on everything is NumPy; between, `keras.ops`.
    """

    @abstractmethod
    def build(self) -> "keras.Model":
        """Return the functional network: float32 `(N, H, W, C)` in, a dict of named logits out."""

    def context(self) -> int:
        """Return how many pixels a training window needs on every side beyond what is labelled."""
        return 0

    @abstractmethod
    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Any]:
        """Return the network's input for one image, and where it was put (`structures.placement`).

        Args:
            image: uint8 `(H, W, 3)`.
            whole: the image is a whole image, so what the network sees beyond its
                border is mirrored. False for a training window, which brings its own context.
        """

    @abstractmethod
    def encode(self, truth: Any, placement: Any) -> dict[str, np.ndarray]:
        """Return the targets of one sample."""

    def mix_batch(self, x: np.ndarray, y: Any, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        """Return a training batch after what mixes its samples with one another; by default as it is.

        Args:
            x: float32 `(N, H, W, C)`, of `prepare`.
            y: of `encode`, each array with a batch axis.
            rng: decides how; its state depends on the step alone.
        """
        return x, y

    @abstractmethod
    def objective(self, network: "keras.Model") -> "keras.Model":
        """Return the trainable model: `network` with its loss terms (`kerazoo.objective.SumOfTerms`)."""

    def rate_factors(self, network: "keras.Model") -> dict[str, float]:
        """Return factors on the learning rate by variable path, for those that learn at another one."""
        return {}

    def weight_settings(self) -> dict[str, Any]:
        """Return the settings that trained weights go with; what a new head may change is left out."""
        return fields(self)

    def deploy(self, network: "keras.Model") -> "keras.Model":
        """Return the part of the trained network that prediction and export run."""
        return network

    @abstractmethod
    def decode(self, outputs: dict[str, np.ndarray], placement: Any) -> Any:
        """Return the result for one image, in its own pixels.

        Args:
            outputs: the network's outputs for that image, without the batch axis.
        """

    def infer(
        self,
        forward: Callable[[np.ndarray], dict[str, np.ndarray]],
        image: np.ndarray,
        *,
        tile: int | None = None,
        tta: bool = False,
    ) -> Any:
        """Return the result for one image: `prepare`, the network, `decode`.

        Args:
            forward: the network on a batch, NumPy in and out.
            image: uint8 `(H, W, 3)`.
            tile: predict in windows of this side, with bounded memory.
            tta: average over flips and turns.
        """
        if tile or tta:
            raise UserError(
                f"{type(self).__name__} has no tiles and no test-time averaging", "leave them out"
            )
        x, placement = self.prepare(image)
        outputs = forward(x[None])
        return self.decode({name: value[0] for name, value in outputs.items()}, placement)

    def unready(self) -> UserError | None:
        """Return why the network says nothing of single images, or None where it does."""
        return None

    def infer_boxes(
        self,
        forward: Callable[[np.ndarray], dict[str, np.ndarray]],
        image: np.ndarray,
        boxes: np.ndarray,
        scores: np.ndarray,
        *,
        tta: bool = False,
    ) -> Any:
        """Return the result for one image in which something else has found where to look.

        Args:
            forward: the network on a batch, NumPy in and out.
            image: uint8 `(H, W, 3)`.
            boxes: float32 `(B, 4)`, left, top, width and height in pixels; there may be none.
            scores: float32 `(B,)`, 0..1.
            tta: average over flips.
        """
        raise UserError(f"{type(self).__name__} takes no boxes", "leave them out")

    def infer_all(
        self,
        forward: Callable[[np.ndarray], dict[str, np.ndarray]],
        images: Iterable[np.ndarray],
        *,
        tile: int | None = None,
        tta: bool = False,
    ) -> Iterator[Any]:
        """Return the results of images in turn; a task may give the network several at once."""
        return (self.infer(forward, image, tile=tile, tta=tta) for image in images)

    def together(self) -> int:
        """Return how many images one prediction is about."""
        return 1

    def stacked(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return the images of one prediction, uint8 `(H, W, 3)` each, as what `infer` takes."""
        (image,) = images
        return image

    def draw_together(self, images: Sequence[np.ndarray], names: Sequence[str], result: Any) -> np.ndarray:
        """Return the images of one prediction with its result drawn on them, uint8 `(H, W, 3)`."""
        return self.draw(self.stacked(images), result)

    def calibrated(self, scores: dict[str, Any]) -> Self:
        """Return this family with what was decided on the validation data, such as a threshold.

        Args:
            scores: of `evaluate`, for the weights that were kept.
        """
        return self

    @abstractmethod
    def evaluate(self, pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        """Return the scores of (truth, result) pairs."""

    def report(self, pairs: Iterable[tuple[Any, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the scores of (truth, result) pairs and, JSON-ready by name, what others' tools read."""
        return self.evaluate(pairs), {}

    @abstractmethod
    def draw(self, image: np.ndarray, result: Any) -> np.ndarray:
        """Return the image with a result (or a truth) drawn on it, uint8 `(H, W, 3)`."""

    def legend(self) -> Sequence[str]:
        """Return the names of the colours that `draw` gives to labels, in label order, where it does."""
        return ()

    def row(self, sample: Sample, result: Any) -> dict[str, np.ndarray]:
        """Return what a sheet shows of a sample and its result, side by side, by title."""
        truth, found = (self.draw(sample.image, told) for told in (sample.truth, result))
        return {"image": sample.image, "truth": truth, "prediction": found}

    def images(self, scores: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return images of scores by name, uint8 `(H, W, 3)`."""
        return {}

    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Return a name for every class, in label order."""

    @abstractmethod
    def with_classes(self, names: Sequence[str]) -> "Task":
        """Return this family for data with these classes."""

    def accepts(self, names: Sequence[str]) -> bool:
        """Return whether data of these classes can be learned and be scored on."""
        return len(names) == len(self.class_names())

    @abstractmethod
    def source_for(self, path: str) -> type[Any]:
        """Return the kind of `kerazoo.data.source.Source` that reads the user's file or folder `path`."""

    def asked_for(self, counts: dict[str, int]) -> dict[str, int]:
        """Return the settings that a training with `--ways` and `--shots` has.

        Args:
            counts: what was given, by name.
        """
        return counts

    def configure(self, data: Any) -> Any:
        """Return a source with its classes numbered like this network's, where their names tell how."""
        return data

    @abstractmethod
    def describe(self, result: Any) -> dict[str, Any]:
        """Return what a program wants to know of a result, JSON-ready."""

    def summary(self, described: dict[str, Any]) -> str:
        """Return what `describe` said in a line for a person, or nothing where images say it better."""
        return ""

    @abstractmethod
    def save(self, result: Any, stem: Path) -> list[Path]:
        """Write a result's own files, named from `stem` (no suffix), and return their paths."""

    @abstractmethod
    def serving(self, network: "keras.Model") -> "keras.Model":
        """Return the model that is exported.

        Its input is the dict `{"image": float32 (N, H, W, C), 0..255, RGB}` with unknown N, H
        and W, its output a dict of named probabilities in the image's own pixels.
        """

    def rounding(self) -> float:
        """Return by how much rounding may change an artefact's outputs, where no logit is beyond +-5.

        Sums in another order differ by about 1e-6 there.
        """
        return 1e-5

    def output_difference(self, expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> float:
        """Return by how much an exported artefact's outputs differ from those of the `serving` model.

        The largest difference of any output. A task whose graph decides something, such as which cell is
        the highest, says itself what rounding may change.

        Args:
            expected, found: outputs for the same images, of the same names and shapes.
        """
        return float(np.max([np.abs(found[name] - value).max() for name, value in expected.items()]))

    def for_checkpoint(self, arrays: dict[str, np.ndarray], layout: str | None = None) -> Self:
        """Return this family with the settings that a published checkpoint was made with.

        Args:
            arrays: `{checkpoint key: array}`.
            layout: what the keys are; None recognises it (`kerazoo.checkpoints.mapping.recognise`).
        """
        return self

    def start(self, arrays: dict[str, np.ndarray]) -> tuple[Self, dict[str, np.ndarray]]:
        """Return what a training starts from for a published checkpoint's `{key: array}`.

        Returns:
            The family that the checkpoint was made with, and `{variable path: array}` of the
            whole network or, such as for an encoder, of a part of it.
        """
        found = self.for_checkpoint(arrays)
        return found, found.convert(arrays)

    def convert(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return `{variable path: array}` for a published checkpoint's `{key: array}`."""
        raise UserError(f"{type(self).__name__} has no importer", "see docs/checkpoints.md for what has one")
