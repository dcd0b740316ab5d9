"""Pose: key points of several people, by a small OpenPose.

    kerazoo train pose                 12.9 minutes on 2 CPU cores, AP 0.820
    kerazoo train pose --data COCO --plan off --set family.trunk=mobilenet --set family.stages=2
        --set family.width=1 --set family.height=368 --epochs 280 --set 'augmentation.crop=[368,368]'
        --set augmentation.focus=0.6 --set augmentation.rotation=20
        --set 'augmentation.scale=[0.8,1.25]' --set augmentation.brightness=0.1
        --set augmentation.contrast=0.2 --batch-size 80 --set optimizer.learning_rate=4e-5
        --set family.refinement_lr_factor=4 --set family.heatmaps_weight=1
        --set data.least_points=5 --set data.least_area=1024
    kerazoo predict pose photo.jpg

Part affinity fields on a small residual trunk. The first has built-in figures (test figures: AP 0.811;
TensorFlow). Its augmentation.scale and weight of heat maps are made for those small images: give other data
settings like the second's. The second is close to the published training of lightweight-human-pose-
estimation. The last, where nothing was trained, takes the small network of tf-pose-estimation (Apache-2.0,
2 MB, downloaded once).
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Figures
from kerazoo.families.openpose import OpenPose
from kerazoo.families.openpose.parser import Parser
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=OpenPose(
        trunk="residual",
        stages=1,
        width=0.5,
        height=192,
        scales=(1.0, 1.0625, 1.125, 1.1875),
        parser=Parser(neighbours=8),
        heatmaps_weight=3.0,
    ),
    data=Figures(train=24000, validation=100, test=200, size=96, people=(1, 2)),
    augmentation=Augmentation(crop=(192, 192), flip=True, scale=(2.0, 2.0), fill=128),
    optimizer=Optimizer(name="adam", learning_rate=3e-3),
    schedule=Schedule(kind="cosine", warmup=0.03),
    epochs=2,
    batch_size=8,
    monitor="ap",
    published="https://raw.githubusercontent.com/ildoonet/tf-pose-estimation/"
    "9aaf34708e9863eeab9685a7ec52a45f3b576e2d/models/graph/mobilenet_v2_small/graph_opt.pb"
    "#sha256=428a9d6e7bfc0319e1ce4de8c0191a9111cd281bea6ae2b496fd42c92d574160",
)
