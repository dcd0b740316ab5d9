"""How long a training may take, and what that makes of its length."""

import math
import re
from typing import NamedTuple

from kerazoo import backend
from kerazoo.engine.training.dry_run import Estimate
from kerazoo.errors import UserError
from kerazoo.recipe import Recipe
from kerazoo.structures.fingerprint import Decision

MINUTES = {"CPU": 30.0, "GPU": 60.0}
"""The budget of a training where nobody gives another."""

MOST_PASSES = 500
"""More passes over the same windows of images teach little."""

LEAST_STEPS = 50
"""Of an epoch: each is logged and kept, which takes time."""

VALIDATIONS = 12
"""Times that a training is validated, at most."""

VALIDATED = 0.15
"""Share of the time that validations may take."""

WARMUP = 0.03
"""Share of the training in which the learning rate rises."""


class Budget(NamedTuple):
    """How long a training may take: so many seconds, or so many steps."""

    seconds: float | None = None
    steps: int | None = None


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
    return Budget(seconds=60 * MINUTES["GPU" if backend.has_gpu() else "CPU"])


def length(
    found: Estimate, budget: Budget, recipe: Recipe, windows: float = 1.0, *, passes: int | None = None
) -> list[Decision]:
    """Plan the longest training that fits a budget: epochs, and of how many passes each is.

    Args:
        found: what a step takes.
        budget: of the training.
        recipe: with the batch that was timed.
        windows: of the training that a sample holds beside each other.
        passes: that the user wants.
    """
    per_pass = found.images["train"] / recipe.batch_size
    if budget.seconds is None:
        steps, because = float(budget.steps or 0), f"{budget.steps} steps"
    else:
        once = found.validation_seconds
        validated = max(min(VALIDATED * budget.seconds, VALIDATIONS * once), once)
        steps = (budget.seconds - validated - found.first_step_seconds) / found.step_seconds
        because = f"a step takes {found.step_seconds:.2g} s"
    wanted = min(steps / per_pass, MOST_PASSES * max(windows, 1.0))  # passes in all
    each = passes or max(min(math.ceil(LEAST_STEPS / per_pass), int(wanted / VALIDATIONS)), 1)
    epochs = Decision("epochs", max(int(wanted / each), 1), f"{because}, an epoch has {each * per_pass:.0f}")
    few = f"one pass has {math.ceil(per_pass)} steps"
    return [epochs] if each == 1 else [Decision("passes", each, few), epochs]


def validations(found: Estimate, budget: Budget, epochs: int) -> list[Decision]:
    """Plan how often a training of so many epochs is validated, and how long its warm-up is."""
    often = VALIDATIONS
    if budget.seconds is not None:
        affordable = int(VALIDATED * budget.seconds / max(found.validation_seconds, 1e-3))
        often = min(max(affordable, 1), often)
    every = math.ceil(epochs / min(often, epochs))
    because = f"{found.validation_seconds:.2g} s each, {math.ceil(epochs / every)} of them"
    return [
        Decision("validate_every", every, because),
        Decision("schedule.warmup", round(WARMUP * epochs, 3), f"{WARMUP:.0%} of the training"),
    ]


def minutes(found: Estimate, recipe: Recipe) -> float:
    """Return what a training by a recipe takes."""
    steps = recipe.epochs * recipe.epoch_steps(found.images["train"])
    times = math.ceil(recipe.epochs / recipe.validate_every)
    seconds = steps * found.step_seconds + times * found.validation_seconds
    return (found.first_step_seconds + seconds) / 60
