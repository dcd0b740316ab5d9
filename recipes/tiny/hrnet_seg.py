"""Segmentation: cells and membranes, by a small HRNet.

kerazoo train hrnet-seg-tiny                 1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.hrnet import Body, HRNetSegmentation
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe
from kerazoo.tasks.segmentation import Losses

recipe = Recipe(
    family=HRNetSegmentation(
        classes=3,
        names=("background", "cell", "membrane"),
        body=Body(width=4, blocks=1, modules=(1, 1, 1), bottlenecks=1, bottleneck_width=4),
        losses=Losses(cross_entropy=0.0, ohem=1.0),
    ),
    data=Cells(train=32, validation=8, test=8, size=(96, 96)),
    augmentation=Augmentation(crop=(64, 64), flip=True),
    optimizer=Optimizer(learning_rate=3e-3),
    epochs=3,
    batch_size=8,
)
