"""Detection: boxes around shapes, by a small CenterNet on deformable DLA.

kerazoo train centernet-dla34-tiny                 1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Scenes
from kerazoo.families.centernet import CenterNet
from kerazoo.optimizer import Optimizer
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=CenterNet(classes=2, names=("ring", "star"), backbone="dla34_dcn", width=4, size=(64, 64)),
    data=Scenes(train=48, validation=8, test=8, size=(64, 64), kinds=("ring", "star")),
    augmentation=Augmentation(crop=(64, 64), fill=127, flip=True),
    optimizer=Optimizer(learning_rate=3e-3),
    epochs=3,
    batch_size=8,
    monitor="ap",
)
