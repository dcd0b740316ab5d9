"""Pose: key points of one person in a box, by a small HRNet.

    kerazoo train hrnet-pose           56 minutes on 2 shared CPU cores, AP 0.826
    kerazoo train hrnet-pose --data COCO --weights hf://timm/hrnet_w32.ms_in1k/model.safetensors
        --set 'family.body={"width":32}' --set family.size=[256,192]
        --set family.margin=1.25 --set augmentation.focus=0.8
        --set augmentation.crop=[256,192] --set augmentation.rotation=45 --set augmentation.scale=[0.65,1.35]
        --epochs 210 --batch-size 128 --set optimizer.learning_rate=1e-3
    kerazoo predict hrnet-pose photo.jpg --boxes boxes.json

The first has built-in figures, validation and test alike; it took 33 minutes of CPU time. The second is
close to the published training of HRNet-W32. Without boxes, an image is taken to show one person.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Figures
from kerazoo.families.hrnet import SMALL_V1, HRNetPose
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=HRNetPose(body=SMALL_V1, size=(128, 96), sigma=2.0, margin=1.15),
    data=Figures(train=3000, validation=100, people=(2, 2)),
    augmentation=Augmentation(
        crop=(128, 96),
        focus=0.87,
        fill=127,
        flip=True,
        rotation=10,
        scale=(0.9, 1.15),
        brightness=0.1,
        contrast=0.2,
    ),
    optimizer=Optimizer(name="adam", learning_rate=2e-3, epsilon=1e-9),
    schedule=Schedule(kind="cosine", warmup=0.5),
    epochs=11,
    batch_size=16,
    validate_every=2,
    monitor="ap",
)
