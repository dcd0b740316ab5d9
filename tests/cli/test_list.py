"""`kerazoo list`, what the docstrings of the recipes say, and what a shell completes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.files.recipes import TASKS, describe_recipe, descriptions, docstring, is_tiny, recipe_files
from kerazoo.recipe import load_recipe

KERAZOO = str(Path(sys.executable).with_name("kerazoo"))


def kerazoo(*arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def completed(*words):
    """Return what bash is told to complete the last word with."""
    variables = {"_KERAZOO_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("kerazoo", *words))}
    environment = os.environ | variables | {"COMP_CWORD": str(len(words))}
    return subprocess.run([KERAZOO], env=environment, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize("name", recipe_files())
def test_a_docstring_says_task_and_minutes(name):
    recipe = describe_recipe(name, docstring(recipe_files()[name]))
    (room,) = {
        base.__module__.split(".")[2].replace("fewshot", "few-shot")
        for base in type(load_recipe(name).family).__mro__
        if base.__module__.startswith("kerazoo.tasks.") and base.__module__ != "kerazoo.tasks.images"
    }
    assert recipe.task == room
    assert 0 < recipe.minutes
    assert not is_tiny(name) or recipe.minutes <= 1
    assert "by " in recipe.learns
    assert len(recipe.learns) <= 60, "too wide for a terminal of 80 columns"


def test_a_docstring_without_minutes_is_told():
    with pytest.raises(ValueError, match="unet: the docstring has no line 'kerazoo train unet  N minutes'"):
        describe_recipe(
            "unet", "Segmentation: cells.\n\nkerazoo train unet\nkerazoo train unet --data 3 minutes\n"
        )


def test_recipes_are_listed_by_task():
    lines = kerazoo("list").splitlines()
    assert [line.strip() for line in lines if line[0] not in " r"] == list(TASKS)
    assert "unetpp cells and membranes, by UNet++ 2.5" in [" ".join(line.split()) for line in lines]
    assert not [line for line in lines if "-tiny" in line and "yolov4-tiny" not in line]
    assert "unetpp-tiny" in kerazoo("list", "--all")


def test_the_list_as_json_has_all_of_it():
    recipes = json.loads(kerazoo("list", "--json", "--all"))
    assert {recipe["name"] for recipe in recipes} == set(recipe_files())
    (unet,) = [recipe for recipe in recipes if recipe["name"] == "unet"]
    assert (unet["task"], unet["minutes"]) == ("segmentation", 3.7)
    assert "kerazoo train unet --data DIR" in unet["text"]
    assert json.loads(kerazoo("list", "--json")) == [r for r in recipes if not is_tiny(r["name"])]


def test_the_list_is_quick():
    code = (
        "import sys; from kerazoo.cli import main; main(['list'], standalone_mode=False)\n"
        "print(*{'grain', 'jax', 'keras', 'numpy', 'tensorflow', 'torch'} & sys.modules.keys(), 'loaded')"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "loaded"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(shell):
    environment = os.environ | {"_KERAZOO_COMPLETE": f"{shell}_source"}
    shown = subprocess.run([KERAZOO], env=environment, capture_output=True, text=True, check=True)
    assert f"_KERAZOO_COMPLETE={shell}_complete" in shown.stdout
    assert not shown.stderr


def test_a_shell_completes_recipes_and_runs():
    assert completed("train", "unetpp-r") == ["plain,unetpp-resnet34", "plain,unetpp-resnet34-tiny"]
    assert completed("show", "sia") == ["plain,siamese", "plain,siamese-tiny"]
    assert completed("predict", "run") == ["dir,run"]
    assert completed("evaluate", "fcn") == ["dir,fcn", "plain,fcn8s", "plain,fcn8s-tiny"]
    assert completed("train", "--resume", "runs/u") == ["dir,runs/u"]
    assert len(completed("train", "")) == len(descriptions())
