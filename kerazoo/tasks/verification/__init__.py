"""Verification: whether two images show the same, and which of many is nearest to one."""

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.image import center_crop
from kerazoo.settings import fields, replace, settings
from kerazoo.structures.episodes import Episode
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.pairs import Couples, Distances, Nearest
from kerazoo.structures.placement import Placement
from kerazoo.structures.sample import Sample
from kerazoo.structures.scores import Scores
from kerazoo.task import PLAIN, Forward, Options
from kerazoo.tasks.images import ImageTask
from kerazoo.tasks.verification.distances import EmbeddingDistance

if TYPE_CHECKING:
    import keras

    from kerazoo.data.source import Source

Count = Annotated[int, Field(ge=1)]
Several = Annotated[int, Field(ge=2)]
Even = Annotated[int, Field(ge=2, multiple_of=2)]
Side = Annotated[int, Field(ge=8)]

AT_ONCE = 64
"""Images that are embedded together."""

PHOTOGRAPH = 64
"""Pixels of the side of a photograph that an embedding is planned to look at."""

SHOWN = 20
"""Of what is found in an index, so many are drawn and told on the terminal; the row has them all."""


@settings
class Verification(ImageTask):
    """What every Siamese family shares.

    Attributes:
        size: height and width that images are brought to.
        loss: "contrastive" of pairs (Hadsell et al. 2006) or "triplet" with the hardest partners of a batch
            (Hermans et al. 2017), both of Euclidean distances; or "cross_entropy" of a learned weight of each
            absolute difference (Koch et al. 2015).
        margin: of contrastive and triplet: how far apart images of other classes have to be.
        pairs: of a sample, half of them alike; to train on with all losses but triplet, and to validate on.
        mined_classes, mined_images: of a sample to train on with triplet: so many classes, and images of
            each.
        rotations: while training, images turned by quarters are other classes.
        ways, shots, queries: of the episodes that validation, test and `evaluate` ask besides pairs.
        threshold: distance up to which two images are alike. None takes the one that was best on the
            validation pairs when the weights were kept; in a run without such, half of the margin (an
            even chance with "cross_entropy").
    """

    channels: Literal[1, 3] = 1
    mean: tuple[float, ...] = (255.0,)  # paper is 0, as the border that convolutions see
    std: tuple[float, ...] = (255.0,)
    size: tuple[Side, Side] = (28, 28)
    loss: Literal["contrastive", "triplet", "cross_entropy"] = "contrastive"
    margin: Annotated[float, Field(gt=0)] = 1.0
    pairs: Even = 32
    mined_classes: Several = 20
    mined_images: Several = 4
    rotations: bool = False
    ways: Several = 20
    shots: Count = 1
    queries: Count = 1
    threshold: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rotations and self.size[0] != self.size[1]:
            raise ValueError("rotations need a square size")

    def class_names(self) -> tuple[str, ...]:
        return "different", "alike"

    def with_classes(self, names: Sequence[str]) -> "Verification":
        return self

    def accepts(self, names: Sequence[str]) -> bool:
        return True

    def weight_settings(self) -> dict[str, Any]:
        drawn = ("pairs", "mined_classes", "mined_images", "rotations", "ways", "shots", "queries")
        free = {*drawn, "loss", "margin", "threshold", "size"}
        return {name: value for name, value in fields(self).items() if name not in free}

    def source_for(self, path: str) -> "type[Source]":
        from kerazoo.data.episodes.by_class import ImageClasses
        from kerazoo.data.episodes.one_shot_runs import OneShotRuns, holds_runs
        from kerazoo.data.episodes.pair_list import PairList, is_list

        if is_list(Path(path)):
            return PairList
        return OneShotRuns if holds_runs(Path(path)) else ImageClasses

    def configure(self, data: "Source") -> "Source":
        """Return the data with pairs, classes and episodes as this family wants them."""
        from kerazoo.data.episodes.by_class import ByClass
        from kerazoo.data.episodes.pair_list import PairList
        from kerazoo.data.episodes.sampling import Episodes, Pairs, Sampler

        if isinstance(data, PairList):
            return replace(data, {"size": self.size}, "data")
        if not isinstance(data, ByClass):
            return data
        training: Sampler = Pairs(pairs=self.pairs, rotations=self.rotations)
        if self.loss == "triplet":
            training = Episodes(
                ways=self.mined_classes,
                shots=self.mined_images,
                queries=0,
                rotations=self.rotations,
                setting_names=("family.mined_classes", "family.mined_images"),
            )
        evaluation = Pairs(pairs=self.pairs), Episodes(ways=self.ways, shots=self.shots, queries=self.queries)
        return replace(data, {"size": self.size, "training": training, "evaluation": evaluation}, "data")

    def calibrated(self, scores: dict[str, Any]) -> "Verification":
        chosen = scores.get("threshold")
        if self.threshold is not None or chosen is None:
            return self
        return replace(self, {"threshold": chosen}, "family")

    def cut(self) -> float:
        """Return the distance up to which two images are alike."""
        if self.threshold is not None:
            return self.threshold
        return 0.0 if self.loss == "cross_entropy" else self.margin / 2

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Plan what photographs need that drawings do not, the size, and episodes that the classes allow."""
        from kerazoo.tasks import planning

        decisions = planning.drawings(grounds, quarters=self.rotations)
        if grounds.fingerprint.paper is None:
            size, because = planning.window(grounds, lambda side: planning.multiple_below(side, 8))
            side = min(*size, PHOTOGRAPH)
            decisions += planning.normalisation(grounds, self.channels)
            decisions.append(
                Decision("family.size", (side, side), f"{because}; {PHOTOGRAPH} tell them apart")
            )
        ways, _ = planning.classes_of(grounds, ("val", "test"))
        if 2 <= ways < self.ways:
            decisions.append(Decision("family.ways", ways, f"a split has {ways} classes"))
        classes, images = planning.classes_of(grounds, ("train",))
        if self.loss == "triplet" and 2 <= classes < self.mined_classes:
            decisions.append(
                Decision("family.mined_classes", classes, f"there are {classes} classes to train on")
            )
        if self.loss == "triplet" and 2 <= images < self.mined_images:
            decisions.append(Decision("family.mined_images", images, f"a class has {images} images"))
        return decisions

    # --- from the images to the network -------------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Placement]:
        """Return the network's input for an image, or for a stack of them."""
        return self.normalised(self._fitted(image)), Placement(0, 0, *self.size)

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        if image.shape[-3:-1] == self.size:
            return image
        fitted = [center_crop(one, self.size) for one in image.reshape(-1, *image.shape[-3:])]
        return np.stack(fitted).reshape(*image.shape[:-3], *self.size, 3)

    def encode(self, truth: Couples | Episode, placement: Placement) -> dict[str, np.ndarray]:
        if isinstance(truth, Couples):
            return {"alike": truth.alike.astype("float32")}
        return {"labels": np.arange(len(truth.names), dtype="int32")}

    @abstractmethod
    def embedding_distance(self, network: "keras.Model") -> EmbeddingDistance:
        """Return how far apart the embeddings of a trained network of this family are."""

    # --- from the network to the result ---------------------------------------------------

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.verification.objective import PairObjective, TripletObjective

        return (TripletObjective if self.loss == "triplet" else PairObjective)(self, network)

    def deploy(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.verification.objective import PairDistances

        return PairDistances(network)

    def decode(self, outputs: dict[str, np.ndarray], placement: Placement) -> Distances:
        return Distances(outputs["distance"])

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Distances]:
        """Yield how far apart each two images of a stack are; each passes the tower once.

        Args:
            images: stacks, uint8 `(R, M, H, W, 3)` each: R pairs, or an episode of R classes.

        Raises:
            UserError: a single image instead of a stack.
        """
        for stack in images:
            if stack.ndim != 5:
                raise UserError(
                    "this network compares images and cannot say what one shows",
                    "give two, stacked by `pair`, or search an index (made by: kerazoo index RUN FOLDER)",
                )
            x, placement = self.prepare(stack)
            between = forward(x.reshape(1, -1, *x.shape[2:]))["distance"][0]
            yield self.decode({"distance": between.reshape(stack.shape[:2] * 2)}, placement)

    def pair(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return two images of any size as a stack of one pair: uint8 `(1, 2, *size, 3)`."""
        return np.stack([self._fitted(image) for image in images])[None]

    def embed(self, forward: Callable, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Return the embeddings of images of any size in turn: float32 `(D,)` each."""
        inputs = (self.prepare(image)[0] for image in images)
        while batch := list(itertools.islice(inputs, AT_ONCE)):
            # As stacks of one: TensorFlow's graph wants to know the rank.
            yield from forward(np.stack(batch)[:, None])["embedding"][:, 0]

    def evaluate(self, pairs: Iterable[tuple[Couples | Episode, Distances]]) -> Scores:
        from kerazoo.tasks.verification.scores import episode_scores, pair_scores

        distances, alike, right = [np.zeros(0, "float32")], [np.zeros(0, bool)], []
        for truth, result in pairs:
            if isinstance(truth, Episode):
                right.append(result.right(truth.shots))
            else:
                distances.append(result.of_pairs())
                alike.append(truth.alike)
        scores = pair_scores(np.concatenate(distances), np.concatenate(alike), self.threshold)
        return Scores(scores | episode_scores(right))

    # --- for people -------------------------------------------------------------------------

    def row(self, sample: Sample, result: Distances) -> dict[str, np.ndarray]:
        """Return pairs with their distances, or queries each beside the image it is nearest to."""
        from kerazoo.tasks.verification.drawing import draw_pairs, draw_queries

        if isinstance(sample.truth, Couples):
            return draw_pairs(sample.image, result, sample.truth.alike, self.cut())
        return draw_queries(sample.image, result, sample.truth.shots)

    def draw(self, image: np.ndarray, result: Any) -> np.ndarray:
        from kerazoo.tasks.verification.drawing import draw_nearest, draw_stack

        return draw_nearest(image, result) if isinstance(result, Nearest) else draw_stack(image)

    def draw_pair(self, images: Sequence[np.ndarray], names: Sequence[str], result: Distances) -> np.ndarray:
        """Return two images side by side, with their names and what they are to each other."""
        from kerazoo.tasks.verification.drawing import draw_couple

        description = self.describe(result)
        return draw_couple(images, names, self.summary(description), description["alike"])

    def describe(self, result: Distances | Nearest) -> dict[str, Any]:
        """Return what two images are to each other, or the nearest of an index."""
        if isinstance(result, Nearest):
            neighbours = zip(result.files, result.distances, strict=True)
            return {"nearest": [{"file": file, "distance": _rounded(apart)} for file, apart in neighbours]}
        apart = float(result.of_pairs()[0])
        description = {
            "alike": apart <= self.cut(),
            "distance": _rounded(apart),
            "threshold": _rounded(self.cut()),
        }
        if self.loss == "cross_entropy":
            description["probability"] = _rounded(1 / (1 + np.exp(np.clip(apart, -80, 80))))
        return description

    def summary(self, described: dict[str, Any]) -> str:
        if "nearest" in described:
            neighbours = described["nearest"]
            line = ", ".join(
                f"{neighbour['file']} {neighbour['distance']:.3f}" for neighbour in neighbours[:SHOWN]
            )
            return line + (f", and {len(neighbours) - SHOWN} more" if len(neighbours) > SHOWN else "")
        word = "alike" if described["alike"] else "different"
        return f"{word}: distance {described['distance']:.3f}, threshold {described['threshold']:.3f}"

    def save(self, result: Any, stem: Path) -> list[Path]:
        """Write nothing: what there is to say is in the row of JSON."""
        return []

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.verification.objective import serving_model

        return serving_model(self, network)


def _rounded(value: float) -> float:
    return round(float(value), 6)
