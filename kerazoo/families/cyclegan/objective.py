"""The game of CycleGAN: two translators against two judges, in one step for all backends."""

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerazoo.objective import SumOfTerms, Tensor, cross_entropy, past

if TYPE_CHECKING:
    from kerazoo.families.cyclegan import CycleGAN


class CycleGANObjective(SumOfTerms):
    """The losses of both generators and both discriminators (Zhu et al. 2017, sections 3 and 4).

    Published trainings let the generators move first and then the discriminators, on translations from
    before that; so both gradients are of the weights at the beginning of the step, and one step of all
    players is the same. No term moves a player it is not about: the generators' see the discriminators
    through `past`, and the discriminators' see translations without their gradient. Adam keeps its
    state per weight, hence per player. In float32 whatever the precision of the networks.

    `memory` holds a history of translations per domain (Shrivastava et al. 2017) and how many there
    are; which of them are shown again, `y["draws"]` says.

    Args:
        network: of `kerazoo.families.cyclegan.model.players`.
        settings: how much the terms weigh.
    """

    def __init__(self, network: keras.Model, settings: "CycleGAN"):
        super().__init__(network, list(settings.term_names()))
        self.settings = settings
        self.players = {layer.name: layer for layer in network.layers if isinstance(layer, keras.Model)}

    def build(self, shape: tuple[int, ...]) -> None:
        if self.settings.pool:
            sizes = {"seen": (), "pool_A": (self.settings.pool, *shape[1:])}
            sizes["pool_B"] = sizes["pool_A"]
            self.memory = [
                self.add_weight(shape=size, initializer="zeros", dtype="float32", trainable=False, name=name)
                for name, size in sizes.items()
            ]
        self.built = True

    def call(self, x: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        return {"AtoB": self._translated("AtoB", x)}

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        real = {"A": ops.cast(x, "float32"), "B": ops.cast(y["partner"], "float32")}
        made = {"B": outputs["AtoB"], "A": self._translated("BtoA", real["B"])}
        shown = self._remembered({domain: ops.stop_gradient(image) for domain, image in made.items()}, y)
        weights = self.settings.term_weights()

        def fooled(domain: str) -> Tensor:
            seen = self._judged(domain, made[domain])
            return self._misjudged(past(seen, self._judged(domain, ops.stop_gradient(made[domain]))), 1.0)

        def judged(domain: str) -> Tensor:
            right = self._misjudged(self._judged(domain, real[domain]), 1.0)
            return (right + self._misjudged(self._judged(domain, shown[domain]), 0.0)) / 2

        formulas = {
            "adversarial_AtoB": lambda: fooled("B"),
            "adversarial_BtoA": lambda: fooled("A"),
            "cycle_A": lambda: _distance(self._translated("BtoA", made["B"]), real["A"]),
            "cycle_B": lambda: _distance(self._translated("AtoB", made["A"]), real["B"]),
            "identity_A": lambda: _distance(self._translated("BtoA", real["A"]), real["A"]),
            "identity_B": lambda: _distance(self._translated("AtoB", real["B"]), real["B"]),
            "discriminator_A": lambda: judged("A"),
            "discriminator_B": lambda: judged("B"),
        }
        return {name: weight * formulas[name]() for name, weight in weights.items() if weight}

    def _translated(self, direction: str, image: Tensor) -> Tensor:
        logits = self.players[f"{direction}_generator"](image)["logits"]
        return ops.tanh(ops.cast(logits, "float32"))

    def _judged(self, domain: str, image: Tensor) -> Tensor:
        return ops.cast(self.players[f"{domain}_discriminator"](image)["logits"], "float32")

    def _misjudged(self, logits: Tensor, truth: float) -> Tensor:
        """Return the mean loss of judgements that should be `truth`, 1 for real."""
        if self.settings.adversarial == "lsgan":
            return ops.mean(ops.square(logits - truth))
        return ops.mean(cross_entropy(ops.full_like(logits, truth), logits))

    def _remembered(self, made: dict[str, Tensor], y: dict) -> dict[str, Tensor]:
        """Return what the discriminators are shown, and remember `made`."""
        if not self.memory:
            return made
        seen, *pools = self.memory
        shown = {}
        for index, (domain, pool) in enumerate(zip("AB", pools, strict=True)):
            shown[domain], kept = exchanged(made[domain], pool.value, seen.value, y["draws"][:, index])
            pool.assign(kept)
        seen.assign(ops.minimum(seen + ops.shape(made["A"])[0], self.settings.pool))
        return shown


def exchanged(images: Tensor, pool: Tensor, seen: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Return, for each image in turn, itself or one from the past, and the pool afterwards.

    While the pool is not full an image is stored and shown. Then, in half of the cases, an image of the
    pool is shown and the new one takes its place; otherwise the new one is shown and not stored.

    Shape: images `(N, H, W, C)`; pool `(P, H, W, C)`; seen a scalar; draws `(N, 2)`, 0..1 -> images and pool.

    Args:
        images: new ones.
        pool: those of the past.
        seen: how many places of the pool are filled; float.
        draws: for each image, whether one of the past is shown (above 0.5) and which.
    """
    size = pool.shape[0]

    def turn(index, state):
        pool, shown = state
        image, draw = images[index], draws[index]
        filling = seen + ops.cast(index, "float32") < size
        swapped = ops.logical_and(ops.logical_not(filling), draw[0] > 0.5)
        drawn = ops.minimum(ops.cast(draw[1] * size, "int32"), size - 1)
        place = ops.where(filling, ops.cast(seen, "int32") + index, drawn)
        old = ops.take(pool, place, axis=0)
        kept = ops.where(ops.logical_or(filling, swapped), image, old)
        pool = ops.slice_update(pool, (place, 0, 0, 0), kept[None])
        shown = ops.slice_update(shown, (index, 0, 0, 0), ops.where(swapped, old, image)[None])
        return pool, shown

    pool, shown = ops.fori_loop(0, ops.shape(images)[0], turn, (pool, images))
    return shown, pool


def _distance(made: Tensor, real: Tensor) -> Tensor:
    return ops.mean(ops.abs(made - real))
