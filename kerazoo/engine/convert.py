"""The verb convert: a published checkpoint becomes a run."""

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerazoo import backend, settings
from kerazoo.checkpoints.fetch import fetch
from kerazoo.checkpoints.mapping import assign, part_of, unused_arrays
from kerazoo.checkpoints.read import read
from kerazoo.errors import UserError, error_context
from kerazoo.files.cache import cache_folder
from kerazoo.files.reading import read_text
from kerazoo.files.recipes import recipe_files
from kerazoo.files.text import printable
from kerazoo.files.writing import make_folder, sha256
from kerazoo.recipe import Recipe, load_recipe
from kerazoo.run import Run, create_run, existing_run_error, find_run, open_run, run_folder, with_settings

if TYPE_CHECKING:
    import keras


def convert(
    recipe: Recipe,
    checkpoint: str | Path,
    folder: Path,
    *,
    layout: str | None = None,
    part: str | None = None,
    names: Sequence[str] = (),
    assignments: Sequence[str] = (),
) -> Run:
    """Read a checkpoint into the recipe's network, strictly, and write it as a run.

    Args:
        recipe: its family must be what the checkpoint holds; sizes, layout and preprocessing
            are taken from the checkpoint.
        checkpoint: a path, `hf://owner/repo/file` or `https://...#sha256=...` (`kerazoo.checkpoints.fetch`)
            of a `.safetensors`, `.pth` (read without unpickling), `.npz`, `.h5`, `.keras`, a frozen
            TensorFlow graph `.pb` or the `.index` of a TensorFlow checkpoint.
        folder: the run folder to make.
        layout: what the keys are; None recognises it.
        part: what the names of the network begin with, where the file holds several, such as "netG_A".
        names: of the classes, in label order; otherwise the recipe's, where there are as many.
        assignments: `KEY=VALUE` texts that have the last word, such as on preprocessing.

    Raises:
        UserError: a checkpoint that cannot be had or read; missing, unexpected or misshapen
            keys; a layout that is none or not the only one. No run is made.
    """
    backend.set_backend()
    import keras

    if os.path.exists(folder):  # False for a name that no folder can have, which `create_run` tells
        raise existing_run_error(folder)
    arrays = read(fetch(checkpoint))
    with error_context(checkpoint):
        arrays = part_of(arrays, part) if part else arrays
        family = recipe.family.for_checkpoint(arrays, layout)
    if names:
        family = settings.replace(family, {"names": tuple(names)}, "family")
    recipe = dataclasses.replace(recipe, family=family, weights=str(checkpoint))
    recipe = with_settings(Run(folder, recipe), assignments).recipe
    keras.config.set_dtype_policy("float32")
    with error_context(checkpoint):
        weights = recipe.family.convert(arrays)
        network = _built(recipe)
        assign(network, weights)
    if left := unused_arrays(arrays, weights):
        print(printable(left), file=sys.stderr, flush=True)
    return create_run(recipe, folder, network)


def _built(recipe: Recipe) -> "keras.Model":
    try:
        return recipe.family.build()
    except MemoryError:
        message = "its network needs more memory than there is"
        raise UserError(message, "is the file damaged? convert it on a larger machine") from None


def read_names(path: Path) -> tuple[str, ...]:
    """Return the class names in a text file, one per line.

    Raises:
        UserError: it cannot be read, or a line is empty.
    """
    names = tuple(line.strip() for line in read_text(path).splitlines())
    if "" in names or not names:
        raise UserError(f"{path}: line {names.index('') + 1 if names else 1} is empty", "name every class")
    return names


def run_or_weights(name: str, weights: str | None = None) -> Run:
    """Return the run a user means: a run folder, a recipe's newest run, or else its published weights.

    Args:
        name: a run folder, or a recipe.
        weights: a reference to use instead, in the network of that run or recipe.

    Raises:
        UserError: there is neither, or the weights cannot be converted.
    """
    is_recipe = name.endswith(".py") or name.replace("_", "-") in recipe_files()
    if weights is None and (run_folder(name) is not None or not is_recipe):
        return find_run(name)
    recipe = load_recipe(name) if is_recipe else find_run(name).recipe
    reference = weights or recipe.weights or recipe.published
    if reference is None:
        raise UserError(
            f"the recipe {name} has no run under runs/ and no published weights",
            f"train it first: kerazoo train {name}",
        )
    return _published(recipe, reference, Path(name).stem)


def _published(recipe: Recipe, reference: str, name: str) -> Run:
    """Return a run of published weights, converted into the cache where that was not done before."""
    from filelock import FileLock

    from kerazoo import __version__

    made_of = [sha256(fetch(reference)), settings.to_plain(recipe), __version__]
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
    folder = cache_folder() / "runs" / key / name
    if not folder.exists():
        make_folder(folder.parents[1])
        with FileLock(folder.parents[1] / f"{key}.lock"):
            if not folder.exists():  # nor made by another process meanwhile
                return convert(recipe, reference, folder)
    return open_run(folder)
