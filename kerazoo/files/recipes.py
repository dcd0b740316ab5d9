"""The recipe files that come with kerazoo: their names, and what their docstrings say. Executes none."""

import ast
import dataclasses
import re
from collections.abc import Collection
from importlib import resources
from pathlib import Path

TASKS = ("segmentation", "classification", "detection", "pose", "translation", "few-shot", "verification")
"""In the order in which `kerazoo list` shows them."""


@dataclasses.dataclass(frozen=True)
class Description:
    """What the docstring of a recipe says of it.

    Attributes:
        name: such as "unet" or "unet-tiny".
        task: one of `TASKS`.
        learns: what it learns on its built-in data, and by which network.
        minutes: of that training on two CPU cores.
        estimated: nobody has measured them.
        text: the whole docstring.
    """

    name: str
    task: str
    learns: str
    minutes: float
    estimated: bool
    text: str


def recipe_files() -> dict[str, Path]:
    """Return `{name: file}` of the recipes; that of `tiny/unet.py` is "unet-tiny"."""
    folder = Path(str(resources.files("kerazoo.recipes")))
    files = {path.stem.replace("_", "-"): path for path in folder.glob("[!_]*.py")}
    twins = {twin_name(path.stem.replace("_", "-"), files): path for path in folder.glob("tiny/[!_]*.py")}
    return dict(sorted((files | twins).items()))


def twin_name(name: str, recipes: Collection[str]) -> str:
    """Return the name of a recipe's small twin: "unet-tiny"; "yolov4-twin", as "yolov4-tiny" is a recipe."""
    return f"{name}-tiny" if f"{name}-tiny" not in recipes else f"{name}-twin"


def is_tiny(name: str) -> bool:
    """Whether a recipe is the small twin of another."""
    return recipe_files()[name].parent.name == "tiny"


def docstring(path: Path) -> str:
    """Return the docstring of a file; a file without one has an empty one."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def describe_recipe(name: str, text: str) -> Description:
    """Return what a recipe's docstring says.

    Its first line is `Task: what it learns, by which network.`; the line of its first command,
    `kerazoo train NAME`, goes on with `MINUTES minutes`, or `about MINUTES minutes` if they are estimated.

    Raises:
        ValueError: it says no minutes.
    """
    task, _, learns = text.partition("\n")[0].partition(": ")
    line = re.search(rf"^ *kerazoo train {name} +(about )?([\d.]+) minutes?\b", text, re.MULTILINE)
    if line is None:
        raise ValueError(f"{name}: the docstring has no line 'kerazoo train {name}  N minutes'")
    about, minutes = line.groups()
    return Description(name, task.lower(), learns.removesuffix("."), float(minutes), bool(about), text)


def descriptions() -> list[Description]:
    """Return all recipes, grouped by task in the order of `TASKS`, by name in each."""
    cards = [describe_recipe(name, docstring(path)) for name, path in recipe_files().items()]
    return sorted(cards, key=lambda card: TASKS.index(card.task))
