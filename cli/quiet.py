"""Keeps TensorFlow's start-up lines off the terminal.

TensorFlow 2.21 writes them whatever TF_CPP_MIN_LOG_LEVEL says, so standard error is
closed to it while it is imported. Setting that variable oneself brings them back.
"""

import importlib.abc
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType


def hush_tensorflow() -> None:
    """Hide what TensorFlow's C++ code writes, unless the user asked for a log level."""
    if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == "tensorflow" else None
        if spec and spec.origin:
            spec.loader = _Silent(fullname, spec.origin)
        return spec


class _Silent(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        kept = os.dup(2)
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            super().exec_module(module)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
