"""Settings: validation, overrides, and the round trip through JSON."""

import json

import pytest

from kerazoo import settings
from kerazoo.data.segmentation.masks import MaskClasses
from kerazoo.errors import UserError
from kerazoo.files.recipes import recipe_files
from kerazoo.recipe import load_recipe, overridden


@pytest.mark.parametrize("name", recipe_files())
def test_recipes_survive_json(name):
    recipe = load_recipe(name)
    assert settings.from_plain(json.loads(json.dumps(settings.to_plain(recipe)))) == recipe


def test_override_reaches_nested_settings():
    recipe = overridden(
        load_recipe("unetpp"),
        ["family.filters=[8,16]", "optimizer.learning_rate=0.5", "family.losses.dice=0"],
    )
    assert recipe.family.filters == (8, 16)
    assert recipe.optimizer.learning_rate == 0.5
    assert recipe.family.losses.dice == 0


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epoch=3", "unknown setting 'epoch'; did you mean 'epochs'"),
        ("family.filter=[1]", "unknown setting 'family.filter'; did you mean 'family.filters'"),
        ("data.siez=3", "unknown setting 'data.siez'; did you mean 'data.size'"),
        ("epochs=ten", "epochs: input should be a valid integer"),
        ("epochs=0", "epochs: input should be greater than or equal to 1"),
        ("family.filters=[8,-1]", "family.filters.1: input should be greater than"),
        ("family.mode=quick", "family.mode: input should be 'accurate' or 'fast'"),
        ("family.filters=8", "family.filters: input should be a valid list, got 8"),
        ("family=8", "family: input should be an object of "),
        ("epochs.x=1", "has no part 'x'"),
        ("epochs", "has no '='"),
        ("optimizer.learning_rate=Infinity", "optimizer.learning_rate: input should be a finite number"),
    ],
)
def test_wrong_overrides_are_told_in_one_line(assignment, message):
    with pytest.raises(UserError) as caught:
        overridden(load_recipe("unetpp"), [assignment])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "assignment", "valid"),
    [
        ("unet", "family.deviation=1", "family.std"),
        ("unet", "family.filtres=[4]", "did you mean 'family.filters'?"),
        ("unet", "optimizer.rate=1", "did you mean 'optimizer.learning_rate'?"),
        ("unet", "optimizer.learningrate=1", "did you mean 'optimizer.learning_rate'?"),
        ("unet", "batch=4", "did you mean 'batch_size'?"),
        ("unet", "augmentation.beyond=1", "augmentation.fill"),
        ("resnet50", "family.crop_share=1", "did you mean 'family.crop_pct'?"),
        ("protonet", "data.draws=[1,1,1]", "data.episodes_per_epoch"),
        ("cyclegan", "family.judge_width=4", "'family.discriminator_width'"),
    ],
)
def test_a_key_that_is_none_is_refused_with_the_valid_one(recipe, assignment, valid):
    with pytest.raises(UserError) as error:
        overridden(load_recipe(recipe), [assignment])
    key = assignment.partition("=")[0]
    assert str(error.value).startswith(f"unknown setting '{key}'; ")
    assert valid in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'unetpp'"):
        load_recipe("unetp")


def test_settings_from_json_import_nothing_foreign(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('executed')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="outside kerazoo"):
        settings.from_plain({"class": "evil:Recipe"})


@pytest.mark.parametrize(
    "name",
    [
        "kerazoo.run:Run",
        "kerazoo.engine.training.train:train",
        "kerazoo.nowhere:Thing",
        "kerazoo.structures.sample:Sample",
    ],
)
def test_settings_from_json_accept_only_settings(name):
    with pytest.raises(UserError, match="unknown class"):
        settings.from_plain({"class": name})


def described(**changes):
    """Return a recipe as JSON has it, after changes by dotted key; None removes one."""
    plain = json.loads(json.dumps(settings.to_plain(load_recipe("unetpp-tiny"))))
    for key, value in changes.items():
        *above, last = key.split("__")
        place = plain
        for name in above:
            place = place[name]
        place[last] = value
        if value is None:
            del place[last]
    return plain


def test_a_table_of_a_palette_survives_json():
    entries = ({"name": "a", "value": 0}, {"name": "b", "value": 1})
    table = MaskClasses(names=("a", "b"), entries=entries, palette={0: (0, 0, 0), 1: (255, 0, 0)})
    assert settings.from_plain(json.loads(json.dumps(settings.to_plain(table)))) == table


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        (described() | {"__dataclass_self__": 1}, "unknown setting '__dataclass_self__'"),
        (described(family__class=None), "settings hold an object that names no class"),
        (described(augmentation__class=None), "settings hold an object that names no class"),
        (described(family__filters=nested(900)), "settings are nested too deeply"),
        (described(family__filters=[10**400]), "the number 10000000000000000000..., which is too large"),
        (described(family__names=["a\udc80", "b", "c"]), r"the name 'a\udc80' is not UTF-8"),
        (described(family__class=["x"]), "which is no name"),
        (described(family__class="kerazoo.\udc80:X"), "which is no name"),
        (described(family__class="kerazoo.a\0:X"), "which is no name"),
        (described(family__class="kerazoo.task:Task"), "unknown class"),
        (described(family__filter=[2]), "unknown setting 'filter'; did you mean 'filters'"),
    ],
)
def test_settings_from_json_are_refused_in_one_line(plain, message):
    with pytest.raises(UserError) as caught:
        settings.from_plain(plain)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
