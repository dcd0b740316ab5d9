"""Validated, frozen settings that survive a round trip through JSON.

Every setting of kerazoo (a family, a data source, an optimizer, a recipe) is a
class decorated with `settings`. In JSON each is an object that names its class
under "class", so a run can be opened without executing anything of the run's
author: only classes of kerazoo itself (or of a module the user names) are
imported, and only those made by `settings` are accepted.
"""

import dataclasses
import difflib
import importlib
import inspect
import json
import re
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, dataclass_transform

import pydantic
import pydantic.dataclasses
from pydantic_core import ArgsKwargs

from kerazoo.errors import UserError
from kerazoo.files.text import is_unicode

DEEPEST = 32
"""Objects and lists inside each other that settings in JSON may have."""

_BY_HAND = "was the file edited by hand? restore it from a copy"
_MARK = "__kerazoo_settings__"
_CHECK = "_unicode"
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_PLAIN = {
    r"(a dictionary or )?an instance of": "an object of",
    r"\bdictionary\b": "object",
    r"\btuple\b": "list",
    r"\bTuple\b": "List",
    r" after validation": "",
}
"""Words of Python in pydantic's messages, and what they are in JSON."""

_CONFIG = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type) -> type:
    """Make `cls` a frozen, keyword-only dataclass whose fields are validated.

    A wrong value raises `pydantic.ValidationError`, which `validation_error` turns into the
    line a user reads. So does a text that is no Unicode, which no file of a run could hold.
    """
    setattr(cls, _CHECK, pydantic.model_validator(mode="before")(_refuse_broken_text))
    dataclass = pydantic.dataclasses.dataclass(cls, frozen=True, kw_only=True, config=_CONFIG)
    setattr(dataclass, _MARK, True)
    return dataclass


def _refuse_broken_text(arguments: Any) -> Any:
    """Refuse texts with lone surrogates, which Python makes of file names that are not UTF-8."""
    rest = [
        arguments.kwargs if isinstance(arguments, ArgsKwargs) else arguments
    ]  # or settings that were made before
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += value.items()
        elif isinstance(value, (list, tuple)):
            rest += value
        elif isinstance(value, (str, Path)) and not is_unicode(str(value)):
            raise ValueError(f"the name {str(value)!r} is not UTF-8: rename the file, folder or class")
    return arguments


def validation_error(error: pydantic.ValidationError, where: str = "") -> UserError:
    """Return the one-line `UserError` for a validation error, with the nearest valid name.

    Args:
        error: what pydantic raised.
        where: prefix of the offending key, such as "family".
    """
    parts = []
    for item in error.errors():
        key = _json_words(".".join([where, *(str(part) for part in item["loc"])]).strip("."))
        own = item["type"] == "value_error"
        message = item["msg"].removeprefix("Value error, ") if own else _json_words(item["msg"])
        got = "" if own else f", got {item['input']!r}"
        prefix = f"{key}: " if key else ""
        parts.append(f"{prefix}{message[:1].lower()}{message[1:]}{got}")
    return UserError("; ".join(parts), "correct the value")


def _json_words(text: str) -> str:
    """Return pydantic's words as those of JSON, which users write."""
    for word, plain in _PLAIN.items():
        text = re.sub(word, plain, text)
    return text


def nearest(name: str, valid: list[str]) -> str:
    """Return the remedy: the most similar of the `valid` names, or all of them."""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"choose one of: {', '.join(valid)}"


def names(value: Any) -> list[str]:
    """Return the field names of a settings instance or class."""
    return [field.name for field in dataclasses.fields(value)]


def replace(value: Any, changes: dict[str, Any], where: str = "") -> Any:
    """Return `value` with dotted fields replaced: `{"family.filters": [8, 16]}`.

    Raises:
        UserError: an unknown key (the nearest valid one is named) or a wrong type.
    """
    nested: dict[str, dict[str, Any]] = {}
    direct: dict[str, Any] = {}
    for key, new in changes.items():
        head, _, rest = key.partition(".")
        check_names(value, [head], where)
        if rest and not is_settings(getattr(value, head)):
            raise UserError(f"setting {where or head!r} has no part {rest!r}", f"set {head} itself")
        if rest:
            nested.setdefault(head, {})[rest] = new
        else:
            direct[head] = new
    for head, inner in nested.items():
        path = ".".join(filter(None, [where, head]))
        whole = direct.pop(head, {})
        if not isinstance(whole, dict):
            raise UserError(f"{path} is set both whole and in parts", "set one or the other")
        direct[head] = replace(getattr(value, head), whole | inner, path)
    return build(type(value), {**fields(value), **direct}, where)


def check_names(value: Any, keys: Iterable[str], where: str = "") -> None:
    """Raise a `UserError` that names the nearest valid field for a key `value` does not have."""
    for key in keys:
        if key not in names(value):
            prefix = f"{where}." if where else ""
            raise UserError(f"unknown setting {prefix + key!r}", _nearest_field(key, names(value), prefix))


