"""Detection: boxes around shapes, by CenterNet on ResNet-18.

    kerazoo train centernet-resnet18           about 50 minutes on 2 CPU cores, estimated
    kerazoo train centernet-resnet18 --data DIR --weights hf://timm/resnet18.a1_in1k/model.safetensors
        --set family.size=[512,512] --set augmentation.crop=[512,512] --set augmentation.scale=[0.6,1.4]
        --set schedule.kind=step --epochs 140 --batch-size 32 --set optimizer.learning_rate=1.25e-4
    kerazoo predict centernet-resnet18 photo.jpg --weights ctdet_coco_res18.pth

The first has built-in scenes. The second is close to the published training.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Scenes
from kerazoo.families.centernet import CenterNet
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=CenterNet(classes=3, names=("cross", "ring", "star"), backbone="resnet18", size=(128, 128)),
    data=Scenes(train=8000, validation=100, test=200, kinds=("cross", "ring", "star"), objects=(1, 5)),
    augmentation=Augmentation(crop=(128, 128), fill=127, flip=True),
    optimizer=Optimizer(name="adam", learning_rate=1e-3),
    schedule=Schedule(kind="cosine", warmup=0.2),
    epochs=5,
    batch_size=16,
    monitor="ap",
)
