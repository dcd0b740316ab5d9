"""Classification: ten shapes of 32 x 32, by ResNet-20.

    kerazoo train resnet20-cifar       3.2 minutes on 2 CPU cores, accuracy 0.962
    kerazoo train resnet20-cifar --data cifar-10-batches-bin --plan off --set epochs=164 --set batch_size=128
        --set optimizer.name=sgd --set optimizer.learning_rate=0.1 --set optimizer.weight_decay=1e-3
        --set schedule.kind=step --set augmentation.shift=4

The first has built-in shapes, the second CIFAR-10's binary files and the schedule of He et al. 2015,
section 4.2; its weight decay of 1e-4 is part of the gradient, which momentum 0.9 adds up tenfold.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Shapes
from kerazoo.families.resnet.cifar import ResNetCifar
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

data = Shapes()

recipe = Recipe(
    family=ResNetCifar(classes=10, names=data.class_names(), depth=20),
    data=data,
    augmentation=Augmentation(flip=True),
    optimizer=Optimizer(name="adam", learning_rate=3e-3),
    schedule=Schedule(kind="cosine", warmup=1.0, milestones=(0.5, 0.75)),
    epochs=8,
    batch_size=16,
    monitor="accuracy",
)
