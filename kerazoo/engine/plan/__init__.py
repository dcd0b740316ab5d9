"""The plan of a training: what the data and the time decide of a recipe, and why."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from kerazoo import backend
from kerazoo import settings as plain
from kerazoo.data.check import fingerprint
from kerazoo.data.dark import dark_images
from kerazoo.data.source import FileSource
from kerazoo.engine.plan.budget import Budget, default_budget, length, minutes, validations
from kerazoo.engine.training.dry_run import Estimate, estimate
from kerazoo.engine.training.memory import OutOfMemory
from kerazoo.recipe import Recipe, load_recipe, overridden, parsed
from kerazoo.run import Run
from kerazoo.structures.fingerprint import Decision, Fingerprint, Grounds
from kerazoo.task import Task
from kerazoo.tasks.planning import tones


class Asked(NamedTuple):
    """What a user asks of a training besides a recipe's name; a plan leaves it as it is.

    Attributes:
        assignments: `KEY=VALUE` texts.
        data: the user's file or folder; None takes the recipe's own.
        ways, shots: of few-shot and Siamese episodes.
        epochs, batch_size, seed, weights: settings of the recipe that have options of their own.
    """

    assignments: tuple[str, ...] = ()
    data: str | None = None
    ways: int | None = None
    shots: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    weights: str | None = None

    def recipe(self, name: str) -> Recipe:
        """Return the recipe with what is asked.

        Raises:
            UserError: as `kerazoo.recipe.overridden`.
        """
        recipe = overridden(load_recipe(name), self.assignments, self.data, self._chosen("ways", "shots"))
        return plain.replace(recipe, self._options())

    def values(self) -> dict[str, Any]:
        """Return `{setting: value}` of all that is asked, without the data."""
        episodes = {f"family.{name}": count for name, count in self._chosen("ways", "shots").items()}
        return parsed(self.assignments) | episodes | self._options()

    def settings(self) -> set[str]:
        """Return the names of the settings that stay."""
        training = {f"family.training_{name}" for name in self._chosen("ways", "shots")}
        return training.union(self.values())

    def _options(self) -> dict[str, Any]:
        return self._chosen("epochs", "batch_size", "seed", "weights")

    def _chosen(self, *names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Plan(NamedTuple):
    """A recipe for data, and how it came about.

    Attributes:
        recipe: with all that was decided.
        decisions: the settings that were planned.
        kept: those that the user had set, which the plan would have changed.
        minutes: that the training will take; None where it was not timed.
    """

    recipe: Recipe
    decisions: tuple[Decision, ...]
    kept: tuple[Decision, ...]
    minutes: float | None = None


@dataclass
class _Draft:
    """A plan that is being made: the recipe so far, the settings that stay, and what was decided."""

    recipe: Recipe
    given: Collection[str]
    decided: dict[str, Decision] = field(default_factory=dict)
    kept: list[Decision] = field(default_factory=list)

    def take(self, decisions: Iterable[Decision]) -> None:
        """Apply decisions, the later one where two are about one setting; leave what the user has set."""
        for decision in decisions:
            if is_given(decision.setting, self.given):
                self.kept.append(decision)
            else:
                self.decided[decision.setting] = decision
        if self.decided:
            changes = {name: decision.value for name, decision in self.decided.items()}
            self.recipe = plain.replace(self.recipe, changes)

    def plan(self, minutes: float | None = None) -> Plan:
        return Plan(self.recipe, tuple(self.decided.values()), tuple(self.kept), minutes)


def is_default(name: str, recipe: Recipe) -> bool:
    """Whether a training is planned where nobody says: on data of one's own, unless a file has one's plan."""
    return not recipe.data.generated and not name.endswith(".py")


def plan_for(
    name: str, asked: Asked, budget: Budget | None = None, *, init: Run | None = None
) -> tuple[Plan, Fingerprint]:
    """Return the plan for a recipe on the user's data, and what these are like.

    Args:
        name: of the recipe, or its file.
        asked: by the user, who names the data or whose recipe does.
        budget: of the training; by default `default_budget`, where no number of epochs is asked for.
        init: a run whose weights the training starts from.

    Raises:
        UserError: as `kerazoo.recipe.overridden`, or the data are broken.
    """
    given = asked.settings()
    draft = _Draft(asked.recipe(name).configured(), given)
    draft.take(_reading(draft.recipe))
    known = fingerprint(draft.recipe.data)
    budget = budget or (None if "epochs" in given else default_budget())
    made, first = planned(draft.recipe, known, given, budget, init=init), draft.plan()
    both = made._replace(decisions=first.decisions + made.decisions, kept=first.kept + made.kept)
    return both, known


def _reading(recipe: Recipe) -> list[Decision]:
    """Plan what is white, of 16-bit images that would be read as nearly black."""
    data = recipe.data
    dark = dark_images(data.image_files(), data) if isinstance(data, FileSource) else None
    if dark is None:
        return []
    because = f"images of 16 bits hold numbers up to {dark.largest} only"
    return [Decision("data.range", (0.0, float(dark.white())), because)]


def planned(
    recipe: Recipe,
    known: Fingerprint,
    given: Collection[str],
    budget: Budget | None = None,
    *,
    init: Run | None = None,
    gpu: bool | None = None,
) -> Plan:
    """Return a recipe with the settings that its data and a budget decide.

    Args:
        recipe: with the user's data.
        known: what these are like.
        given: the settings that the user has set, which stay.
        budget: of the training; None leaves epochs and validations as they are, and times nothing.
        init: a run whose weights the training starts from.
        gpu: plan for one; None asks the backend, which takes seconds to load.

    Raises:
        UserError: a network for these settings cannot be trained.
    """
    crop, is_theirs = recipe.augmentation.crop, is_given("augmentation.crop", given)
    grounds = Grounds(
        known,
        pretrained=init is not None or recipe.weights is not None,
        gpu=backend.has_gpu() if gpu is None else gpu,
        crop=crop if is_theirs else None,
        whole=is_theirs and crop is None,
        size=getattr(recipe.family, "size", None) if is_given("family.size", given) else None,
    )
    draft = _Draft(recipe, given)
    draft.take([*recipe.family.planned(grounds), *_as_trained(recipe.family, init)])
    draft.take(tones(draft.recipe.augmentation, known))
    draft.take(_learning_rate(draft.recipe, recipe.batch_size))
    if budget is None:
        return draft.plan()
    found = _estimated(draft)
    if not is_given("epochs", given):
        passes = draft.recipe.passes if is_given("passes", given) else None
        draft.take(length(found, budget, draft.recipe, _windows(draft.recipe, known), passes=passes))
    draft.take(validations(found, budget, draft.recipe.epochs))
    return draft.plan(minutes(found, draft.recipe))


def _as_trained(family: Task, init: Run | None) -> list[Decision]:
    """Plan what the weights of a run go with, so that they can be taken."""
    if init is None:
        return []
    trained, wanted = init.recipe.family.weight_settings(), family.weight_settings()
    because = f"the weights of {init.folder.name} were trained with it"
    return [
        Decision(f"family.{name}", trained[name], because)
        for name, value in wanted.items()
        if name in trained and trained[name] != value
    ]


def _windows(recipe: Recipe, known: Fingerprint) -> float:
    """Return how many training windows half of the images hold beside each other, or more."""
    crop = recipe.augmentation.crop
    if crop is None or recipe.augmentation.area or not len(known.heights):
        return 1.0
    middle = recipe.augmentation.scale[0] * recipe.augmentation.scale[1]
    return float(np.median(known.heights * known.widths)) * middle / math.prod(crop)


def is_given(setting: str, given: Iterable[str]) -> bool:
    """Whether a setting, a part of it or what it is a part of is among those that the user has set."""
    return any(f"{name}.".startswith(f"{setting}.") or f"{setting}.".startswith(f"{name}.") for name in given)


def _learning_rate(recipe: Recipe, before: int) -> list[Decision]:
    """Plan the rate for the batch: in proportion for SGD (Goyal et al. 2017), to its root for Adam."""
    if recipe.batch_size == before:
        return []
    ratio = recipe.batch_size / before
    root = recipe.optimizer.name != "sgd"
    rate = float(f"{recipe.optimizer.learning_rate * (math.sqrt(ratio) if root else ratio):.3g}")
    how = "the root of " if root else ""
    return [
        Decision(
            "optimizer.learning_rate", rate, f"goes with {how}the batch: {recipe.batch_size} for {before}"
        )
    ]


def _estimated(draft: _Draft) -> Estimate:
    """Return what a training takes; halve its batch where the whole one does not fit memory."""
    recipe = draft.recipe
    try:
        return estimate(recipe)
    except OutOfMemory:
        if recipe.batch_size == 1 or is_given("batch_size", draft.given):
            raise
    updates = 2 * recipe.optimizer.accumulate
    draft.take(
        [
            Decision("batch_size", recipe.batch_size // 2, f"{recipe.batch_size} do not fit memory"),
            Decision("optimizer.accumulate", updates, "steps together see as many"),
        ]
    )
    return estimate(draft.recipe)
