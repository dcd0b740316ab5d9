"""How long a training may take, and what that makes of its length."""

import math
import re
from typing import NamedTuple

from kerazoo import backend
from kerazoo.engine.training.dry_run import Estimate
from kerazoo.errors import UserError
from kerazoo.structures.fingerprint import Decision

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


def length(found: Estimate, budget: Budget, epochs: int | None = None) -> tuple[list[Decision], float]:
    """Return epochs, validations and warm-up that fit a budget, and the minutes that the training will take.

    Args:
        found: what steps and validations take.
        budget: of the training.
        epochs: that the user wants; None as many as fit.
    """
    per_epoch = found.steps // found.epochs
    if budget.seconds is None:
        fitting = (budget.steps or 0) / per_epoch
        because = f"{budget.steps} steps, {per_epoch} in an epoch"
        often = VALIDATIONS
    else:
        seconds = (1 - VALIDATED) * budget.seconds - found.first_step_seconds
        fitting = seconds / (per_epoch * found.step_seconds)
        because = f"{per_epoch} steps in an epoch, {found.step_seconds:.2g} s each"
        affordable = int(VALIDATED * budget.seconds / max(found.validation_seconds, 1e-3))
        often = min(max(affordable, 1), VALIDATIONS)
    epochs = epochs or min(max(int(fitting), 1), MOST_EPOCHS)
    every = math.ceil(epochs / min(often, epochs))
    validations = math.ceil(epochs / every)
    seconds = epochs * per_epoch * found.step_seconds + validations * found.validation_seconds
    return [
        Decision("epochs", epochs, because),
        Decision("validate_every", every, f"{found.validation_seconds:.2g} s each, {validations} of them"),
        Decision("schedule.warmup", round(WARMUP * epochs, 3), f"{WARMUP:.0%} of the training"),
    ], (found.first_step_seconds + seconds) / 60
