"""Segmentation: cells and membranes, by a small U-Net of the paper.

kerazoo train unet-valid-tiny                1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.unet import UNet
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe
from kerazoo.tasks.segmentation import Losses

recipe = Recipe(
    family=UNet(
        classes=3,
        names=("background", "cell", "membrane"),
        filters=(8, 16, 32),
        padding="valid",
        dropout=0.0,
        losses=Losses(cross_entropy=1.0),
    ),
    data=Cells(train=32, validation=8, test=8, size=(64, 64)),
    augmentation=Augmentation(crop=(64, 64), flip=True, elastic=3.0),
    optimizer=Optimizer(learning_rate=5e-3),
    epochs=4,
    batch_size=4,
)
