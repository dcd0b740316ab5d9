"""CycleGAN (Zhu et al. 2017, arXiv:1703.10593): translation between two domains without pairs."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.settings import settings
from kerazoo.structures.images import DIRECTIONS
from kerazoo.tasks.translation import Translation

if TYPE_CHECKING:
    import keras

Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


@settings
class CycleGAN(Translation):
    """Two generators that undo one another, and a discriminator for each domain.

    Attributes:
        blocks: residual blocks of a generator: 9 as published for 256 x 256 pixels, 6 for 128 x 128.
        width: channels of a generator's first convolution.
        discriminator_width: of a discriminator's first convolution.
        discriminator_depth: a discriminator's convolutions of stride 2; 3 see patches of 70 x 70 pixels.
        adversarial: "lsgan" (squares, as published) or "bce" (cross entropy).
        cycle: weight of A -> B -> A and of B -> A -> B; 0 leaves it out.
        identity: weight of leaving alone what is of the target domain already, as a factor on `cycle`.
        pool: size of the image pool, earlier translations that the discriminators may be shown again;
            0 shows them the new ones.
        single_generator: one generator and no discriminator, such as a published one: called AtoB, and not
            to be trained.
    """

    importer: ClassVar[str | None] = "kerazoo.families.cyclegan.importer"

    blocks: Count = 9
    width: Count = 64
    discriminator_width: Count = 64
    discriminator_depth: Count = 3
    adversarial: Literal["lsgan", "bce"] = "lsgan"
    cycle: tuple[Weight, Weight] = (10.0, 10.0)
    identity: Weight = 0.5
    pool: Annotated[int, Field(ge=0)] = 50
    single_generator: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.single_generator and self.direction == "BtoA":
            raise ValueError("a single generator goes AtoB")

    def translators(self) -> tuple[str, ...]:
        return ("AtoB",) if self.single_generator else DIRECTIONS

    def build(self) -> "keras.Model":
        from kerazoo.families.cyclegan.model import (
            cyclegan_generator,
            cyclegan_networks,
            patch_discriminator,
        )

        generators = {
            name: cyclegan_generator(
                channels=self.channels, blocks=self.blocks, width=self.width, prefix=f"{name}_"
            )
            for name in self.translators()
        }
        discriminators = {
            domain: patch_discriminator(
                channels=self.channels,
                width=self.discriminator_width,
                depth=self.discriminator_depth,
                prefix=f"{domain}_",
            )
            for domain in ("" if self.single_generator else "AB")
        }
        return cyclegan_networks(generators, discriminators)

    def generator(self, network: "keras.Model", direction: str) -> "keras.Model":
        return network.get_layer(f"{direction}_generator")

    def weight_settings(self) -> dict[str, Any]:
        part_of_weights = ("channels", "mean", "std", "order", "blocks", "width")
        return {name: getattr(self, name) for name in part_of_weights}

    def term_weights(self) -> dict[str, float]:
        """Return how much each term of the loss weighs."""
        cycle_a, cycle_b = self.cycle
        return {
            "adversarial_AtoB": 1.0,
            "adversarial_BtoA": 1.0,
            "cycle_A": cycle_a,
            "cycle_B": cycle_b,
            "identity_A": self.identity * cycle_a,
            "identity_B": self.identity * cycle_b,
            "discriminator_A": 1.0,
            "discriminator_B": 1.0,
        }

    def term_names(self) -> list[str]:
        """Return the names of the terms that weigh anything."""
        return [name for name, weight in self.term_weights().items() if weight]

    def objective(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.cyclegan.objective import CycleGANObjective

        if self.single_generator:
            raise UserError(
                "a single generator cannot be trained", "start a training from it: --weights or --init"
            )
        return CycleGANObjective(network, self)

    # --- published weights ----------------------------------------------------------------

    def adopting(self, published: dict[str, Any]) -> Self:
        return super().adopting({"direction": "AtoB"} | published)
