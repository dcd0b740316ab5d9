"""Which options of prediction a family takes: the others are refused here, for every verb."""

from kerazoo.errors import UserError
from kerazoo.task import PLAIN, Options, Task

CALLED = {
    "tile": ("tiles", "--tile"),
    "tta": ("test-time averaging", "--tta"),
    "boxes": ("boxes", "--boxes"),
    "results": ("files of other formats", "--results"),
}
"""Option -> what people call it, and how they ask for it."""


def options_for(
    family: Task,
    *,
    tile: int | None = None,
    tta: bool = False,
    boxes: bool = False,
    results: bool = False,
    batch_size: int = PLAIN.batch_size,
) -> Options:
    """Return the options of `family.infer`.

    Args:
        family: its `supports` says which options it takes.
        tile, tta, batch_size: as in `kerazoo.task.Options`.
        boxes: something else says where to look.
        results: files are wanted as other programs write them.

    Raises:
        UserError: the family does not support one of them.
    """
    wanted = {"tile": tile is not None, "tta": tta, "boxes": boxes, "results": results}
    for option, (name, flag) in CALLED.items():
        if wanted[option] and option not in family.supports:
            raise UserError(f"{type(family).__name__} has no {name}", f"leave {flag} out")
    return Options(tile, tta, batch_size)
