"""The command line: one file per command, imported when the command is used.

A file `cli/NAME.py` holds a Click command called `command`, of at most ten lines
that call the library; its line of help stands here so that `kerazoo --help` imports none.
"""

import contextlib
import functools
import importlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

import kerazoo
from kerazoo.backend import BACKENDS, set_backend, use_device
from kerazoo.cli.quiet import hush
from kerazoo.errors import UserError
from kerazoo.files.text import printable

if TYPE_CHECKING:
    from rich.table import Column

GROUPS = {
    "Recipes": {
        "list": "List the recipes, by task.",
        "show": "Show a recipe with all its settings.",
    },
    "Training": {
        "data": "Check a data set, or convert its boxes.",
        "plan": "Show which settings fit your data and your time, and why.",
        "train": "Train a recipe; writes a run folder.",
        "evaluate": "Score a run on a split of its data.",
        "compare": "Score runs on the same images, and tell how they differ.",
        "adapt": "Turn a few images of new classes into a classifier.",
    },
    "Prediction": {
        "predict": "Run a trained network on images, videos and cameras.",
        "index": "Embed the images of a folder, to search it.",
        "export": "Write a run as SavedModel, ONNX, LiteRT or .keras.",
    },
    "Published weights": {
        "checkpoints": "List known published weights.",
        "convert": "Turn published weights into a run.",
    },
    "This machine": {
        "doctor": "Report versions, devices and what works.",
    },
}
COMMANDS = {name: text for commands in GROUPS.values() for name, text in commands.items()}


WARNINGS = 5
"""So many warnings about data are shown; `kerazoo data check` shows all."""


class _Refusal(click.ClickException):
    """Shown as "Error: <one line>" on standard error."""

    exit_code = 2


class _Commands(click.Group):
    """The group: commands are imported on use, and errors of the user shown in one line."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        if args is None:  # started by a shell: the whole process is ours, and not a part of a test
            hush()
        return super().main(args, *more, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"kerazoo.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _printable_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _printable_errors():
                return super().invoke(ctx)
        except UserError as error:
            raise _Refusal(str(error)) from error
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
    click.echo(_printable_lines(text), err=err)


def _printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def show_table(rows: Sequence[Sequence[str]], *columns: "Column", err: bool = False) -> None:
    """Print a table; on a terminal as wide as that is, elsewhere a line per row.

    Args:
        rows: a text for each column; it may be of several lines.
        columns: with their headings; none at all, a table without headings.
        err: on standard error.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, show_header=bool(columns))
    for row in rows:
        table.add_row(*map(_printable_lines, row))
    console = Console(markup=False, highlight=False, stderr=err)
    if not console.is_terminal:
        console.width = 1000
    console.print(table)


def complete_recipe(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a recipe."""
    from kerazoo.files.recipes import descriptions

    return [
        CompletionItem(recipe.name, help=recipe.learns)
        for recipe in descriptions()
        if recipe.name.startswith(incomplete)
    ]


def complete_run_folder(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the folder of a run."""
    return [CompletionItem(incomplete, type="dir")]


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a run as commands take it: its folder, or a recipe that stands for its newest run."""
    return complete_run_folder(ctx, param, incomplete) + complete_recipe(ctx, param, incomplete)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(kerazoo.__version__, prog_name="kerazoo")
def main() -> None:
    """Vision networks in Keras 3, from a folder of images to a served model."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error always is


def backend_option(command: Callable) -> Callable:
    """Give a command `--backend` and `--device`; both are decided before the body can import keras."""

    @functools.wraps(command)
    def on_device(*arguments: Any, device: str | None, **options: Any) -> Any:
        if device is not None:
            use_device(device)
        return command(*arguments, **options)

    backend = click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        callback=lambda _ctx, _param, value: set_backend(value),
        expose_value=False,
        help="Run on this backend [default: KERAS_BACKEND, else the first installed].",
    )
    help_text = "Run on the cpu or on gpu:N [default: a GPU if the backend sees one]."
    return backend(click.option("--device", metavar="DEVICE", help=help_text)(on_device))


def set_option(example: str) -> Callable[[Callable], Callable]:
    """Give a command the repeatable `--set KEY=VALUE`, as `assignments`."""
    text = f"Replace a setting, such as {example}."
    return click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=text)


direction_option = click.option(
    "--direction",
    type=click.Choice(["AtoB", "BtoA", "both"]),
    help="Translation: which way [default: both]. Short for --set family.direction=...",
)


def directed(direction: str | None) -> tuple[str, ...]:
    """Return what `direction_option` sets."""
    return () if direction is None else (f"family.direction={direction}",)


def warn(lines: Sequence[str]) -> None:
    """Show the first few warnings about data on standard error."""
    for line in lines[:WARNINGS]:
        say(f"warning: {line}", err=True)
    if len(lines) > WARNINGS:
        say(f"{len(lines) - WARNINGS} more warnings: see 'kerazoo data check'", err=True)


ways_option = click.option(
    "--ways", type=click.IntRange(min=2), help="Few-shot and Siamese: classes of an episode."
)
shots_option = click.option(
    "--shots", type=click.IntRange(min=1), help="Few-shot and Siamese: images of each class to learn from."
)

recipe_argument = click.argument("recipe", shell_complete=complete_recipe)
run_argument = click.argument("run", shell_complete=complete_run)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
