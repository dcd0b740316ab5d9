"""The command line: one file per command, imported when the command is used.

A file `cli/NAME.py` holds a Click command called `command`, of at most ten lines
that call the library; its line of help stands here so that `kerazoo --help` imports none.
"""

import contextlib
import importlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

import kerazoo
from kerazoo.backend import BACKENDS, set_backend
from kerazoo.cli.quiet import hush_tensorflow
from kerazoo.errors import UserError
from kerazoo.files.text import printable

COMMANDS = {
    "list": "List the recipes.",
    "show": "Show a recipe with all its settings.",
    "doctor": "Report versions, devices and what works on this machine.",
    "data": "Check a data set before training on it.",
    "train": "Train a recipe; writes a run folder.",
    "evaluate": "Score a run on a split of its data.",
    "predict": "Run a trained network on images, videos and cameras.",
    "index": "Embed a folder's images, to search it.",
    "export": "Write a run as SavedModel, ONNX, LiteRT or .keras.",
    "adapt": "Turn a few images of new classes into a classifier.",
    "convert": "Turn published weights into a run.",
    "checkpoints": "List known published weights.",
}


WARNINGS = 5
"""So many warnings about data are told; `kerazoo data check` tells all."""


class _Told(click.ClickException):
    """Shown as "Error: <one line>" on standard error."""

    exit_code = 2


class _Commands(click.Group):
    """The group: commands are imported on use, and errors of the user told in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"kerazoo.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _printable_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _printable_errors():
                return super().invoke(ctx)
        except UserError as error:
            raise _Told(str(error)) from error
        except KeyboardInterrupt:
            say("Interrupted.", err=True)
            ctx.exit(130)


@contextlib.contextmanager
def _printable_errors() -> Iterator[None]:
    """Make what Click says of arguments, which may be names of files, fit for a terminal."""
    try:
        yield
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]
        raise


def say(text: str, err: bool = False) -> None:
    """Print lines, in which names of files and classes may stand: the one way to the terminal.

    Args:
        text: lines, of which each is made `printable`; what the terminal's encoding lacks becomes escapes.
        err: on standard error.
    """
    click.echo("\n".join(map(printable, text.split("\n"))), err=err)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(kerazoo.__version__, prog_name="kerazoo")
def main() -> None:
    """Vision networks in Keras 3, from a folder of images to a served model."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error always is
    hush_tensorflow()


def backend_option(command: Callable) -> Callable:
    """Give a command `--backend`; decided, also by default, before the body can import keras."""
    return click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        callback=lambda _ctx, _param, value: set_backend(value),
        expose_value=False,
        help="Run on this backend [default: KERAS_BACKEND, else the first installed].",
    )(command)


def set_option(example: str) -> Callable[[Callable], Callable]:
    """Give a command the repeatable `--set KEY=VALUE`, as `assignments`."""
    told = f"Replace a setting, such as {example}."
    return click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=told)


direction_option = click.option(
    "--direction",
    type=click.Choice(["AtoB", "BtoA", "both"]),
    help="Of translations; short for --set family.direction=... [default: both].",
)


def directed(direction: str | None) -> tuple[str, ...]:
    """Return what `direction_option` sets."""
    return () if direction is None else (f"family.direction={direction}",)


def warn(lines: Sequence[str]) -> None:
    """Tell the first few warnings about data on standard error."""
    for line in lines[:WARNINGS]:
        say(f"warning: {line}", err=True)
    if len(lines) > WARNINGS:
        say(f"{len(lines) - WARNINGS} more warnings: see 'kerazoo data check'", err=True)


ways_option = click.option(
    "--ways", type=click.IntRange(min=2), help="Of few-shot and Siamese learning: classes of an episode."
)
shots_option = click.option(
    "--shots", type=click.IntRange(min=1), help="Of the same: images of each class to learn from."
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
