"""The verb adapt: a few-shot run is shown some images of new classes and becomes a classifier of them."""

import dataclasses
from pathlib import Path

import numpy as np

from kerazoo.checkpoints.mapping import assign
from kerazoo.data.augment import Augmentation
from kerazoo.data.classification.class_folders import ClassFolders
from kerazoo.errors import UserError
from kerazoo.families.conv4 import Conv4
from kerazoo.media.pixels import ImageReading
from kerazoo.run import Run, create_run, existing_run_error
from kerazoo.settings import fields_of
from kerazoo.tasks.fewshot import FewShot


def adapt(run: Run, support: Path, folder: Path) -> Run:
    """Write the run of a classifier that knows the classes of a folder of images.

    Args:
        run: of a few-shot family.
        support: a folder of images for each class, `DIR/CLASS/`; one or a handful of each will do.
        folder: the run folder to make. `predict`, `evaluate` (with `--data`) and `export` take it.

    Raises:
        UserError: the run is of another kind, an image is broken, there are fewer than two classes, or
            the folder exists.
    """
    family = run.recipe.family
    if not isinstance(family, FewShot):
        raise UserError(
            f"{run.folder} is a run of {type(family).__name__}, which does not adapt to a few images",
            "adapt a run of protonet, maml or reptile, or train with --init",
        )
    if folder.exists():
        raise existing_run_error(folder)
    data = ClassFolders(
        path=str(support.absolute()), validation=0.0, **fields_of(run.recipe.data, ImageReading)
    )
    samples = data.samples("train")
    x = np.stack([family.prepare(sample.image)[0] for sample in samples])
    labels = np.array([sample.truth.label for sample in samples])
    names = data.class_names()
    classifier = Conv4(classes=len(names), names=names, **family.body())
    network = classifier.build()
    assign(network, family.classifier_weights(run.network, x, labels))
    recipe = dataclasses.replace(
        run.recipe, family=classifier, data=data, augmentation=Augmentation(), monitor="accuracy"
    )
    return create_run(recipe, folder, network)
