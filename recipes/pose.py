"""Part affinity fields on a narrow MobileNet; on built-in figures, or on COCO key points.

    kerazoo train pose
    kerazoo train pose --data COCO --set family.width=1 --set family.height=368 --epochs 280
        --set 'augmentation.crop=[368,368]' --set augmentation.focus=0.6 --batch-size 80
        --set optimizer.rate=4e-5 --set family.refinement_rate=4
        --set data.least_points=5 --set data.least_area=1024
    kerazoo predict pose photo.jpg

The first is not tuned: AP 0 after four epochs on a CPU (docs/pose.md has another start). The second is
the published training of lightweight-human-pose-estimation. The last, where nothing was trained, takes the
small network of tf-pose-estimation (Apache-2.0, 2 MB, downloaded once).
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated import Figures
from kerazoo.families.openpose import OpenPose
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=OpenPose(trunk="mobilenet", stages=2, width=0.5, height=192),
    data=Figures(),
    augmentation=Augmentation(
        crop=(192, 192),
        flip=True,
        rotation=20,
        scale=(0.8, 1.25),
        brightness=0.1,
        contrast=0.2,
        beyond=128,
    ),
    optimizer=Optimizer(name="adam", rate=2e-3),
    schedule=Schedule(kind="cosine", warmup=0.5),
    epochs=8,
    batch=8,
    monitor="ap",
    published="https://raw.githubusercontent.com/ildoonet/tf-pose-estimation/"
    "9aaf34708e9863eeab9685a7ec52a45f3b576e2d/models/graph/mobilenet_v2_small/graph_opt.pb"
    "#sha256=428a9d6e7bfc0319e1ce4de8c0191a9111cd281bea6ae2b496fd42c92d574160",
)
