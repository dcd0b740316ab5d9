"""What is wrong with data and a recipe for them: `kerazoo data check` and `kerazoo train` ask it here."""

import dataclasses
from collections.abc import Callable, Collection

from kerazoo.data.check import Report, check
from kerazoo.engine.plan import Asked, is_default, planned
from kerazoo.engine.training.readiness import obstacles
from kerazoo.errors import UserError
from kerazoo.recipe import Recipe, load_recipe, source


def inspected(
    recipe: Recipe,
    progress: Callable[[int, int], None] | None = None,
    given: Collection[str] | None = None,
) -> Report:
    """Read all data of a recipe, in the order of its family's classes, and tell all that is wrong with them.

    Args:
        recipe: to be trained.
        progress: as for `kerazoo.data.check.check`.
        given: the settings that stay when the training is planned; None, where it is not.
    """
    report = check(recipe.configured().data, progress)
    if report.problems:
        return report
    if given is not None:
        recipe = planned(recipe, report, given, gpu=False).recipe  # what is wrong is so on any device
    recipe = recipe.configured()
    problems = recipe.data.sampling_problems() or obstacles(recipe)
    return dataclasses.replace(report, problems=tuple(map(str, problems)))


def inspected_as_asked(name: str, asked: Asked) -> Report:
    """Return `inspected` of a recipe with what is asked; all problems where its classes are unknown.

    Args:
        name: of the recipe, or its file.
        asked: by the user.

    Raises:
        UserError: malformed options.
    """
    try:
        recipe = asked.recipe(name)
    except UserError:
        about_data = [text for text in asked.assignments if text.startswith("data.")]
        report = check(source(load_recipe(name), about_data, asked.data))
        if report.problems:
            return report
        raise
    return inspected(recipe, given=asked.settings() if is_default(name, recipe) else None)
