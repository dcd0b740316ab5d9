"""Whether a recipe can be trained on its data: `kerazoo data check` and `kerazoo train` ask it here."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from kerazoo.data.check import Report, check
from kerazoo.data.loader import stream
from kerazoo.errors import UserError
from kerazoo.recipe import Recipe, overridden, source


def inspected(recipe: Recipe, progress: Callable[[int, int], None] | None = None) -> Report:
    """Read all data of a recipe, in the order of its family's classes, and tell all that is wrong with them.

    Args:
        recipe: to be trained.
        progress: as for `kerazoo.data.check.check`.
    """
    recipe = recipe.configured()
    report = check(recipe.data, progress)
    if report.problems:
        return report
    return dataclasses.replace(report, problems=tuple(map(str, obstacles(recipe))))


def inspected_as_asked(
    recipe: Recipe, assignments: Sequence[str], data: str | None, episodes: Mapping[str, int | None]
) -> Report:
    """Return `inspected` of a recipe after a command's options; all problems where its classes are unknown.

    Args:
        recipe, assignments, data, episodes: as for `kerazoo.recipe.overridden`.

    Raises:
        UserError: malformed options.
    """
    try:
        changed = overridden(recipe, assignments, data, episodes)
    except UserError:
        about_data = [text for text in assignments if text.startswith("data.")]
        report = check(source(recipe, about_data, data))
        if report.problems:
            return report
        raise
    return inspected(changed)


def obstacles(recipe: Recipe) -> list[UserError]:
    """Return what keeps a recipe from being trained on data of which nothing is broken.

    Args:
        recipe: with its data `ordered`.

    Raises:
        UserError: the data cannot be used at all.
    """
    errors = [
        UserError(f"the data have no {split} samples", "train needs both: see data.validation")
        for split in ("train", "val")
        if len(recipe.data.samples(split)) == 0
    ]
    names = recipe.data.class_names()
    if not recipe.family.accepts(names):
        message = f"the data have {len(names)} classes ({', '.join(names)})"
        errors.append(UserError(f"{message}, the family {len(recipe.family.class_names())}",
                               "leave family.classes out: it is taken from the data"))  # fmt: skip
    return errors or _unlike_in_size(recipe)


def _unlike_in_size(recipe: Recipe) -> list[UserError]:
    """Make one batch, and return why it cannot be made: what does not stack or fit the network."""
    samples = recipe.data.samples("train")
    batches = stream(samples, recipe.family, recipe.augmentation, batch=recipe.batch_size, seed=recipe.seed)
    try:
        batches[0]
    except UserError as error:
        return [error]
    except ValueError as error:
        if recipe.augmentation.crop is not None:
            raise
        reason = str(error).partition("\n")[0][:100]
        return [UserError(f"the images differ in size ({reason})", "set augmentation.crop=[height,width]")]
    return []
