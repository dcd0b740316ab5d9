"""CycleGAN's objective: the losses of two generators and two discriminators, in one step for all backends."""

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerazoo.objective import SumOfTerms, Tensor, cancel_gradient, cross_entropy

if TYPE_CHECKING:
    from kerazoo.families.cyclegan import CycleGAN


class CycleGANObjective(SumOfTerms):
    """The losses of both generators and both discriminators (Zhu et al. 2017, sections 3 and 4).

    With the paper's G: A -> B, F: B -> A, and D_A, D_B:

        generators      L_GAN(G, D_B) + L_GAN(F, D_A) + lambda (L_cyc(G, F) + identity L_identity(G, F))
        discriminators  half the loss of telling real images from fakes, for each of D_A and D_B

    Published trainings update the generators first and then the discriminators, on fakes from
    before that; so both gradients are of the weights at the beginning of the step, and one step of all
    networks is the same. No term reaches the weights of a network it is not about: the generators' see the
    discriminators through `cancel_gradient`, and the discriminators' see fakes without their gradient.
    Adam keeps its state per weight, hence per network. In float32 whatever the precision of the networks.

    `memory` holds an image pool per domain (Shrivastava et al. 2017, section 2.3) and how many images are
    in it; which of them are shown again, `y["pool_draws"]` says.

    Args:
        network: of `kerazoo.families.cyclegan.model.cyclegan_networks`.
        settings: how much the terms weigh.
    """

    def __init__(self, network: keras.Model, settings: "CycleGAN"):
        super().__init__(network, list(settings.term_names()))
        self.settings = settings
        self.networks = {layer.name: layer for layer in network.layers if isinstance(layer, keras.Model)}

    def build(self, shape: tuple[int, ...]) -> None:
        if self.settings.pool:
            sizes = {"filled": (), "pool_A": (self.settings.pool, *shape[1:])}  # (P, H, W, C)
            sizes["pool_B"] = sizes["pool_A"]
            self.memory = [
                self.add_weight(shape=size, initializer="zeros", dtype="float32", trainable=False, name=name)
                for name, size in sizes.items()
            ]
        self.built = True

    def call(self, x: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        return {"AtoB": self.a_to_b(x)}

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        weights = self.settings.term_weights()  # lambda of eq. 3; what weighs 0 is not computed
        real_a = ops.cast(x, "float32")  # (N, H, W, C), -1..1, as all images below
        real_b = ops.cast(y["partner"], "float32")
        losses = {}

        # 1. Fake: each generator translates real images into the other domain.
        fake_b = outputs["AtoB"]  # G(a)
        fake_a = self.b_to_a(real_b)  # F(b)

        # 2. Cycled: there and back again, |F(G(a)) - a|_1 and |G(F(b)) - b|_1 (eq. 2).
        if weights["cycle_A"]:
            cycled_a = self.b_to_a(fake_b)
            losses["cycle_A"] = cycle_loss(real_a, cycled_a)
        if weights["cycle_B"]:
            cycled_b = self.a_to_b(fake_a)
            losses["cycle_B"] = cycle_loss(real_b, cycled_b)

        # 3. Same: what is of the target domain stays as it is, |F(a) - a|_1 and |G(b) - b|_1 (section 5.2).
        if weights["identity_A"]:
            same_a = self.b_to_a(real_a)
            losses["identity_A"] = identity_loss(real_a, same_a)
        if weights["identity_B"]:
            same_b = self.a_to_b(real_b)
            losses["identity_B"] = identity_loss(real_b, same_b)

        # 4. Generator losses: the discriminators are to take fakes for real (eq. 1, the generators' part).
        losses["adversarial_AtoB"] = self.adversarial_loss("B", fake_b)
        losses["adversarial_BtoA"] = self.adversarial_loss("A", fake_a)

        # 5. Image pool: the discriminators are shown fakes of this step and of earlier ones (section 4).
        fake_a, fake_b = ops.stop_gradient(fake_a), ops.stop_gradient(fake_b)
        if self.memory:
            fake_a, fake_b = self.pooled(fake_a, fake_b, y["pool_draws"])

        # 6. Discriminator losses: real images are real, fakes are not (eq. 1, the discriminators' part).
        losses["discriminator_A"] = self.discriminator_loss("A", real_a, fake_a)
        losses["discriminator_B"] = self.discriminator_loss("B", real_b, fake_b)
        return {name: weight * losses[name] for name, weight in weights.items() if weight}  # eq. 3

    def a_to_b(self, images: Tensor) -> Tensor:
        """Return G(images): float32 `(N, H, W, C)`, -1..1."""
        return ops.tanh(ops.cast(self.networks["AtoB_generator"](images)["logits"], "float32"))

    def b_to_a(self, images: Tensor) -> Tensor:
        """Return F(images): float32 `(N, H, W, C)`, -1..1."""
        return ops.tanh(ops.cast(self.networks["BtoA_generator"](images)["logits"], "float32"))

    def discriminate(self, domain: str, images: Tensor) -> Tensor:
        """Return D(images), a logit for every patch: float32 `(N, h, w, 1)`."""
        return ops.cast(self.networks[f"{domain}_discriminator"](images)["logits"], "float32")

    def adversarial_loss(self, domain: str, fake: Tensor) -> Tensor:
        """Return how far the discriminator is from taking `fake` for real: E[(D(fake) - 1)^2] for LSGAN.

        Its gradient reaches the generator alone: that of the discriminator's weights is cancelled.
        """
        logits = self.discriminate(domain, fake)  # gradients of generator and discriminator
        own = self.discriminate(domain, ops.stop_gradient(fake))  # same value, the discriminator's gradient
        return self.gan_loss(cancel_gradient(logits, own), 1.0)

    def discriminator_loss(self, domain: str, real: Tensor, fake: Tensor) -> Tensor:
        """Return (E[(D(real) - 1)^2] + E[D(fake)^2]) / 2 for LSGAN; halved as in section 7.1.

        Args:
            domain: of the discriminator, "A" or "B".
            real: images of the domain.
            fake: translations into it, without a gradient.
        """
        loss_real = self.gan_loss(self.discriminate(domain, real), 1.0)
        loss_fake = self.gan_loss(self.discriminate(domain, fake), 0.0)
        return (loss_real + loss_fake) / 2

    def gan_loss(self, logits: Tensor, target: float) -> Tensor:
        """Return the mean loss of logits that should say `target`: 1 for real, 0 for fake.

        LSGAN takes squares (Mao et al. 2017, eq. 2 with a = 0 and b = c = 1), the GAN of eq. 1 logarithms.
        """
        if self.settings.adversarial == "lsgan":
            return ops.mean(ops.square(logits - target))
        return ops.mean(cross_entropy(ops.full_like(logits, target), logits))

    def pooled(self, fake_a: Tensor, fake_b: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fakes that the discriminators are shown, and remember those of this step.

        Args:
            fake_a, fake_b: `(N, H, W, C)`.
            draws: `(N, 2, 2)`, for each image and domain what `image_pool` asks for.
        """
        filled, pool_a, pool_b = self.memory
        sound = ops.logical_and(ops.all(ops.isfinite(fake_a)), ops.all(ops.isfinite(fake_b)))
        shown_a, kept_a = image_pool(fake_a, pool_a.value, filled.value, draws[:, 0], sound)
        shown_b, kept_b = image_pool(fake_b, pool_b.value, filled.value, draws[:, 1], sound)
        pool_a.assign(kept_a)
        pool_b.assign(kept_b)
        count = ops.where(sound, ops.cast(ops.shape(fake_a)[0], "float32"), 0.0)
        filled.assign(ops.minimum(filled + count, self.settings.pool))
        return shown_a, shown_b


def cycle_loss(real: Tensor, cycled: Tensor) -> Tensor:
    """Return the mean of |F(G(real)) - real| (eq. 2): two `(N, H, W, C)` -> scalar."""
    return ops.mean(ops.abs(cycled - real))


def identity_loss(real: Tensor, same: Tensor) -> Tensor:
    """Return the mean of |G(real) - real|, real of G's target domain: two `(N, H, W, C)` -> scalar."""
    return ops.mean(ops.abs(same - real))


def image_pool(
    images: Tensor, pool: Tensor, filled: Tensor, draws: Tensor, sound: Tensor | bool = True
) -> tuple[Tensor, Tensor]:
    """Return, for each image in turn, itself or one of the pool, and the pool afterwards.

    While the pool is not full an image is stored and shown. Then, in half of the cases, an image of the
    pool is shown and the new one takes its place; otherwise the new one is shown and not stored
    (Shrivastava et al. 2017, section 2.3, as the published CycleGAN does it).

    Shape: images `(N, H, W, C)`; pool `(P, H, W, C)`; filled scalar; draws `(N, 2)`, 0..1 -> images, pool.

    Args:
        images: new ones.
        pool: earlier ones.
        filled: how many places of the pool are taken; float.
        draws: for each image, whether one of the pool is shown (above 0.5) and which.
        sound: new images may be stored; else the pool stays as it is.
    """
    size = pool.shape[0]

    def query(index, state):
        pool, shown = state
        image, draw = images[index], draws[index]  # (H, W, C), (2,)
        filling = filled + ops.cast(index, "float32") < size
        swapped = ops.logical_and(ops.logical_not(filling), draw[0] > 0.5)
        random = ops.minimum(ops.cast(draw[1] * size, "int32"), size - 1)  # floor(u P), u = 1 being P - 1
        place = ops.where(filling, ops.cast(filled, "int32") + index, random)
        old = ops.take(pool, place, axis=0)  # (H, W, C)
        stored = ops.logical_and(ops.logical_or(filling, swapped), sound)
        kept = ops.where(stored, image, old)
        pool = ops.slice_update(pool, (place, 0, 0, 0), kept[None])
        shown = ops.slice_update(shown, (index, 0, 0, 0), ops.where(swapped, old, image)[None])
        return pool, shown

    pool, shown = ops.fori_loop(0, ops.shape(images)[0], query, (pool, images))
    return shown, pool
