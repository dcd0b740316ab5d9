"""Segmentation: cells and membranes, by FCN-8s.

    kerazoo train fcn8s                about 6 minutes on 2 CPU cores, estimated
    kerazoo train fcn8s --data DIR

The first has built-in cells, the second your folder of images and masks. The VGG16 below FCN-8s has a
quarter of its width; the paper's network is family.width=1.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.fcn import FCN
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=FCN(classes=3, names=("background", "cell", "membrane"), width=0.25, dropout=0.2),
    data=Cells(),
    augmentation=Augmentation(
        crop=(128, 128), flip=True, flip_vertical=True, quarter_turns=True, scale=(0.8, 1.25)
    ),
    optimizer=Optimizer(name="adam", learning_rate=5e-4, clip_norm=5.0),
    schedule=Schedule(kind="poly", warmup=0.5),
    epochs=6,
    batch_size=8,
)
