"""Optimizer and learning-rate schedule, from settings to Keras objects."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kerazoo import backend
from kerazoo.settings import settings

if TYPE_CHECKING:
    import keras
    from keras.optimizers import LossScaleOptimizer

Rate = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


@settings
class Schedule:
    """How the learning rate moves; warm-up is linear and comes first, whatever the kind.

    Attributes:
        kind: "cosine" to `final`, "poly" (1 - progress)^power, "linear" to `final` after `hold`, "step" times
            `factor` at each milestone, "plateau" times `factor` when the score has not risen for `patience`
            validations, or "constant".
        warmup: epochs.
        final: fraction of the rate that cosine and linear end at.
        hold: fraction of the training that linear begins after.
        power: of poly.
        milestones: of step, as fractions of the training.
        factor: of step and plateau.
        patience: of plateau, in validations.
    """

    kind: Literal["constant", "cosine", "linear", "step", "poly", "plateau"] = "cosine"
    warmup: Annotated[float, Field(ge=0)] = 0.0
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    hold: Fraction = 0.5
    power: Rate = 0.9
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.6, 0.85)
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=1)] = 5

    def rate_at(self, progress: float) -> float:
        """Return the factor on the rate after warm-up.

        Args:
            progress: 0..1, the part of the training after warm-up that is done.
        """
        if self.kind == "cosine":
            return self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * progress))
        if self.kind == "linear":
            return 1.0 - (1.0 - self.final) * max(progress - self.hold, 0.0) / (1.0 - self.hold)
        if self.kind == "poly":
            return (1.0 - progress) ** self.power
        if self.kind == "step":
            return self.factor ** sum(progress >= milestone for milestone in self.milestones)
        return 1.0


@settings
class Optimizer:
    """An optimizer and what is done to its gradients.

    Attributes:
        name: the algorithm.
        learning_rate: after warm-up.
        momentum: of SGD and RMSprop.
        beta_1: of Adam and AdamW.
        epsilon: of Adam and AdamW: much smaller gradients hardly move anything. Those of heat maps are
            small, as most cells are 0; their published trainings had PyTorch's 1e-8.
        weight_decay: decoupled from the gradient.
        clip_norm: largest norm of all gradients together, or None.
        accumulate: batches whose gradients are averaged into one update.
    """

    name: Literal["sgd", "adam", "adamw", "rmsprop"] = "adam"
    learning_rate: Rate = 1e-3
    momentum: Fraction = 0.9
    beta_1: Fraction = 0.9
    epsilon: Annotated[float, Field(gt=0)] = 1e-7
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip_norm: Rate | None = None
    accumulate: Annotated[int, Field(ge=1)] = 1

    def build(
        self,
        rates: "keras.optimizers.schedules.LearningRateSchedule",
        *,
        mixed: bool,
        factors: Mapping[str, float] | None = None,
    ) -> "LossScaleOptimizer":
        """Return the Keras optimizer, guarded against non-finite gradients.

        `LossScaleOptimizer` passes a step with non-finite gradients over on all backends;
        with a scale of one that is all it does in full precision.

        Args:
            rates: the learning rate, as `learning_rate_schedule` gives it.
            mixed: float16 gradients need a large, moving loss scale.
            factors: on the learning rate, by variable path; 1 for the others.
        """
        import keras

        common = {
            "learning_rate": rates,
            "weight_decay": self.weight_decay or None,
            "global_clipnorm": self.clip_norm,
            "gradient_accumulation_steps": self.accumulate if self.accumulate > 1 else None,
        }
        adaptive = {"beta_1": self.beta_1, "epsilon": self.epsilon}
        kind, special = {
            "sgd": (keras.optimizers.SGD, {"momentum": self.momentum, "nesterov": self.momentum > 0}),
            "rmsprop": (keras.optimizers.RMSprop, {"momentum": self.momentum}),
            "adam": (keras.optimizers.Adam, adaptive),
            "adamw": (keras.optimizers.AdamW, adaptive | {"weight_decay": self.weight_decay}),
        }[self.name]
        kind = _laid_out(kind)
        inner = (_with_factors(kind, factors) if factors else kind)(**common | special)
        scale, growth = (2.0**15, 2000) if mixed else (1.0, 2**30)

        class LossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
            def check_finite(self, grads):
                return backend.all_finite([gradient for gradient in grads if gradient is not None])

        return LossScaleOptimizer(inner, initial_scale=scale, dynamic_growth_steps=growth)


def _laid_out(kind: Any) -> Any:
    """Return the optimizer class with variables that lie in memory like those they belong to."""

    def add_variable_from_reference(
        self: Any, reference_variable: Any, *arguments: Any, **options: Any
    ) -> Any:
        variable = kind.add_variable_from_reference(self, reference_variable, *arguments, **options)
        backend.lay_out_like(variable, reference_variable)
        return variable

    own = {"add_variable_from_reference": add_variable_from_reference, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), own)


def _with_factors(kind: type, factors: Mapping[str, float]) -> type:
    """Return the optimizer class with a learning rate of its own for some variables.

    Scaling their gradients instead would do nothing under Adam.
    """

    class WithFactors(kind):
        def _backend_update_step(self, grads, trainable_variables, learning_rate):
            groups: dict[float, list] = {}
            for gradient, variable in zip(grads, trainable_variables, strict=True):
                groups.setdefault(factors.get(variable.path, 1.0), []).append((gradient, variable))
            for factor, members in groups.items():
                super()._backend_update_step(*map(list, zip(*members, strict=True)), learning_rate * factor)

    return WithFactors


def learning_rate_schedule(
    rate: float, schedule: Schedule, updates: int, warmup: int
) -> "keras.optimizers.schedules.LearningRateSchedule":
    """Return a Keras schedule: linear warm-up to `rate`, then as `schedule` says.

    The factors of all updates are tabulated once (at most 4096 of them, read by linear
    interpolation), so that one formula in plain Python serves the three backends.

    Args:
        rate: after warm-up.
        schedule: its kind and parameters.
        updates: steps of the whole training (Keras counts batches, also those it accumulates).
        warmup: steps of linear warm-up among them.
    """
    import keras
    import numpy as np
    from keras import ops

    rest = max(updates - warmup, 1)
    knots = np.linspace(0, rest, min(rest, 4095) + 1)
    table = np.array([rate * schedule.rate_at(k / rest) for k in knots], "float32")

    class Rates(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            step = ops.cast(step, "float32")
            place = ops.clip((step - warmup) / rest, 0.0, 1.0) * (len(table) - 1)
            low = ops.cast(ops.floor(place), "int32")
            high = ops.minimum(low + 1, len(table) - 1)
            part = place - ops.floor(place)
            values = ops.convert_to_tensor(table)
            after = ops.take(values, low) * (1.0 - part) + ops.take(values, high) * part
            return after * ops.minimum((step + 1.0) / max(warmup, 1), 1.0)

        def get_config(self):
            return {}

    return Rates()
