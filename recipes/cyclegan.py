"""CycleGAN; on built-in landscapes, summer (A) and winter (B), or on your two folders of images.

    kerazoo train cyclegan
    kerazoo train cyclegan --data horse2zebra --set family.blocks=9 --set family.width=64
        --set family.discriminator_width=64 --set family.discriminator_depth=3 --set data.size=[286,286]
        --set augmentation.crop=[256,256] --batch-size 1 --epochs 200 --set optimizer.learning_rate=2e-4
    kerazoo predict RUN photo.jpg --direction AtoB

The first took 17 minutes on two shared CPU cores and ended at a mean FID of 0.004 (0.96 for leaving images
alone) and 3 % of there and back; docs/translation.md has its images. The second is the published
training, which takes a GPU.
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
