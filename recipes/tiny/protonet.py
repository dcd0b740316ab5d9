"""Few-shot: unknown characters, by a small prototypical network.

kerazoo train protonet-tiny                  1 minute at most
"""

from kerazoo.data.generated.sources import Glyphs
from kerazoo.families.protonet import ProtoNet
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=ProtoNet(filters=8, training_ways=5, queries=3, training_queries=3),
    data=Glyphs(characters=(12, 8, 8), drawings=8, episodes_per_epoch=(20, 10, 10)),
    optimizer=Optimizer(name="adam", learning_rate=2e-3),
    schedule=Schedule(kind="constant"),
    epochs=2,
    batch_size=1,
    monitor="accuracy",
)
