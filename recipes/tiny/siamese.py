"""Verification: which characters are alike, by a small Siamese network.

kerazoo train siamese-tiny                   1 minute at most
"""

from kerazoo.data.generated.sources import Glyphs
from kerazoo.families.siamese import Siamese
from kerazoo.families.siamese.tower import Tower
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=Siamese(tower=Tower(width=16), loss="contrastive", pairs=16, ways=5),
    data=Glyphs(characters=(60, 20, 20), drawings=8, episodes_per_epoch=(60, 30, 30)),
    optimizer=Optimizer(learning_rate=3e-3),
    epochs=4,
    batch_size=2,
    monitor="auc",
)
