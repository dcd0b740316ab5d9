"""kerazoo: vision networks in Keras 3, from a folder of images to a served model.

The names below are loaded on first use, so importing kerazoo imports no backend.
A verb and the module that holds it share a name: `kerazoo.train` is always the
function, whatever was imported before; the module is `from kerazoo.train import ...`.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kerazoo import models
    from kerazoo.adapt import adapt
    from kerazoo.convert import convert
    from kerazoo.errors import UserError
    from kerazoo.evaluate import evaluate
    from kerazoo.export import export
    from kerazoo.index import index
    from kerazoo.predict import predict
    from kerazoo.recipe import Recipe, load_recipe
    from kerazoo.run import open_run
    from kerazoo.train import train

__version__ = "0.1.0"
__all__ = [
    "Recipe",
    "UserError",
    "adapt",
    "convert",
    "evaluate",
    "export",
    "index",
    "load_recipe",
    "models",
    "open_run",
    "predict",
    "train",
]

_HOMES = {"Recipe": "recipe", "load_recipe": "recipe", "UserError": "errors", "open_run": "run"}


class _Package(ModuleType):
    """A package whose public names stay what they are when a module of the same name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system sets `kerazoo.train` to the module; the name belongs to the function.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kerazoo' has no attribute {name!r}")
    importlib.import_module("kerazoo.backend").set_backend()
    home = importlib.import_module(f"kerazoo.{_HOMES.get(name, name)}")
    return home if name == "models" else getattr(home, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


sys.modules[__name__].__class__ = _Package
