"""Detection: boxes around shapes, by a very small YOLOv4.

kerazoo train yolov4-twin                 1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Scenes
from kerazoo.families.yolov4 import YOLOv4
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=YOLOv4(
        classes=2,
        names=("ring", "star"),
        width=4,
        depth=0.2,
        size=(64, 64),
    ),
    data=Scenes(train=48, validation=8, test=8, size=(64, 64), kinds=("ring", "star")),
    augmentation=Augmentation(crop=(64, 64), fill=127, flip=True),
    optimizer=Optimizer(learning_rate=3e-3),
    epochs=3,
    batch_size=8,
    monitor="ap",
)
