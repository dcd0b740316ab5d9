"""Pose: key points of several people, by a small OpenPose.

kerazoo train openpose-tiny                  1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Figures
from kerazoo.families.openpose import OpenPose
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=OpenPose(trunk="vgg19", stages=2, width=0.0625, height=96),
    data=Figures(train=24, validation=4, test=4, size=(96, 128), people=(1, 2)),
    augmentation=Augmentation(crop=(96, 96), flip=True, fill=128),
    optimizer=Optimizer(name="adam", learning_rate=2e-3),
    schedule=Schedule(kind="cosine"),
    epochs=2,
    batch_size=4,
    monitor="ap",
)
