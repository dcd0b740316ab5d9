"""The command group: lazy, quick, and honest about whose mistake it was."""

import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kerazoo import cli
from kerazoo.errors import UserError

KERAZOO = str(Path(sys.executable).with_name("kerazoo"))


def run(monkeypatch, body):
    """Run a command whose body is `body` below the group."""
    command = click.Command("trial", callback=body)
    monkeypatch.setattr(type(cli.main), "get_command", lambda self, ctx, name: command)
    return CliRunner().invoke(cli.main, ["trial"])


def raising(error):
    def body():
        raise error

    return body


def test_a_user_error_is_one_line_and_exit_code_2(monkeypatch):
    result = run(monkeypatch, raising(UserError("a.png: not\nan image", "remove it")))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: a.png: not an image; remove it\n"


def test_an_interrupt_is_exit_code_130(monkeypatch):
    result = run(monkeypatch, raising(KeyboardInterrupt()))
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")


def test_anything_else_is_a_bug_and_keeps_its_traceback(monkeypatch):
    result = run(monkeypatch, raising(ZeroDivisionError("bug")))
    assert isinstance(result.exception, ZeroDivisionError)
    assert result.exit_code == 1


def test_an_unknown_command_is_exit_code_2():
    result = CliRunner().invoke(cli.main, ["frobnicate"])
    assert result.exit_code == 2
    assert "No such command 'frobnicate'" in result.stderr


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name):
    result = CliRunner().invoke(cli.main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"main {name}" in result.stdout


def test_a_file_per_command():
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py")}
    assert set(cli.COMMANDS) <= files


def test_help_comes_at_once():
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        shown = subprocess.run([KERAZOO, "--help"], capture_output=True, text=True, check=True).stdout
        seconds.append(time.perf_counter() - start)
    assert all(name in shown for name in cli.COMMANDS)
    assert min(seconds) < 0.5


@pytest.mark.parametrize(("variables", "heard"), [({}, ""), ({"TF_CPP_MIN_LOG_LEVEL": "0"}, "banner")])
def test_tensorflow_starts_quietly_unless_asked(tmp_path, variables, heard):
    (tmp_path / "tensorflow.py").write_text("import os; os.write(2, b'banner')")
    code = "from kerazoo.cli import quiet; quiet.hush_tensorflow(); import os, tensorflow"
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"PYTHONPATH": str(tmp_path)} | variables
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).stderr.decode()
        == heard
    )
