"""Prototypical networks: characters never seen before, from one picture each; built-in, or Omniglot.

kerazoo train protonet
kerazoo train protonet --data omniglot.zip --set data.splits=vinyals
        --set 'data.draws=[500,200,1000]' --epochs 20
kerazoo evaluate RUN --split test --ways 20 --shots 1
kerazoo adapt RUN --support FOLDER --output RUN2
"""

from kerazoo.data.generated import Glyphs
from kerazoo.families.protonet import ProtoNet
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=ProtoNet(),
    data=Glyphs(draws=(100, 200, 600)),
    optimizer=Optimizer(name="adam", rate=2e-3),
    schedule=Schedule(kind="cosine", final=0.01),
    epochs=6,
    batch=1,
    monitor="accuracy",
)
