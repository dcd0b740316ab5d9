"""What a plan says: to people, to programs, and as a recipe file."""

from collections.abc import Iterable, Mapping
from typing import Any

from kerazoo import settings as plain
from kerazoo.engine.plan import Plan


def rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return what people read: setting, value, because; the user's own settings last."""
    told = [(d.setting, _text(d.value), d.because) for d in plan.decisions]
    fields = plain.flatten(plain.to_plain(plan.recipe))
    return told + [(d.setting, _text(fields.get(d.setting, "")), "yours") for d in plan.kept]


def _text(value: Any) -> str:
    return (
        "[" + ",".join(_text(each) for each in value) + "]"
        if isinstance(value, (tuple, list))
        else str(value)
    )


def plain_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON-ready data."""
    return {
        "decisions": [decision._asdict() for decision in plan.decisions],
        "yours": [decision.setting for decision in plan.kept],
        "minutes": plan.minutes,
    }


def recipe_text(plan: Plan, name: str, given: Mapping[str, Any]) -> str:
    """Return the text of a recipe file: the recipe `name`, what the user gave, and the plan.

    Settings of the data are left out: they are of the user's own, which `--data` names (`data_settings`).
    """
    values = {**given, **{decision.setting: decision.value for decision in plan.decisions}}
    lines = "".join(
        f"        {setting!r}: {value!r},\n" for setting, value in values.items() if not is_of_data(setting)
    )
    return (
        f'"""{name}, as planned for data of its own."""\n\n'
        "import kerazoo\nfrom kerazoo.settings import replace\n\n"
        f"recipe = replace(\n    kerazoo.load_recipe({name!r}),\n    {{\n{lines}    }},\n)\n"
    )


def data_settings(plan: Plan, assignments: Iterable[str]) -> list[str]:
    """Return the `KEY=VALUE` texts that a training by the written recipe needs besides `--data`."""
    theirs = [text for text in assignments if is_of_data(text)]
    return theirs + [f"{d.setting}={_text(d.value)}" for d in plan.decisions if is_of_data(d.setting)]


def is_of_data(setting: str) -> bool:
    """Whether a setting is one of the data."""
    return setting.strip().startswith("data.")
