"""What a task has to say of itself for the tests of the contract."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from kerazoo.data.source import Source
from kerazoo.structures.sample import Sample
from kerazoo.task import Task

Pairs = list[tuple[Any, Any]]
"""Truths and results, as `evaluate` takes them."""


def answers(task: Task, forward: Callable, images: Iterable[np.ndarray]) -> list:
    """Return the results for images, in turn."""
    return list(task.infer(forward, images))


def scores_of(task: Task, pairs: Pairs) -> dict[str, Any]:
    """Return the numbers that a task gives to (truth, result) pairs."""
    return task.evaluate(pairs).numbers


class TaskCase(ABC):
    """A family in the tests of the contract.

    Attributes:
        task: the class of `kerazoo.tasks` that the case is of.
        monitors: the scores that recipes of this task watch ("-" before one that shall fall), each with
            the best value that wrong results may have.
    """

    task: ClassVar[type[Task]]
    monitors: ClassVar[dict[str, float]]

    def __init__(self, family: Any):
        self.family = family

    # --- data ---------------------------------------------------------------------------

    @abstractmethod
    def source(self, size: tuple[int, int] = (64, 64)) -> Source:
        """Return a small data set of the task's kind; it may have more classes than the family."""

    @abstractmethod
    def samples(self, count: int = 8, size: tuple[int, int] = (64, 64)) -> Sequence[Sample]:
        """Return images whose truths are of the family's classes; neighbours have different truths."""

    def training_samples(self) -> Sequence[Sample]:
        """Return samples to train on."""
        return self.samples()

    def window(self) -> tuple[int, int]:
        """Return the size of training windows that suits the network."""
        return (52, 52)  # the valid U-Net labels 4 k, with context 18

    # --- the network --------------------------------------------------------------------

    def network_input(self, x: np.ndarray) -> Any:
        """Return what the network itself is given of a batch."""
        return x

    @abstractmethod
    def output_shape(self, y: dict[str, np.ndarray], name: str) -> tuple[int, ...]:
        """Return what shape the output `name` for a batch of targets must have."""

    @abstractmethod
    def sure_outputs(self, y: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what a network that is sure of the targets of one sample would answer."""

    # --- results ------------------------------------------------------------------------

    @abstractmethod
    def answer(self, said: Any) -> np.ndarray:
        """Return what a truth or a result says, to be compared."""

    def agree(self, result: Any, truth: Any) -> bool:
        """Whether a result says what a truth or another result does."""
        return np.array_equal(self.answer(result), self.answer(truth))

    def decoded(self, image: np.ndarray, truth: Any) -> Any:
        """Return the result that `decode` makes of what `encode` makes of a truth."""
        _, placement = self.family.prepare(image)
        targets = self.family.encode(truth, placement)
        return self.family.decode(self.sure_outputs(targets), placement)

    def pairs(self, count: int = 4, size: tuple[int, int] = (61, 47)) -> Pairs:
        """Return truths of several samples, each with its `decoded` result."""
        return [(s.truth, self.decoded(s.image, s.truth)) for s in self.samples(count, size)]

    @abstractmethod
    def wrong(self, pairs: Pairs) -> dict[str, list]:
        """Return results that are wrong for the truths of `pairs`, by what is wrong with them."""


def check_scores(
    case: TaskCase,
    pairs: Pairs,
    evaluate: Callable[[Task, Pairs], dict[str, Any]] = scores_of,
) -> None:
    """Assert that the watched scores are perfect for these pairs and bad for wrong results.

    Args:
        case: of the family that scores.
        pairs: truths with results that say the same.
        evaluate: gives the scores of pairs.
    """
    scores = evaluate(case.family, pairs)
    for monitor in case.monitors:
        name, best = (monitor[1:], 0.0) if monitor.startswith("-") else (monitor, 1.0)
        assert scores[name] is not None, f"no {name} of the truth"
        assert abs(scores[name] - best) < 1e-4, f"{name} of the truth is {scores[name]}"
    for fault, results in case.wrong(pairs).items():
        wrong = [(truth, result) for (truth, _), result in zip(pairs, results, strict=True)]
        scores = evaluate(case.family, wrong)
        for monitor, bound in case.monitors.items():
            assert _is_bad(scores, monitor, bound), f"{monitor} of results that are {fault}: {scores}"


def _is_bad(scores: dict[str, Any], monitor: str, bound: float) -> bool:
    """Whether a score is on the bad side of its bound; None, of nothing to score, is never kept."""
    if monitor.startswith("-"):
        score = scores[monitor[1:]]
        return score is None or score >= bound
    return scores[monitor] is None or scores[monitor] <= bound


def of_the_next(results: Sequence[Any]) -> list:
    """Return the results in turn, each at its neighbour's place."""
    return [*results[1:], results[0]]
