"""Pose: 68 landmarks of a face, by a small HRNet.

    kerazoo train face-landmarks       about 30 minutes on 2 CPU cores, estimated
    kerazoo train face-landmarks --data DIR --weights hf://timm/hrnet_w18.ms_in1k/model.safetensors
        --set 'family.body={"width":18}' --set family.size=[256,256] --set augmentation.crop=[256,256]
        --set optimizer.learning_rate=1e-4 --epochs 60
    kerazoo convert face-landmarks HR18-WFLW.pth --output RUN

The first has built-in drawn faces. The second is close to the published training on 300W: your data are in
COCO's format, and their points have the names of the skeleton (landmark0 to landmark67). The score "nme" is
the mean error in distances of the outer eye corners.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Faces
from kerazoo.families.hrnet import SMALL_V1, HRNetFace
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=HRNetFace(body=SMALL_V1, size=(128, 128)),
    data=Faces(),
    augmentation=Augmentation(
        crop=(128, 128),
        focus=0.8,
        fill=127,
        flip=True,
        rotation=30,
        scale=(0.8, 1.25),
        brightness=0.1,
        contrast=0.2,
    ),
    optimizer=Optimizer(name="adam", learning_rate=1e-3, epsilon=1e-9),
    schedule=Schedule(kind="cosine", warmup=0.5),
    epochs=10,
    batch_size=16,
    monitor="ap",
)
