"""Classification: shapes of 32 x 32, by ResNet-8.

kerazoo train resnet20-cifar-tiny            1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Shapes
from kerazoo.families.resnet.cifar import ResNetCifar
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

data = Shapes(train=400, validation=50, test=50)

recipe = Recipe(
    family=ResNetCifar(classes=10, names=data.class_names(), depth=8, width=8),
    data=data,
    augmentation=Augmentation(shift=2, flip=True),
    optimizer=Optimizer(learning_rate=5e-3),
    epochs=4,
    batch_size=20,
    monitor="accuracy",
)
