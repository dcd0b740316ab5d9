"""Leaves the terminal to kerazoo: nothing that the libraries below it report is shown.

What went wrong they raise; what they log and warn of besides is about them, such as grain's "Failed to
load jax profiler" where JAX is not installed.
"""

import importlib.abc
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType


def hush() -> None:
    """Hide what libraries log, warn of and print; to be called before they are imported.

    Python's own switches bring it back: `-W` or PYTHONWARNINGS the warnings, TF_CPP_MIN_LOG_LEVEL the lines
    of TensorFlow and XLA.
    """
    # With a handler at the root neither Python nor absl nor TensorFlow adds one that prints.
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    hush_tensorflow()


def hush_tensorflow() -> None:
    """Hide what TensorFlow's C++ code writes, unless the user asked for a log level.

    TensorFlow 2.21 writes its first lines whatever TF_CPP_MIN_LOG_LEVEL says, so standard error is
    closed to it while it is imported. Setting that variable oneself brings them back.
    """
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
