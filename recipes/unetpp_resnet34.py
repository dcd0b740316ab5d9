"""Segmentation: cells and membranes, by UNet++ on ResNet-34.

    kerazoo train unetpp-resnet34      about 13 minutes on 2 CPU cores, estimated
    kerazoo train unetpp-resnet34 --weights hf://timm/resnet34.a1_in1k/model.safetensors
    kerazoo train unetpp-resnet34 --data DIR --weights resnet34.pth --set family.encoder.frozen=true

UNet++ as segmentation_models_pytorch has it. Without --data it learns built-in cells, else your folder of
images and masks. Images are normalised as the published ResNets were trained with.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Cells
from kerazoo.families.encoders import Encoder
from kerazoo.families.unetpp import UNetPlusPlus
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe
from kerazoo.tasks.segmentation import Losses

recipe = Recipe(
    family=UNetPlusPlus(
        classes=3,
        names=("background", "cell", "membrane"),
        encoder=Encoder(name="resnet34"),
        filters=(16, 32, 64, 128, 256),
        norm=True,
        up="nearest",
        deep_supervision=False,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        losses=Losses(cross_entropy=1.0, dice=1.0),
    ),
    data=Cells(),
    augmentation=Augmentation(
        crop=(128, 128), flip=True, flip_vertical=True, quarter_turns=True, scale=(0.8, 1.25)
    ),
    optimizer=Optimizer(name="adam", learning_rate=1e-3),
    schedule=Schedule(kind="cosine", warmup=0.5),
    epochs=6,
    batch_size=8,
)
