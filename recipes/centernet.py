"""Detection: boxes around shapes, by a small CenterNet.

    kerazoo train centernet            about 15 minutes on 2 CPU cores
    kerazoo train centernet --data DIR

Objects as points, on a ResNet-18 of a quarter of the width. The first has built-in scenes.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Scenes
from kerazoo.families.centernet import CenterNet
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=CenterNet(
        classes=5,
        names=("arrow", "cross", "heart", "ring", "star"),
        width=16,
        size=(128, 128),
    ),
    data=Scenes(train=6000, validation=100, test=200),
    augmentation=Augmentation(
        crop=(128, 128),
        fill=127,
        flip=True,
        flip_vertical=True,
        scale=(0.8, 1.25),
        brightness=0.1,
        contrast=0.1,
    ),
    optimizer=Optimizer(name="adam", learning_rate=2e-3),
    schedule=Schedule(kind="cosine", warmup=0.3),
    epochs=6,
    batch_size=16,
    monitor="ap",
)
