"""Detection: boxes around shapes, by a narrow YOLOv4-tiny.

    kerazoo train yolov4-tiny            about 12 minutes on 2 CPU cores, estimated
    kerazoo train yolov4-tiny --data DIR

Half as wide as published. Anchors are those of the built-in scenes; `--data` plans them from its boxes.
Published weights need the published width:

    kerazoo predict yolov4-tiny photo.jpg --weights yolov4-tiny.weights
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Scenes
from kerazoo.families.yolov4 import YOLOv4
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=YOLOv4(
        classes=3,
        names=("cross", "ring", "star"),
        network="yolov4-tiny",
        width=16,
        size=(128, 128),
        anchors=((15, 16), (22, 20), (27, 28), (32, 41), (41, 32), (47, 47)),
        masks=((0, 1, 2), (3, 4, 5)),
    ),
    data=Scenes(train=8000, validation=100, test=200, kinds=("cross", "ring", "star"), objects=(1, 5)),
    augmentation=Augmentation(crop=(128, 128), fill=127, flip=True, flip_vertical=True),
    optimizer=Optimizer(name="adam", learning_rate=5e-3),
    schedule=Schedule(kind="cosine", warmup=0.2),
    epochs=8,
    batch_size=16,
    monitor="ap",
)
