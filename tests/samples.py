"""What the tests of the contract need of each task: small samples, targets as outputs, answers to compare."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from kerazoo.data.generated.sources import Cells, Glyphs, Landscapes, Shapes
from kerazoo.data.source import Source
from kerazoo.structures.episodes import Episode
from kerazoo.structures.images import Real
from kerazoo.structures.keypoints import People
from kerazoo.structures.label import Label
from kerazoo.structures.mask import Mask
from kerazoo.structures.pairs import Couples, Distances
from kerazoo.structures.sample import Sample
from kerazoo.structures.skeleton import Skeleton
from kerazoo.task import Task
from kerazoo.tasks.classification import Classification
from kerazoo.tasks.fewshot import FewShot
from kerazoo.tasks.pose import Pose
from kerazoo.tasks.translation import Translation
from kerazoo.tasks.verification import Verification

QUERIES = 2
"""Of the few-shot families in tests/tiny.py."""


def source(task: Task, size: tuple[int, int] = (64, 64)) -> Source:
    """Return a small data set of the task's kind; it may have more classes than the task."""
    if isinstance(task, Classification):
        return Shapes(train=10, validation=2, test=1, size=max(size))
    if isinstance(task, Translation):
        return Landscapes(train=10, validation=2, test=1, size=max(size))
    if isinstance(task, FewShot | Verification):
        return task.configure(Glyphs(characters=(6, 4, 4), drawings=6, episodes_per_epoch=(10, 8, 1)))
    return Cells(train=10, validation=2, test=1, size=size)


def samples(task: Task, count: int = 8, size: tuple[int, int] = (64, 64)) -> Sequence[Sample]:
    """Return images whose truths are of the task's classes."""
    if isinstance(task, Pose):
        return [_person(task.skeleton, np.random.default_rng(n), size, f"{n}.png") for n in range(count)]
    if isinstance(task, Translation):
        drawn = Landscapes(validation=count).samples("val")  # in turns of summer and winter
        return [_translated(drawn[2 * n], drawn[2 * n + 1], size) for n in range(count)]
    if isinstance(task, FewShot):
        return source(task).samples("val")[:count]
    if isinstance(task, Verification):
        return source(task).samples("val")[: 2 * count : 2]  # pairs and episodes take turns
    last, (height, width) = len(task.class_names()) - 1, size
    drawn = source(task, size).samples("train")[:count]
    return [Sample(s.image[:height, :width], _limited(s.truth, last), s.name) for s in drawn]


def learned_from(task: Task) -> Sequence[Sample]:
    """Return samples to train on: `samples`, but where they are drawn anew whenever they are seen."""
    return source(task).samples("train") if isinstance(task, FewShot | Verification) else samples(task)


def _translated(summer: Sample, winter: Sample, size: tuple[int, int]) -> Sample:
    """Return an image with one of the other domain as its truth, as in training."""
    one, other = (cv2.resize(sample.image, size[::-1]) for sample in (summer, winter))
    return Sample(one, Real(1, other), summer.name)


def _person(skeleton: Skeleton, rng: np.random.Generator, size: tuple[int, int], name: str) -> Sample:
    """Return an image of one person: a dot of its own colour for every point, away from the border."""
    height, width = size
    image = rng.integers(100, 120, (height, width, 3)).astype("uint8")
    points = rng.uniform(0.2, 0.8, (1, len(skeleton.points), 2)) * (width, height)
    for point, colour in enumerate(rng.integers(0, 256, (len(skeleton.points), 3)).tolist()):
        cv2.circle(image, points[0, point].round().astype(int).tolist(), 3, colour, -1)
    low, high = points[0].min(axis=0), points[0].max(axis=0)
    boxes = np.array([[*low, *(high - low)]], "float32")
    visible = np.full(points.shape[:2], 2, "uint8")
    return Sample(
        image, People(points.astype("float32"), visible, boxes, boxes[:, 2] * boxes[:, 3], skeleton), name
    )


def _limited(truth: Any, last: int) -> Any:
    if isinstance(truth, Label):
        return Label(truth.label % (last + 1))
    return Mask(np.minimum(truth.labels, last))


