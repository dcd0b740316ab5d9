"""Pose: key points of several people, by OpenPose.

    kerazoo train openpose             about 8000 minutes on 2 CPU cores, estimated
    kerazoo train openpose --data COCO --plan off --set data.least_points=5 --set data.least_area=1024
    kerazoo convert openpose body_pose_model.pth --output RUN

Part affinity fields on VGG19 as Cao et al. trained them, six stages: 52 million weights, for a GPU. On
built-in figures `pose` learns within minutes. Whoever converts the authors' weights keeps to their licence,
which is for research only.
"""

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Figures
from kerazoo.families.openpose import OpenPose
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.recipe import Recipe

recipe = Recipe(
    family=OpenPose(trunk="vgg19", stages=6, refinement_lr_factor=4.0, bias_lr_factor=2.0),
    data=Figures(size=(368, 368)),
    augmentation=Augmentation(
        crop=(368, 368), focus=0.6, scale=(0.83, 1.83), shift=40, rotation=40, flip=True, fill=128
    ),
    optimizer=Optimizer(name="sgd", learning_rate=4e-5, momentum=0.9, weight_decay=5e-4),
    schedule=Schedule(kind="step", milestones=(0.4, 0.8), factor=0.333),
    epochs=50,
    batch_size=10,
    monitor="ap",
)
