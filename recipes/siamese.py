"""A Siamese network with a Conv-4 tower, taught by hard triplets; on drawn characters, or on Omniglot."""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated import Glyphs
from kerazoo.families.siamese import Siamese
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=Siamese(size=(32, 32), loss="triplet", mined_classes=64, mined_pictures=3, rotations=True),
    data=Glyphs(characters=(400, 60, 60), draws=(200, 100, 200)),
    augmentation=Augmentation(rotation=10, scale=(0.8, 1.2), shear=10, shift=2, beyond=255),
    optimizer=Optimizer(rate=2e-3),
    schedule=Schedule(kind="cosine"),
    epochs=6,
    batch=1,
    monitor="one_shot",
)