def window(task: Task) -> tuple[int, int]:
    """Return the size of training windows that suits the network."""
    if isinstance(task, FewShot | Verification):
        return task.size
    return (64, 64) if isinstance(task, Pose) else (52, 52)  # the valid U-Net labels 4 k, with context 18


def seen(task: Task, x: np.ndarray) -> Any:
    """Return what the network itself is shown of a batch: of episodes their images, of pairs the two."""
    if isinstance(task, Verification):
        return {name: x[:, :, place].reshape(-1, *x.shape[-3:]) for place, name in enumerate("ab")}
    return x.reshape(-1, *x.shape[-3:]) if isinstance(task, FewShot) else x


def shape(task: Task, y: dict[str, np.ndarray], name: str) -> tuple[int, ...]:
    """Return what shape the output `name` for a batch of targets must have."""
    if isinstance(task, Pose):
        return y[name.rpartition("_")[2]].shape
    if isinstance(task, Translation):
        batch, height, width, channels = y["partner"].shape
        patches = (batch, height // 2 - 2, width // 2 - 2, 1)  # after strides of 2 and 1, and the logits
        return patches if name.startswith("real") else (batch, height, width, channels)
    if isinstance(task, FewShot):
        images = y["labels"].size * (task.training_shots + task.training_queries)
        return images, task.filters if name == "embedding" else task.training_ways
    if isinstance(task, Verification):
        return (y["alike" if "alike" in y else "labels"].size,)
    return y["targets"].shape if "targets" in y else (*y["labels"].shape, task.classes)


def outputs(task: Task, y: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what a network that is sure of the targets of one sample would answer."""
    if isinstance(task, Pose):
        last = f"stage{task.stages}_" if hasattr(task, "stages") else ""
        return {f"{last}{name}": maps for name, maps in y.items() if name != "weights"}
    if isinstance(task, Translation):
        return {"AtoB": y["partner"], "BtoA": y["partner"]}
    if isinstance(task, FewShot):
        return {"logits": 20.0 * np.eye(task.ways, dtype="float32")[:, None].repeat(task.queries, axis=1)}
    if isinstance(task, Verification):
        rows = np.arange(len(y["alike"]))
        between = np.full((len(rows), 2, len(rows), 2), 2 * task.margin, "float32")
        between[rows, 0, rows, 1] -= 4 * task.margin * y["alike"]
        return {"distance": between}
    if "targets" in y:
        return {"logits": np.log(y["targets"] + 1e-6)}
    names = len(task.class_names())
    hot = np.eye(names, dtype="float32")[y["labels"]] if task.classes > 1 else y["labels"][..., None]
    return {"logits": 20.0 * hot - 10.0}


def agree(result: Any, truth: Any) -> bool:
    """Whether a result says what a truth or another result does: key points to a pixel, all else exactly."""
    if not hasattr(truth, "points"):
        return np.array_equal(answer(result), answer(truth))
    counted = truth.visible > 0 if isinstance(truth, People) else truth.points[..., 2] > 0
    apart = np.linalg.norm(answer(result)[:, None] - answer(truth), axis=-1)
    worst = np.where(counted, apart, 0).max(axis=-1)
    return len(result.points) == len(truth.points) and bool((worst.min(axis=0, initial=np.inf) < 1).all())


def answer(told: Any) -> np.ndarray:
    """Return what a truth or a result says, to be compared."""
    if hasattr(told, "points"):
        return told.points[..., :2]
    if isinstance(told, Real):
        return told.image
    if hasattr(told, "images"):
        return told.images["AtoB"]
    if isinstance(told, Couples | Distances):
        return told.alike if isinstance(told, Couples) else told.of_pairs() <= 0
    if isinstance(told, Episode):
        return np.arange(len(told.names))[:, None].repeat(QUERIES, axis=1)
    if hasattr(told, "probabilities"):
        return told.probabilities.argmax(axis=-1)
    return np.asarray(told.label if isinstance(told, Label) else told.labels)
