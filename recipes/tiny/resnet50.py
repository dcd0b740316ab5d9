"""Classification: shapes, by ResNet-50 of an eighth of the width.

kerazoo train resnet50-tiny                  1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Shapes
from kerazoo.families.resnet import ResNet
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe
from kerazoo.tasks.images import IMAGENET

data = Shapes(train=160, validation=40, test=40, size=32)

recipe = Recipe(
    family=ResNet(
        depth=50, classes=10, names=data.class_names(), width=8, size=(32, 32), crop_pct=1.0, **IMAGENET
    ),
    data=data,
    augmentation=Augmentation(crop=(32, 32), flip=True),
    optimizer=Optimizer(learning_rate=2e-3),
    epochs=3,
    batch_size=16,
    monitor="accuracy",
)
