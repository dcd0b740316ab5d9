"""Segmentation: cells and membranes, by a small U-Net.

kerazoo train unet-tiny                      1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.unet import UNet
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=UNet(
        classes=3,
        names=("background", "cell", "membrane"),
        filters=(8, 16, 32),
        norm=True,
        up="bilinear",
        dropout=0.1,
    ),
    data=Cells(train=32, validation=8, test=8, size=(64, 64)),
    augmentation=Augmentation(crop=(64, 64), flip=True, quarter_turns=True),
    optimizer=Optimizer(learning_rate=5e-3),
    epochs=4,
    batch_size=4,
)
