"""Pose: key points of one person in a box, by a very small HRNet.

kerazoo train hrnet-pose-tiny                1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Figures
from kerazoo.families.hrnet import Body, HRNetPose
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=HRNetPose(
        body=Body(width=8, blocks=1, modules=(1, 1, 1), bottlenecks=1, bottleneck_width=8),
        size=(64, 64),
        sigma=1.5,
    ),
    data=Figures(train=48, validation=8, test=8, size=(96, 96), people=(1, 1)),
    augmentation=Augmentation(crop=(64, 64), focus=0.8, fill=127, flip=True),
    optimizer=Optimizer(learning_rate=3e-3, epsilon=1e-9),
    epochs=3,
    batch_size=8,
    monitor="ap",
)
