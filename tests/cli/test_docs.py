"""Every `kerazoo` command that README and docs show is one the CLI understands."""

import re
import shlex
from pathlib import Path

import click
import pytest

from kerazoo.cli import main
from kerazoo.files.recipes import recipe_files

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACEHOLDERS = {"RECIPE", "NAME"}


def commands(page):
    """Return the argument lists of the `kerazoo ...` lines in a page's shell blocks."""
    blocks = re.findall(r"^```(?:bash|sh|console)?\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in re.split(r"&&|;|\|", line.partition(" #")[0])]
    return [shlex.split(part)[1:] for part in parts if part.strip().startswith("kerazoo ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_commands_parse(page):
    for arguments in commands(page):
        name, command, rest = main.resolve_command(click.Context(main), arguments)
        if isinstance(command, click.Group):
            name, command, rest = command.resolve_command(click.Context(command), rest)
        context = command.make_context(name, rest)
        recipe = context.params.get("recipe")
        if recipe and not recipe.endswith(".py"):
            assert recipe in recipe_files() or recipe in PLACEHOLDERS, (page, arguments)


def test_there_are_commands_to_ask():
    assert sum(len(commands(page)) for page in PAGES) > 10
