"""What the tests of the contract need of each task: small samples, targets as outputs, answers to compare."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerazoo.data.generated import Cells, Shapes
from kerazoo.data.source import Source
from kerazoo.task import Sample, Task
from kerazoo.tasks.classification import Classification, Label
from kerazoo.tasks.segmentation import Mask


def source(task: Task, size: tuple[int, int] = (64, 64)) -> Source:
    """Return a small data set of the task's kind; it may have more classes than the task."""
    if isinstance(task, Classification):
        return Shapes(train=10, validation=2, test=1, size=max(size))
    return Cells(train=10, validation=2, test=1, size=size)


def samples(task: Task, count: int = 8, size: tuple[int, int] = (64, 64)) -> Sequence[Sample]:
    """Return photographs whose truths are of the task's classes."""
    last, (height, width) = len(task.class_names()) - 1, size
    drawn = source(task, size).samples("train")[:count]
    return [Sample(s.image[:height, :width], _limited(s.truth, last), s.name) for s in drawn]


def _limited(truth: Any, last: int) -> Any:
    if isinstance(truth, Label):
        return Label(truth.label % (last + 1))
    return Mask(np.minimum(truth.labels, last))


def shape(task: Task, y: dict[str, np.ndarray]) -> tuple[int, ...]:
    """Return what shape the logits for a batch of targets must have."""
    return y["targets"].shape if "targets" in y else (*y["labels"].shape, task.classes)


def outputs(task: Task, y: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what a network that is sure of the targets of one sample would answer."""
    if "targets" in y:
        return {"logits": np.log(y["targets"] + 1e-6)}
    names = len(task.class_names())
    hot = np.eye(names, dtype="float32")[y["labels"]] if task.classes > 1 else y["labels"][..., None]
    return {"logits": 20.0 * hot - 10.0}


def answer(told: Any) -> np.ndarray:
    """Return what a truth or a result says, to be compared."""
    if hasattr(told, "probabilities"):
        return told.probabilities.argmax()
    return np.asarray(told.label if isinstance(told, Label) else told.labels)
