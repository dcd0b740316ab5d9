"""Segmentation: cells and membranes, by UNet++.

    kerazoo train unetpp               2.5 minutes on 2 CPU cores, mean IoU 0.888
    kerazoo train unetpp --data DIR

UNet++ with deep supervision. The first has built-in cells, the second your folder of images and masks.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.unetpp import UNetPlusPlus
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe
from kerazoo.tasks.segmentation import Losses

recipe = Recipe(
    family=UNetPlusPlus(
        classes=3,
        names=("background", "cell", "membrane"),
        filters=(16, 32, 64, 128, 256),
        norm=True,
        losses=Losses(cross_entropy=1.0, dice=1.0),
    ),
    data=Cells(),
    augmentation=Augmentation(
        crop=(128, 128),
        flip=True,
        flip_vertical=True,
        quarter_turns=True,
        scale=(0.8, 1.25),
        brightness=0.1,
        contrast=0.1,
    ),
    optimizer=Optimizer(name="adam", learning_rate=2e-3),
    schedule=Schedule(kind="cosine", warmup=0.5),
    epochs=6,
    batch_size=8,
)
