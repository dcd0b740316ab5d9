"""Few-shot: unknown characters, by a small Reptile.

kerazoo train reptile-tiny                   1 minute at most
"""

from kerazoo.data.generated.sources import Glyphs
from kerazoo.families.reptile import Reptile
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=Reptile(filters=8, queries=3, training_shots=4, steps=2, test_steps=4, inner_learning_rate=0.1),
    data=Glyphs(characters=(12, 8, 8), drawings=8, episodes_per_epoch=(40, 10, 10)),
    optimizer=Optimizer(name="adam", learning_rate=2e-3),
    schedule=Schedule(kind="constant"),
    epochs=2,
    batch_size=4,
    monitor="accuracy",
)
