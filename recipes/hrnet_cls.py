"""Classification: ten shapes, by HRNet-W18-small-v2.

    kerazoo train hrnet-cls            about 18 minutes on 2 CPU cores, estimated
    kerazoo train hrnet-cls --data DIR --weights hf://timm/hrnet_w18_small_v2.ms_in1k/model.safetensors
        --set family.size=[224,224] --set family.crop_pct=0.875 --set augmentation.crop=[224,224]

The first has built-in shapes, the second your folder with a sub-folder per class. Images are normalised as
the published weights were trained with.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Shapes
from kerazoo.families.hrnet import SMALL_V2, HRNetClassifier
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe
from kerazoo.tasks.images import IMAGENET

data = Shapes(train=2000, validation=300, test=300, size=64)

recipe = Recipe(
    family=HRNetClassifier(
        classes=10, names=data.class_names(), body=SMALL_V2, size=(64, 64), crop_pct=1.0, **IMAGENET
    ),
    data=data,
    augmentation=Augmentation(crop=(64, 64), flip=True, scale=(0.8, 1.25), saturation=0.3),
    optimizer=Optimizer(name="adam", learning_rate=1e-3),
    schedule=Schedule(kind="cosine", warmup=1.0),
    epochs=6,
    batch_size=16,
    monitor="accuracy",
)
