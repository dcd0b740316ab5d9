"""Detection: boxes around shapes, by a narrow YOLOv4.

    kerazoo train yolov4            about 45 minutes on 2 CPU cores, estimated
    kerazoo train yolov4 --data DIR

A quarter as wide as published, with a third of the residual units. Anchors are those of the built-in scenes;
`--data` plans them from its boxes.
Published weights need the published width:

    kerazoo predict yolov4 photo.jpg --weights yolov4.weights
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
        width=8,
        depth=0.34,
        size=(128, 128),
        anchors=((15, 14), (16, 19), (22, 18), (21, 28), (30, 25), (30, 37), (40, 33), (39, 50), (50, 43)),
    ),
    data=Scenes(train=8000, validation=100, test=200, kinds=("cross", "ring", "star"), objects=(1, 5)),
    augmentation=Augmentation(crop=(128, 128), fill=127, flip=True, flip_vertical=True),
    optimizer=Optimizer(name="adam", learning_rate=5e-3),
    schedule=Schedule(kind="cosine", warmup=0.2),
    epochs=8,
    batch_size=16,
    monitor="ap",
)
