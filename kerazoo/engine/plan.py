"""The plan of a training: what the data and the time decide of a recipe, and why."""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from kerazoo import backend
from kerazoo import settings as plain
from kerazoo.data.check import fingerprint
from kerazoo.errors import UserError
from kerazoo.recipe import Recipe, load_recipe, overridden, parsed
from kerazoo.structures.fingerprint import Decision, Fingerprint, Grounds

MINUTES = {"CPU": 30.0, "GPU": 60.0}
"""The budget of a training where nobody gives another."""

MOST_EPOCHS = 500
"""More passes over the same images teach little."""

VALIDATIONS = 12
"""Times that a training is validated, at most."""

VALIDATED = 0.15
"""Share of the time that validations may take."""

WARMUP = 0.03
"""Share of the training in which the learning rate rises."""


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


class Budget(NamedTuple):
    """How long a training may take: so many seconds, or so many steps."""

    seconds: float | None = None
    steps: int | None = None


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


def is_default(name: str, recipe: Recipe) -> bool:
    """Whether a training is planned where nobody says: on data of one's own, unless a file has one's plan."""
    return not recipe.data.generated and not name.endswith(".py")


def read_budget(text: str) -> Budget:
    """Return the budget that a text says: "90s", "30m", "2h" or "steps:5000".

    Raises:
        UserError: it says none.
    """
    if found := re.fullmatch(r"steps:([1-9][0-9]{0,8})", text):
        return Budget(steps=int(found[1]))
    if (found := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])", text)) and float(found[1]) > 0:
        return Budget(seconds=float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]])
    raise UserError(f"--budget {text!r} is no time", "write 90s, 30m, 2h, or steps:5000")


def default_budget() -> Budget:
    """Return `MINUTES` for the device there is."""
    return Budget(seconds=60 * MINUTES["GPU" if has_gpu() else "CPU"])


def has_gpu() -> bool:
    """Whether the backend sees a GPU."""
    return backend.devices()[0].startswith("gpu")


def plan_for(
    name: str, asked: Asked, budget: Budget | None = None, *, pretrained: bool = False
) -> tuple[Plan, Fingerprint]:
    """Return the plan for a recipe on the user's data, and what these are like.

    Args:
        name: of the recipe, or its file.
        asked: by the user, who names the data or whose recipe does.
        budget: of the training; by default `default_budget`, where no number of epochs is asked for.
        pretrained: the training starts from the weights of a run.

    Raises:
        UserError: as `kerazoo.recipe.overridden`, or the data are broken.
    """
    recipe = asked.recipe(name).configured()
    known = fingerprint(recipe.data)
    given = asked.settings()
    budget = budget or (None if "epochs" in given else default_budget())
    return planned(recipe, known, given, budget, pretrained=pretrained), known


def planned(
    recipe: Recipe,
    known: Fingerprint,
    given: Collection[str],
    budget: Budget | None = None,
    *,
    pretrained: bool = False,
) -> Plan:
    """Return a recipe with the settings that its data and a budget decide.

    Args:
        recipe: with the user's data.
        known: what these are like.
        given: the settings that the user has set, which stay.
        budget: of the training; None leaves epochs and validations as they are, and times nothing.
        pretrained: the training starts from the weights of a run.

    Raises:
        UserError: a network for these settings cannot be trained.
    """
    crop, is_theirs = recipe.augmentation.crop, is_given("augmentation.crop", given)
    grounds = Grounds(
        known,
        pretrained=pretrained or recipe.weights is not None,
        gpu=has_gpu(),
        crop=crop if is_theirs else None,
        whole=is_theirs and crop is None,
    )
    before = recipe.batch_size
    decisions, kept = _sorted(recipe.family.planned(grounds), given)
    recipe = _applied(recipe, decisions)
    rate, kept_rate = _sorted(_learning_rate(recipe, before), given)
    recipe = _applied(recipe, rate)
    decisions, kept = [*decisions, *rate], [*kept, *kept_rate]
    if budget is None:
        return Plan(recipe, tuple(decisions), tuple(kept))
    timed, minutes = _timed(recipe, budget, given)
    length, kept_length = _sorted(timed, given)
    return Plan(_applied(recipe, length), (*decisions, *length), (*kept, *kept_length), minutes)


