"""The contract between a problem, its networks and the verbs."""

import importlib
import itertools
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from kerazoo.checkpoints.mapping import recognise
from kerazoo.errors import UserError
from kerazoo.settings import fields, replace, settings
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.sample import Sample
from kerazoo.structures.scores import Scores

if TYPE_CHECKING:
    import keras

Forward = Callable[[np.ndarray], dict[str, np.ndarray]]
"""A network on a batch, NumPy in and out."""


class Options(NamedTuple):
    """How images are predicted.

    Attributes:
        tile: predict in windows of this side, with bounded memory; None as the task decides.
        tta: average over flips, and turns where the task has them.
        batch_size: images that the network gets together, at most (see `batches`).
    """

    tile: int | None = None
    tta: bool = False
    batch_size: int = 32


PLAIN = Options()

AT_ONCE = 2**20
"""Pixels that the network gets together: more take memory and gain nothing on a CPU."""


def batches(arrays: Iterable[np.ndarray], most: int) -> Iterator[np.ndarray]:
    """Yield arrays that follow each other and have one shape, stacked: `(H, W, C)` -> `(N, H, W, C)`.

    Args:
        arrays: read once, and no more than a batch of them ahead.
        most: of a batch; large arrays are fewer, together about `AT_ONCE` pixels.
    """
    for shape, alike in itertools.groupby(arrays, key=np.shape):
        count = min(max(AT_ONCE // math.prod(shape[:-1]), 1), most)
        while batch := list(itertools.islice(alike, count)):
            yield np.stack(batch)


@settings
class Task(ABC):
    """A problem together with a network that solves it.

    A family is a frozen dataclass below a task. Its fields are the settings; graph,
    targets, objective and decoding read the same fields, so they cannot disagree.
    Up to `encode` and from `decode` on everything is NumPy; between, `keras.ops`.
    """

    supports: ClassVar[frozenset[str]] = frozenset()
    """Of "tile", "tta" and "boxes"; the engine refuses the others (`kerazoo.engine.options`)."""

    has_class_colours: ClassVar[bool] = False
    """Whether `draw` gives every class a colour of its own, which a sheet then explains."""

    importer: ClassVar[str | None] = None
    """The module that knows the published layouts: its `LAYOUTS`, and `convert(arrays)`."""

    layouts: ClassVar[tuple[str, ...]] = ()
    """The layouts of the importer that are of this family; by default all."""

    # --- network --------------------------------------------------------------------------

    @abstractmethod
    def build(self) -> "keras.Model":
        """Return the functional network: float32 `(N, H, W, C)` in, a dict of named logits out."""

    @abstractmethod
    def objective(self, network: "keras.Model") -> "keras.Model":
        """Return the trainable model: `network` with its loss terms (`kerazoo.objective.SumOfTerms`)."""

    def deploy(self, network: "keras.Model") -> "keras.Model":
        """Return the part of the trained network that prediction and export run."""
        return network

    def weight_settings(self) -> dict[str, Any]:
        """Return the settings that trained weights go with; what a new head may change is left out."""
        return fields(self)

    # --- codec: images and truths to the network, and back ----------------------------------

    def context(self) -> int:
        """Return how many pixels a training window needs on every side beyond what is labelled."""
        return 0

    @abstractmethod
    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Any]:
        """Return the network's input for one image, and where it was put (`structures.placement`).

        Args:
            image: uint8 `(H, W, 3)`.
            whole: it is a whole image, so what the network sees beyond its border is mirrored.
                False for a training window, which brings its own context.
        """

    @abstractmethod
    def encode(self, truth: Any, placement: Any) -> dict[str, np.ndarray]:
        """Return the targets of one sample."""

    @abstractmethod
    def decode(self, outputs: dict[str, np.ndarray], placement: Any) -> Any:
        """Return the result for one image, in its own pixels.

        Args:
            outputs: the network's outputs for that image, without the batch axis.
            placement: of `prepare`.
        """

    def mix_batch(self, x: np.ndarray, y: Any, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        """Return a training batch after what mixes its samples with one another; by default as it is.

        Args:
            x: float32 `(N, H, W, C)`, of `prepare`.
            y: of `encode`, each array with a batch axis.
            rng: decides how; its state depends on the step alone.
        """
        return x, y

    # --- inference --------------------------------------------------------------------------

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Any]:
        """Yield the result of every image in turn; a task may give the network several at once.

        Args:
            forward: the network on a batch.
            images: uint8 `(H, W, 3)` each, read once.
            options: of those that the task `supports`.
        """
        placements: deque[Any] = deque()

        def inputs() -> Iterator[np.ndarray]:
            for image in images:
                x, placement = self.prepare(image)  # (H, W, 3) -> (h, w, C)
                placements.append(placement)
                yield x

        for x in batches(inputs(), options.batch_size):
            outputs = forward(x)  # (N, h, w, C) -> {name: (N, ...)}
            for index in range(len(x)):
                each = {name: value[index] for name, value in outputs.items()}
                yield self.decode(each, placements.popleft())

    # --- scores and drawings ------------------------------------------------------------------

    @abstractmethod
    def evaluate(self, pairs: Iterable[tuple[Any, Any]]) -> Scores:
        """Return the scores of (truth, result) pairs, which are read once."""

    def calibrated(self, scores: dict[str, Any]) -> Self:
        """Return this family with what was decided on the validation data, such as a threshold.

        Args:
            scores: the numbers of `evaluate`, for the weights that were kept.
        """
        return self

    @abstractmethod
    def draw(self, image: np.ndarray, result: Any) -> np.ndarray:
        """Return the image with a result (or a truth) drawn on it, uint8 `(H, W, 3)`."""

    def row(self, sample: Sample, result: Any) -> dict[str, np.ndarray]:
        """Return what a sheet shows of a sample and its result, side by side, by title."""
        truth, prediction = (self.draw(sample.image, answer) for answer in (sample.truth, result))
        return {"image": sample.image, "truth": truth, "prediction": prediction}

    @abstractmethod
    def describe(self, result: Any) -> dict[str, Any]:
        """Return what a program wants to know of a result, JSON-ready."""

    def summary(self, described: dict[str, Any]) -> str:
        """Return what `describe` said in a line for a person, or nothing where drawings say it better."""
        return ""

    @abstractmethod
    def save(self, result: Any, stem: Path) -> list[Path]:
        """Write a result's own files, named from `stem` (no suffix), and return their paths."""

    # --- data ---------------------------------------------------------------------------------

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

    def configure(self, data: Any) -> Any:
        """Return a source set up for this family: its classes numbered like the network's, its episodes."""
        return data

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Return the settings of a recipe that the data decide, in the order in which people read them.

        Args:
            grounds: the data and the circumstances of the training.
        """
        return []

    # --- published weights ----------------------------------------------------------------------

    def for_checkpoint(self, arrays: dict[str, np.ndarray], layout: str | None = None) -> Self:
        """Return this family with the settings that a published checkpoint was made with.

        Args:
            arrays: `{checkpoint key: array}`.
            layout: what the keys are; None recognises it.

        Raises:
            UserError: as `kerazoo.checkpoints.mapping.recognise`.
        """
        known = self._importer().LAYOUTS
        _, found = recognise({name: known[name] for name in self.layouts or known}, arrays, layout)
        return self.adopting(found)

    def adopting(self, published: dict[str, Any]) -> Self:
        """Return this family with the settings that `for_checkpoint` recognised."""
        return replace(self, published, "family")

    def start(self, arrays: dict[str, np.ndarray]) -> tuple[Self, dict[str, np.ndarray]]:
        """Return what a training starts from for a published checkpoint's `{key: array}`.

        Returns:
            The family that the checkpoint was made with, and `{variable path: array}` of the
            whole network or, such as for an encoder, of a part of it.
        """
        family = self.for_checkpoint(arrays)
        return family, family.convert(arrays)

    def convert(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return `{variable path: array}` for a published checkpoint's `{key: array}`."""
        return self._importer().convert(arrays)

    def _importer(self) -> Any:
        if self.importer is None:
            raise UserError(
                f"{type(self).__name__} has no importer", "see docs/checkpoints.md for what has one"
            )
        return importlib.import_module(self.importer)

    # --- export -----------------------------------------------------------------------------------

    @abstractmethod
    def serving(self, network: "keras.Model") -> "keras.Model":
        """Return the model that is exported.

        Its input is the dict `{"image": float32 (N, H, W, C), 0..255, RGB}` with unknown N, H
        and W, its output a dict of named probabilities in the image's own pixels.
        """

    @property
    def tolerance(self) -> float:
        """By how much rounding may change an artefact's outputs, where no logit is beyond +-5.

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
