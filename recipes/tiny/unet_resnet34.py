"""Segmentation: cells and membranes, by U-Net on a small ResNet-18.

kerazoo train unet-resnet34-tiny             1 minute at most
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.encoders import Encoder
from kerazoo.families.unet import UNet
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe
from kerazoo.tasks.segmentation import Losses

recipe = Recipe(
    family=UNet(
        classes=3,
        names=("background", "cell", "membrane"),
        encoder=Encoder(name="resnet18", width=8),
        filters=(8, 8, 16, 16, 32),
        norm=True,
        up="nearest",
        dropout=0.0,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        losses=Losses(cross_entropy=1.0, dice=1.0),
    ),
    data=Cells(train=32, validation=8, test=8, size=(96, 96)),
    augmentation=Augmentation(
        crop=(64, 64), flip=True, flip_vertical=True, quarter_turns=True, scale=(0.8, 1.25)
    ),
    optimizer=Optimizer(name="adam", learning_rate=1e-3),
    schedule=Schedule(kind="cosine", warmup=0.5),
    epochs=2,
    batch_size=8,
)
