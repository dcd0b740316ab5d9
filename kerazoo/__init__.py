"""kerazoo: vision networks in Keras 3, from a folder of images to a served model.

The names below are loaded on first use, so importing kerazoo imports no backend.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kerazoo import models
    from kerazoo.engine.adapt import adapt
    from kerazoo.engine.compare import compare
    from kerazoo.engine.convert import convert
    from kerazoo.engine.evaluate import evaluate
    from kerazoo.engine.export import export
    from kerazoo.engine.index import index
    from kerazoo.engine.predict import predict
    from kerazoo.engine.training.train import train
    from kerazoo.errors import UserError
    from kerazoo.recipe import Recipe, load_recipe
    from kerazoo.run import open_run

__version__ = "0.1.0"
__all__ = [
    "Recipe",
    "UserError",
    "adapt",
    "compare",
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

_HOMES = {
    "Recipe": "recipe",
    "UserError": "errors",
    "adapt": "engine.adapt",
    "compare": "engine.compare",
    "convert": "engine.convert",
    "evaluate": "engine.evaluate",
    "export": "engine.export",
    "index": "engine.index",
    "load_recipe": "recipe",
    "open_run": "run",
    "predict": "engine.predict",
    "train": "engine.training.train",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kerazoo' has no attribute {name!r}")
    importlib.import_module("kerazoo.backend").set_backend()
    if name == "models":
        return importlib.import_module("kerazoo.models")
    return getattr(importlib.import_module(f"kerazoo.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
