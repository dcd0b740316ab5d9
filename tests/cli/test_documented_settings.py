"""Every `--set KEY=VALUE` that README, docs and recipes show is one that the recipe takes."""

import contextlib
import functools
import importlib
import inspect
import json
import pkgutil
import re
import shlex

import click
import pytest

import kerazoo.data
from kerazoo.cli import main
from kerazoo.data.source import Source
from kerazoo.errors import UserError
from kerazoo.files.recipes import recipe_files
from kerazoo.recipe import load_recipe, parsed, recipe_path, source
from kerazoo.settings import build, check_names, replace
from tests.cli.test_docs import PAGES, commands

RECIPES = sorted(recipe_files())
SETTING = re.compile(r"--set\s+('[^']*'|\"[^\"]*\"|[^\s`]+)")


def told_in(name):
    """Return the argument lists of the commands in a recipe's docstring; a deeper line goes on."""
    text = recipe_path(name).read_text().split('"""')[1]
    joined = re.sub(r"\n {8}", " ", text)
    lines = [re.split(r" {3,}", line.strip())[0] for line in joined.splitlines()]  # then come the minutes
    return [shlex.split(line)[1:] for line in lines if line.startswith("kerazoo ")]


def settings_of(arguments):
    """Return the recipe that a command names or None, what it sets, and the data it is given."""
    name, command, rest = main.resolve_command(click.Context(main), list(arguments))
    if isinstance(command, click.Group):
        name, command, rest = command.resolve_command(click.Context(command), rest)
    values = command.make_context(name, rest).params
    recipe = values.get("recipe") if values.get("recipe") in RECIPES else None
    return recipe, list(values.get("assignments") or ()), values.get("data") or values.get("folder")


loaded = functools.cache(load_recipe)


@functools.cache
def readers():
    """Return the classes that read a user's data."""
    for module in pkgutil.walk_packages(kerazoo.data.__path__, "kerazoo.data."):
        importlib.import_module(module.name)
    kinds = [Source]
    for kind in kinds:
        kinds += kind.__subclasses__()
    whole = [kind for kind in kinds if not inspect.isabstract(kind)]
    return [kind for kind in whole if "path" in getattr(kind, "__dataclass_fields__", {})]


def reads(changes):
    """Whether a class that reads a user's data takes these settings of it."""
    for reader in readers():
        with contextlib.suppress(UserError):
            check_names(reader, changes, "data")
            return build(reader, {"path": "DIR"} | changes, "data") is not None
    return False


def apply(recipe, assignments, data=None):
    """Change a recipe as `--set` does; what is set of a user's own data, some reader has to take."""
    changes = parsed(assignments)
    about_data = {key.removeprefix("data."): changes.pop(key) for key in list(changes) if key[:5] == "data."}
    if data is None:
        source(loaded(recipe), [text for text in assignments if text.startswith("data.")])
    elif not reads(about_data):
        raise UserError(f"no data have {about_data}", "mend the page")
    return replace(loaded(recipe), changes) if changes else loaded(recipe)


def taken(assignment):
    """Whether any recipe takes it, with its own data or with a user's folder."""
    for recipe in RECIPES:
        for data in (None, "DIR"):
            try:
                apply(recipe, [assignment], data)
            except UserError:
                continue
            return True
    return False


def known(text):
    """Return a text with something real in place of what a reader has to fill in."""
    return text.replace("$CLASSES", '["sky","road"]')


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with the skeleton that the docs speak of."""
    monkeypatch.chdir(tmp_path)
    for name in ("mouse.json", "FILE.json"):
        (tmp_path / name).write_text(json.dumps({"points": ["nose", "tail"], "limbs": [[0, 1]]}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_pages_set_what_their_recipe_has(page):
    for arguments in commands(page):
        recipe, assignments, data = settings_of(arguments)
        if recipe is not None:
            apply(recipe, list(map(known, assignments)), data)


@pytest.mark.parametrize("name", RECIPES)
def test_commands_of_recipes_set_what_their_recipe_has(name):
    for arguments in told_in(name):
        recipe, assignments, data = settings_of(arguments)
        assert recipe in (name, None)
        apply(name, assignments, data)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_in_sentences_are_some_recipes(page):
    for match in SETTING.finditer(page.read_text()):
        assignment = known(match[1].strip("'\"").rstrip(".,:;)"))
        assert "=" not in assignment or taken(assignment), (page.name, assignment)


def test_there_are_settings_to_ask_and_wrong_ones_are_noticed():
    assert sum(len(settings_of(arguments)[1]) for name in RECIPES for arguments in told_in(name)) > 30
    assert sum(len(settings_of(arguments)[1]) for page in PAGES for arguments in commands(page)) > 20
    assert sum(len(SETTING.findall(page.read_text())) for page in PAGES) > 50
    assert not taken("family.filter=[1,2]")
    assert not taken("family.filters=many")
    with pytest.raises(UserError, match="filters"):
        apply("unetpp", ["family.filter=[1,2]"])
