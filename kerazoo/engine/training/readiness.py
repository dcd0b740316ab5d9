"""Whether a recipe can be trained on data of which nothing is broken."""

from kerazoo.data.loader import stream
from kerazoo.errors import UserError
from kerazoo.recipe import Recipe


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