def _nearest_field(key: str, valid: list[str], prefix: str) -> str:
    """Return the remedy that names the fields spelt like `key` or with a word of it; a guess, and all."""
    words = set(key.split("_"))
    related = [name for name in valid if words & set(name.split("_"))]
    sure = difflib.get_close_matches(key, valid, n=1, cutoff=0.8) or related
    likely = sure or difflib.get_close_matches(key, valid, n=1, cutoff=0.6)
    remedies = [f"did you mean {' or '.join(repr(prefix + name) for name in likely)}?"] if likely else []
    if not sure:
        remedies.append(f"choose one of: {', '.join(prefix + name for name in valid)}")
    return " ".join(remedies)


def build(cls: type, values: dict[str, Any], where: str = "") -> Any:
    """Construct settings; raise a `UserError` for an unknown field or a wrong value."""
    check_names(cls, values, where)
    try:
        return cls(**values)
    except pydantic.ValidationError as error:
        raise validation_error(error, where) from None


def fields(value: Any) -> dict[str, Any]:
    """Return `{field name: value}`, one level deep."""
    return {name: getattr(value, name) for name in names(value)}


def fields_of(value: Any, kind: type) -> dict[str, Any]:
    """Return the fields of `value` that its base class `kind` defines, as `{name: value}`."""
    return {name: getattr(value, name) for name in names(kind)}


def is_settings(value: Any) -> bool:
    """Whether `value` is an instance (or class) made by `settings`."""
    return getattr(value, _MARK, False)


def to_plain(value: Any) -> Any:
    """Return `value` as JSON-ready data; settings become objects that name their class."""
    if is_settings(value):
        name = f"{type(value).__module__}:{type(value).__qualname__}"
        return {"class": name} | {key: to_plain(item) for key, item in fields(value).items()}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def flatten(plain: dict[str, Any], where: str = "") -> dict[str, Any]:
    """Return `to_plain`'s data as `{dotted key: value}`, without the classes."""
    flattened: dict[str, Any] = {}
    for key, value in plain.items():
        if isinstance(value, dict):
            flattened |= flatten(value, f"{where}{key}.")
        elif key != "class":
            flattened[f"{where}{key}"] = value
    return flattened


def from_plain(value: Any, modules: tuple[str, ...] = ("kerazoo",)) -> Any:
    """Return the settings that `to_plain` described.

    Args:
        value: decoded JSON.
        modules: top-level modules whose settings may be imported.

    Raises:
        UserError: a class outside `modules`, an unknown class, an object without one, or wrong values.
    """
    return _from_plain(value, modules, DEEPEST)


def _from_plain(value: Any, modules: tuple[str, ...], deepest: int, *, mapping: bool = False) -> Any:
    if not deepest:
        raise UserError("settings are nested too deeply", _BY_HAND)
    if isinstance(value, list):
        return tuple(_from_plain(item, modules, deepest - 1) for item in value)
    if not isinstance(value, dict):
        return _check_number(value)
    if mapping:
        return {key: _from_plain(item, modules, deepest - 1) for key, item in value.items()}
    if "class" not in value:
        raise UserError(f"settings hold an object that names no class: {str(value)[:80]}", _BY_HAND)
    cls = _settings_class(value["class"], modules)
    plain = {
        key: _from_plain(item, modules, deepest - 1, mapping=_is_mapping(cls, key))
        for key, item in value.items()
        if key != "class"
    }
    return build(cls, plain)


def _is_mapping(cls: Any, key: str) -> bool:
    """Whether a field of settings is a mapping, which in JSON is an object without a class."""
    field = cls.__pydantic_fields__.get(key)
    origin = typing.get_origin(field.annotation) if field else None
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _check_number(value: Any) -> Any:
    """Return a value; refuse integers of more than 64 bits."""
    if isinstance(value, int) and abs(value) >= 2**63:
        raise UserError(f"settings hold the number {str(value)[:20]}..., which is too large", _BY_HAND)
    return value


def _settings_class(name: str, modules: tuple[str, ...]) -> type:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"settings name a class {str(name)[:80]!a}, which is no name", _BY_HAND)
    module, _, attribute = name.partition(":")
    if module.split(".")[0] not in modules:
        raise UserError(
            f"settings name the class {name!r} from outside kerazoo",
            "if you trust it, open it from Python: kerazoo.open_run(path, modules=(...,))",
        )
    try:
        cls = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        cls = None
    if not isinstance(cls, type) or not is_settings(cls) or inspect.isabstract(cls):
        raise UserError(f"settings name an unknown class {name!r}", "was the run made by a newer kerazoo?")
    return cls


def parse_value(text: str) -> Any:
    """Return the value of `--set KEY=text`: decoded JSON, or else the text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)
