"""Translation: summer to winter and back, by CycleGAN.

    kerazoo train cyclegan             17 minutes on 2 shared CPU cores, FID 0.004
    kerazoo train cyclegan --data horse2zebra --set family.blocks=9 --set family.width=64
        --set family.discriminator_width=64 --set family.discriminator_depth=3 --set data.size=[286,286]
        --set augmentation.crop=[256,256] --batch-size 1 --epochs 200 --set optimizer.learning_rate=2e-4
    kerazoo predict RUN photo.jpg --direction AtoB

The first has built-in landscapes, summer (A) and winter (B). Its FID is the mean of both directions (0.96
for leaving images alone), its cycle error 3 %; docs/translation.md shows images. The second is the
published training on two folders of images; it takes a GPU.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Landscapes
from kerazoo.families.cyclegan import CycleGAN
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=CycleGAN(
        names=("summer", "winter"), blocks=3, width=16, discriminator_width=16, discriminator_depth=2
    ),
    data=Landscapes(),
    augmentation=Augmentation(crop=(64, 64), flip=True),
    optimizer=Optimizer(name="adam", learning_rate=1e-3, beta_1=0.5),
    schedule=Schedule(kind="linear", hold=0.5),
    epochs=12,
    batch_size=4,
    validate_every=2,
    monitor="-mean_fid",
)
