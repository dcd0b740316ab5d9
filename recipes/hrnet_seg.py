"""Segmentation: cells and membranes, by HRNet-W18-small-v2.

    kerazoo train hrnet-seg            about 6 minutes on 2 CPU cores, estimated
    kerazoo train hrnet-seg --data DIR --set optimizer.name=sgd --set optimizer.learning_rate=0.01

The first has built-in cells, the second your folder of images and masks, and the optimizer of the published
Cityscapes trainings. The loss has OHEM. Images are normalised as in those trainings.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.hrnet import SMALL_V2, HRNetSegmentation
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe
from kerazoo.tasks.images import IMAGENET
from kerazoo.tasks.segmentation import Losses

recipe = Recipe(
    family=HRNetSegmentation(
        classes=3,
        names=("background", "cell", "membrane"),
        body=SMALL_V2,
        losses=Losses(cross_entropy=0.0, ohem=1.0),
        **IMAGENET,
    ),
    data=Cells(),
    augmentation=Augmentation(
        crop=(128, 128), flip=True, flip_vertical=True, quarter_turns=True, scale=(0.8, 1.25)
    ),
    optimizer=Optimizer(name="adam", learning_rate=1e-3),
    schedule=Schedule(kind="poly", warmup=0.5),
    epochs=6,
    batch_size=8,
)
