"""Detection: boxes around shapes, by CenterNet on deformable DLA-34.

    kerazoo train centernet-dla34           about 180 minutes on 2 CPU cores, estimated
    kerazoo train centernet-dla34 --data DIR --weights ctdet_coco_dla_2x.pth
        --set family.size=[512,512] --set augmentation.crop=[512,512] --set augmentation.scale=[0.6,1.4]
        --set schedule.kind=step --epochs 140 --batch-size 32 --set optimizer.learning_rate=1.25e-4
    kerazoo predict centernet-dla34 photo.jpg --weights ctdet_coco_dla_2x.pth

The first has built-in scenes. The second goes on from the published weights.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Scenes
from kerazoo.families.centernet import CenterNet
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=CenterNet(classes=3, names=("cross", "ring", "star"), backbone="dla34_dcn", size=(128, 128)),
    data=Scenes(train=8000, validation=100, test=200, kinds=("cross", "ring", "star"), objects=(1, 5)),
    augmentation=Augmentation(crop=(128, 128), fill=127, flip=True),
    optimizer=Optimizer(name="adam", learning_rate=1e-3),
    schedule=Schedule(kind="cosine", warmup=0.2),
    epochs=5,
    batch_size=16,
    monitor="ap",
)
