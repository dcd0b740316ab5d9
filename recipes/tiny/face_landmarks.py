"""Pose: landmarks of a face, by a very small HRNet.

kerazoo train face-landmarks-tiny            1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Faces
from kerazoo.families.hrnet import Body, HRNetFace
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=HRNetFace(
        body=Body(width=4, blocks=1, modules=(1, 1, 1), bottlenecks=1, bottleneck_width=8), size=(64, 64)
    ),
    data=Faces(train=48, validation=8, test=8, size=96),
    augmentation=Augmentation(crop=(64, 64), focus=0.8, fill=127, flip=True),
    optimizer=Optimizer(learning_rate=3e-3, epsilon=1e-9),
    epochs=3,
    batch_size=8,
    monitor="ap",
)
