"""Few-shot: unknown characters, by a small MAML.

kerazoo train maml-tiny                      1 minute at most
"""

from kerazoo.data.generated.sources import Glyphs
from kerazoo.families.maml import MAML
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=MAML(filters=8, queries=3, training_queries=3),
    data=Glyphs(characters=(12, 8, 8), drawings=8, episodes_per_epoch=(40, 10, 10)),
    optimizer=Optimizer(name="adam", learning_rate=3e-3),
    schedule=Schedule(kind="constant"),
    epochs=2,
    batch_size=4,
    monitor="accuracy",
)