def is_given(setting: str, given: Iterable[str]) -> bool:
    """Whether a setting, a part of it or what it is a part of is among those that the user has set."""
    return any(f"{name}.".startswith(f"{setting}.") or f"{setting}.".startswith(f"{name}.") for name in given)


def _sorted(decisions: Iterable[Decision], given: Collection[str]) -> tuple[list[Decision], list[Decision]]:
    """Return the decisions that count, and those that the user took."""
    own: list[Decision] = []
    theirs: list[Decision] = []
    for decision in decisions:
        (theirs if is_given(decision.setting, given) else own).append(decision)
    return own, theirs


def _applied(recipe: Recipe, decisions: Iterable[Decision]) -> Recipe:
    changes = {decision.setting: decision.value for decision in decisions}
    return plain.replace(recipe, changes) if changes else recipe


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


def _timed(recipe: Recipe, budget: Budget, given: Collection[str]) -> tuple[list[Decision], float | None]:
    """Return epochs, validations and warm-up for a budget, and the minutes that the training will take."""
    from kerazoo.engine.training.dry_run import estimate

    found = estimate(recipe)
    per_epoch = found.steps // found.epochs
    if budget.steps is not None:
        fitting = budget.steps / per_epoch
        because = f"{budget.steps} steps, {per_epoch} in an epoch"
    else:
        seconds = (1 - VALIDATED) * (budget.seconds or 0) - found.first_step_seconds
        fitting = seconds / (per_epoch * found.step_seconds)
        because = f"{per_epoch} steps in an epoch, {found.step_seconds:.2g} s each"
    epochs = recipe.epochs if is_given("epochs", given) else min(max(int(fitting), 1), MOST_EPOCHS)
    often = VALIDATIONS
    if budget.seconds is not None:
        often = min(max(int(VALIDATED * budget.seconds / max(found.validation_seconds, 1e-3)), 1), often)
    every = math.ceil(epochs / min(often, epochs))
    validations = math.ceil(epochs / every)
    minutes = (
        found.first_step_seconds
        + epochs * per_epoch * found.step_seconds
        + validations * found.validation_seconds
    ) / 60
    return [
        Decision("epochs", epochs, because),
        Decision("validate_every", every, f"{found.validation_seconds:.2g} s each, {validations} of them"),
        Decision("schedule.warmup", round(WARMUP * epochs, 3), f"{WARMUP:.0%} of the training"),
    ], minutes


def rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return what people read: setting, value, because; the user's own settings last."""
    told = [(d.setting, _text(d.value), d.because) for d in plan.decisions]
    fields = plain.flatten(plain.to_plain(plan.recipe))
    return told + [(d.setting, _text(fields.get(d.setting, "")), "yours") for d in plan.kept]


def _text(value: Any) -> str:
    return (
        "[" + ",".join(_text(each) for each in value) + "]"
        if isinstance(value, (tuple, list))
        else str(value)
    )


def as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON-ready data."""
    return {
        "decisions": [decision._asdict() for decision in plan.decisions],
        "yours": [decision.setting for decision in plan.kept],
        "minutes": plan.minutes,
    }


def as_recipe(plan: Plan, name: str, given: Mapping[str, Any]) -> str:
    """Return the text of a recipe file: the recipe `name`, what the user gave, and the plan.

    Settings of the data are left out: they are of the user's own, which `--data` names (`data_settings`).
    """
    values = {**given, **{decision.setting: decision.value for decision in plan.decisions}}
    lines = "".join(
        f"        {setting!r}: {value!r},\n" for setting, value in values.items() if not is_of_data(setting)
    )
    return (
        f'"""{name}, as planned for data of its own."""\n\n'
        "import kerazoo\nfrom kerazoo.settings import replace\n\n"
        f"recipe = replace(\n    kerazoo.load_recipe({name!r}),\n    {{\n{lines}    }},\n)\n"
    )


def data_settings(plan: Plan, assignments: Iterable[str]) -> list[str]:
    """Return the `KEY=VALUE` texts that a training by the written recipe needs besides `--data`."""
    theirs = [text for text in assignments if is_of_data(text)]
    return theirs + [f"{d.setting}={_text(d.value)}" for d in plan.decisions if is_of_data(d.setting)]


def is_of_data(setting: str) -> bool:
    """Whether a setting is one of the data."""
    return setting.strip().startswith("data.")
