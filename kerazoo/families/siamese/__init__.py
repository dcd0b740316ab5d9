"""Siamese networks (Bromley et al. 1993; Hadsell et al. 2006; Koch et al. 2015)."""

from typing import TYPE_CHECKING

from kerazoo.families.siamese.tower import Tower
from kerazoo.settings import settings
from kerazoo.tasks.verification import Verification
from kerazoo.tasks.verification.distances import EmbeddingDistance

if TYPE_CHECKING:
    import keras


@settings
class Siamese(Verification):
    """Two images go through one tower; their embeddings meet in a distance.

    Attributes:
        tower: what they go through.
    """

    tower: Tower = Tower()

    def build(self) -> "keras.Model":
        from kerazoo.families.siamese.model import siamese

        weighted = self.loss == "cross_entropy"
        tower = self.tower.build(self.size, self.channels, sized=weighted)
        return siamese(tower, head="weighted_l1" if weighted else "euclidean")

    def embedding_distance(self, network: "keras.Model") -> EmbeddingDistance:
        import keras

        if self.loss != "cross_entropy":
            return EmbeddingDistance()
        kernel, bias = map(keras.ops.convert_to_numpy, network.get_layer("head").weights)
        return EmbeddingDistance(-kernel[:, 0], -float(bias))
