"""The verb convert: a published checkpoint becomes a run."""

import dataclasses
from pathlib import Path

import keras

from kerazoo.checkpoints import assign
from kerazoo.recipe import Recipe
from kerazoo.run import Run, create_run
from kerazoo.weights import read


def convert(recipe: Recipe, checkpoint: Path, folder: Path) -> Run:
    """Read a checkpoint into the recipe's network, strictly, and write it as a run.

    Args:
        recipe: its family must be what the checkpoint holds; sizes, layout and normalisation
            are taken from the checkpoint.
        checkpoint: `.safetensors`, `.pth` (read without unpickling) or `.npz`.
        folder: the run folder to make.

    Raises:
        UserError: an unreadable file, or missing, unexpected or misshapen keys; no run is made.
    """
    arrays = read(checkpoint)
    keras.config.set_dtype_policy("float32")
    family = recipe.family.for_checkpoint(arrays)
    network = family.build()
    assign(network, family.convert(arrays))
    return create_run(dataclasses.replace(recipe, family=family), folder, network)
