"""Segmentation: cells and membranes, by a small FCN-8s.

kerazoo train fcn8s-tiny                     1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.fcn import FCN
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=FCN(
        classes=3, names=("background", "cell", "membrane"), width=0.0625, upsampling="learned", dropout=0.0
    ),
    data=Cells(train=16, validation=4, test=4, size=(64, 64)),
    augmentation=Augmentation(crop=(64, 64), flip=True, quarter_turns=True),
    optimizer=Optimizer(learning_rate=2e-3),
    epochs=4,
    batch_size=4,
)
