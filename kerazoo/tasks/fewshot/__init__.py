"""Few-shot learning: classes that were never seen before, from a few images of each."""

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.image import center_crop
from kerazoo.settings import replace, settings
from kerazoo.structures.episodes import Answers, Episode
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.placement import Placement
from kerazoo.structures.sample import Sample
from kerazoo.structures.scores import Scores
from kerazoo.task import PLAIN, Forward, Options
from kerazoo.tasks.images import ImageTask, activated

if TYPE_CHECKING:
    import keras

    from kerazoo.data.source import Source

Count = Annotated[int, Field(ge=1)]
Ways = Annotated[int, Field(ge=2)]
Side = Annotated[int, Field(ge=8)]

AT_ONCE = 5
"""Episodes that the network is given together."""

PHOTOGRAPH = 40
"""Pixels of the side of a photograph that a Conv-4 is planned to look at."""

SHOWN = 8, 8
"""Classes, and queries of each, that an image of an episode has room for."""


@settings
class FewShot(ImageTask):
    """What every few-shot family shares: a Conv-4 (Vinyals et al. 2016) that is asked in episodes.

    Attributes:
        size: height and width that images are brought to.
        ways, shots, queries: of the episodes of validation, test and `evaluate`: classes, and of each the
            images to learn from and those to be asked about.
        training_ways, training_shots, training_queries: the same while training.
        rotations: images turned by quarters are other classes, in training and after.
        filters: channels of the network's four blocks.
        pool: blocks halve the size by pooling ("max") or by a "stride" of their convolution.
        features: what an image becomes: all cells of the last block ("flatten") or their "mean".
    """

    channels: Literal[1, 3] = 1
    mean: tuple[float, ...] = (255.0,)  # paper is 0, as the border that convolutions see
    std: tuple[float, ...] = (255.0,)
    size: tuple[Side, Side] = (28, 28)
    ways: Ways = 5
    shots: Count = 1
    queries: Count = 15
    training_ways: Ways = 5
    training_shots: Count = 1
    training_queries: Annotated[int, Field(ge=0)] = 15
    rotations: bool = True
    epsilon: ClassVar[float] = 1e-3
    filters: Count = 64
    pool: Literal["max", "stride"] = "max"
    features: Literal["flatten", "mean"] = "flatten"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rotations and self.size[0] != self.size[1]:
            raise ValueError("rotations need a square size")

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"class {way}" for way in range(1, self.ways + 1))

    def with_classes(self, names: Sequence[str]) -> "FewShot":
        return self

    def accepts(self, names: Sequence[str]) -> bool:
        return True

    def episode_settings(self, counts: dict[str, int]) -> dict[str, int]:
        """Return numbers of "ways" and "shots", and the same for training where it had as many as testing."""
        same = [name for name in counts if getattr(self, name) == getattr(self, f"training_{name}")]
        return counts | {f"training_{name}": counts[name] for name in same}

    def body(self) -> dict[str, Any]:
        """Return the settings that trained weights go with and a classifier adapted from it shares."""
        names = ("channels", "mean", "std", "order", "size", "filters", "pool", "features")
        return {name: getattr(self, name) for name in names} | {"epsilon": self.epsilon}

    def layout(self) -> dict[str, Any]:
        """Return the arguments of `conv4` that settings decide; flattened cells have one size."""
        names = ("channels", "filters", "pool", "features")
        size = self.size if self.features == "flatten" else None
        return {name: getattr(self, name) for name in names} | {"size": size, "epsilon": self.epsilon}

    def weight_settings(self) -> dict[str, Any]:
        return self.body()

    def source_for(self, path: str) -> "type[Source]":
        from kerazoo.data.episodes.by_class import ImageClasses
        from kerazoo.data.episodes.one_shot_runs import OneShotRuns, holds_runs

        return OneShotRuns if holds_runs(Path(path)) else ImageClasses

    def configure(self, data: "Source") -> "Source":
        """Return the data with episodes as this family wants them."""
        from kerazoo.data.episodes.by_class import ByClass
        from kerazoo.data.episodes.sampling import Episodes

        if not isinstance(data, ByClass):
            return data
        evaluation = Episodes(
            ways=self.ways, shots=self.shots, queries=self.queries, rotations=self.rotations
        )
        training: dict[str, Any] = {
            name: getattr(self, f"training_{name}") for name in ("ways", "shots", "queries")
        }
        training |= {"setting_names": ("family.training_ways", "family.training_queries")}
        changes = {"size": self.size, "training": replace(evaluation, training), "evaluation": (evaluation,)}
        return replace(data, changes, "data")

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Plan what photographs need that drawings do not, and episodes that the classes allow."""
        from kerazoo.tasks import planning

        decisions = planning.drawings(grounds, quarters=self.rotations)
        if grounds.fingerprint.paper is None:
            side = min(planning.window(grounds, lambda side: planning.multiple_below(side, 4))[0])
            side = min(side, PHOTOGRAPH)
            decisions += planning.normalisation(grounds, self.channels)
            decisions.append(Decision("family.size", (side, side), f"photographs, at {PHOTOGRAPH} at most"))
        for splits, prefix in ((("train",), "training_"), (("val", "test"), "")):
            classes, images = planning.classes_of(grounds, splits)
            ways, queries = getattr(self, f"{prefix}ways"), getattr(self, f"{prefix}queries")
            left = images - getattr(self, f"{prefix}shots")
            if 2 <= classes < ways:
                decisions.append(Decision(f"family.{prefix}ways", classes, f"a split has {classes} classes"))
            if 1 <= left < queries:
                decisions.append(Decision(f"family.{prefix}queries", left, f"a class has {images} images"))
        return decisions

    # --- from the images to the network -------------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Placement]:
        """Return the network's input for an image, or for a stack of images of the right size."""
        fitting = image.shape[-3:-1] == self.size
        return self.normalised(image if fitting else center_crop(image, self.size)), Placement(
            0, 0, *self.size
        )

    def encode(self, truth: Episode, placement: Placement) -> dict[str, np.ndarray]:
        return {"labels": np.arange(len(truth.names), dtype="int32")}

    @abstractmethod
    def answers(self, network: "keras.Model", x: Any, training: bool) -> Any:
        """Return the logits of the queries of episodes; called inside Keras.

        Shape: float32 `(N, ways, shots + queries, H, W, C)` -> `(N, ways, queries, ways)`.
        """

    @abstractmethod
    def classifier_weights(
        self, network: "keras.Model", x: np.ndarray, labels: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Return the weights of a classifier of new classes, `{variable path: array}`.

        Args:
            network: of this family, trained.
            x: the support, of `prepare`, `(N, H, W, C)`.
            labels: its classes, int `(N,)`, all from 0 to the highest.
        """

    # --- from the network to the result ---------------------------------------------------

    def deploy(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.fewshot.objective import EpisodeNetwork

        return EpisodeNetwork(self, network)

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.fewshot.objective import EpisodeObjective

        return EpisodeObjective(self, network)

    def decode(self, outputs: dict[str, np.ndarray], placement: Placement) -> Answers:
        return Answers(activated(outputs["logits"]))

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Answers]:
        """Yield the answers of episodes in turn, uint8 `(ways, shots + queries, H, W, 3)` each."""
        inputs = (self.prepare(self.episode(image))[0] for image in images)
        while batch := list(itertools.islice(inputs, AT_ONCE)):
            for logits in forward(np.stack(batch))["logits"]:
                yield Answers(activated(logits))

    def no_classes(self) -> UserError:
        """Return why single images cannot be answered."""
        return UserError(f"{type(self).__name__} knows no classes by itself", _ADAPT)

    def episode(self, image: np.ndarray) -> np.ndarray:
        """Return the images of an episode, if it has as many classes as are asked about."""
        if len(image) != self.ways:
            raise UserError(f"an episode of {len(image)} classes, not {self.ways}", f"--ways {len(image)}")
        return image

    def evaluate(self, pairs: Iterable[tuple[Episode, Answers]]) -> Scores:
        """Return the mean accuracy of episodes with its 95 % interval, over episodes and not over queries."""
        accuracies = np.array([result.right().mean() for _, result in pairs])
        if not len(accuracies):
            return Scores({"episodes": 0, "accuracy": None, "interval": None})
        mean, spread = float(accuracies.mean()), interval(accuracies)
        return Scores({"episodes": len(accuracies), "accuracy": mean, "interval": spread})

    # --- for people -------------------------------------------------------------------------

    def row(self, sample: Sample, result: Answers) -> dict[str, np.ndarray]:
        """Return the support, and the queries framed by whether they were told right."""
        ways, queries = SHOWN
        shots, shown = sample.truth.shots, sample.image[:ways]
        right = result.right()[:ways, :queries]
        queried = shown[:, shots : shots + queries]
        frames = np.where(right[..., None], _RIGHT, _WRONG)
        support = np.broadcast_to(_NEUTRAL, (*shown.shape[:1], shots, 3))
        return {
            "support": _grid(shown[:, :shots], support),
            _QUERIES: _grid(queried, frames),
        }

    def draw(self, image: np.ndarray, result: Episode | Answers) -> np.ndarray:
        """Return an episode's images; with a result the queries, framed by whether they were told right."""
        if isinstance(result, Answers):
            shots = image.shape[1] - result.probabilities.shape[1]
            return self.row(Sample(image, Episode((), shots), ""), result)[_QUERIES]
        return _grid(image, np.broadcast_to(_NEUTRAL, (*image.shape[:2], 3)))

    def describe(self, result: Answers) -> dict[str, Any]:
        return {"accuracy": round(float(result.right().mean()), 6)}

    def save(self, result: Answers, stem: Path) -> list[Path]:
        """Write nothing: an episode is no file of the user's."""
        return []

    def serving(self, network: "keras.Model") -> "keras.Model":
        raise self.no_classes()


def interval(accuracies: np.ndarray) -> float:
    """Return half of the 95 % interval of a mean over episodes: 1.96 standard errors.

    Args:
        accuracies: of every episode, float `(N,)`, one or more.
    """
    std = accuracies.std(ddof=1) if len(accuracies) > 1 else 0.0
    return float(1.96 * std / np.sqrt(len(accuracies)))


_ADAPT = "show it some: kerazoo adapt RUN --support FOLDER --output RUN2, then use RUN2"
_QUERIES = "queries (red: wrong)"
_RIGHT, _WRONG, _NEUTRAL = np.array([(0, 158, 115), (213, 60, 40), (200, 200, 200)], "uint8")


def _grid(images: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return images side by side, each in a frame: `(R, C, H, W, 3)`, `(R, C, 3)` -> `(H', W', 3)`."""
    rows, columns, height, width, _ = images.shape
    cells = np.empty((rows, columns, height + 4, width + 4, 3), "uint8")
    cells[:] = frames[:, :, None, None]
    cells[:, :, 2:-2, 2:-2] = images
    return cells.swapaxes(1, 2).reshape(rows * (height + 4), columns * (width + 4), 3)
