"""Translation: summer to winter and back, by a small CycleGAN.

kerazoo train cyclegan-tiny                  1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Landscapes
from kerazoo.families.cyclegan import CycleGAN
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=CycleGAN(
        names=("summer", "winter"), blocks=1, width=4, discriminator_width=4, discriminator_depth=1, pool=8
    ),
    data=Landscapes(train=24, validation=4, test=4, size=32),
    augmentation=Augmentation(crop=(32, 32), flip=True),
    optimizer=Optimizer(name="adam", learning_rate=2e-3, beta_1=0.5),
    schedule=Schedule(kind="linear"),
    epochs=2,
    batch_size=2,
    monitor="-mean_fid",
)
