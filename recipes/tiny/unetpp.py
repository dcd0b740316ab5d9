"""Segmentation: cells and membranes, by a small UNet++.

kerazoo train unetpp-tiny                    1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.unetpp import UNetPlusPlus
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=UNetPlusPlus(classes=3, names=("background", "cell", "membrane"), filters=(4, 8, 16), norm=True),
    data=Cells(train=16, validation=4, test=4, size=(48, 48)),
    augmentation=Augmentation(crop=(48, 48), flip=True, quarter_turns=True),
    optimizer=Optimizer(learning_rate=5e-3),
    epochs=4,
    batch_size=4,
)
