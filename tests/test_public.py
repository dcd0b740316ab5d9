"""What `import kerazoo` shows, and what it costs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kerazoo
from kerazoo import backend, errors


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules a fresh interpreter has loaded after `code`."""
    code += "; import sys; print(*{name.split('.')[0] for name in sys.modules})"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_all_is_what_the_package_shows():
    tree = ast.parse(Path(kerazoo.__file__).read_text())
    typed = {
        alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in block.body
        for alias in statement.names
    }
    assert sorted(typed) == kerazoo.__all__ == sorted(kerazoo.__all__)
    assert dir(kerazoo) == sorted([*kerazoo.__all__, "__version__"])


@pytest.mark.parametrize("name", kerazoo.__all__)
def test_every_public_name_resolves(name):
    assert getattr(kerazoo, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kerazoo.nothing  # noqa: B018


def test_user_error_is_public():
    assert kerazoo.UserError is errors.UserError


@pytest.mark.parametrize("code", ["import kerazoo", "import kerazoo.recipe", "import kerazoo.cli"])
def test_light_modules_load_nothing_heavy(code):
    heavy = {"keras", "tensorflow", "torch", "jax", "cv2", "grain", "matplotlib"}
    assert not loaded_by(code) & heavy


def test_the_library_finds_the_installed_backend_by_itself(tmp_path):
    code = (
        "import sys, os; os.environ.pop('KERAS_BACKEND', None)\n"
        "import importlib.util as util; find = util.find_spec\n"
        "import kerazoo.backend as backend\n"
        "backend.installed = lambda: [backend_name]\n"
        "import kerazoo; kerazoo.models.unetpp\n"
        "import keras; assert keras.config.backend() == backend_name, keras.config.backend()\n"
    )
    for name in backend.installed():
        done = subprocess.run(
            [sys.executable, "-c", f"backend_name = {name!r}\n{code}"],
            env=os.environ | {"KERAS_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
