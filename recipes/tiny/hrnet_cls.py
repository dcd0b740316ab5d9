"""Classification: shapes, by a very small HRNet.

kerazoo train hrnet-cls-tiny                 1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Shapes
from kerazoo.families.hrnet import Body, HRNetClassifier
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

data = Shapes(train=160, validation=40, test=40, size=32)

recipe = Recipe(
    family=HRNetClassifier(
        classes=10,
        names=data.class_names(),
        body=Body(width=4, blocks=1, modules=(1, 1, 1), bottlenecks=1, bottleneck_width=4),
        head_width=2,
        size=(32, 32),
        crop_pct=1.0,
    ),
    data=data,
    augmentation=Augmentation(crop=(32, 32), flip=True),
    optimizer=Optimizer(learning_rate=3e-3),
    epochs=3,
    batch_size=16,
    monitor="accuracy",
)
