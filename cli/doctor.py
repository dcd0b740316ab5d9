"""`kerazoo doctor`: what there is and what works on this machine."""

import json

import click

from kerazoo.backend import BACKENDS
from kerazoo.cli import json_option, say, show_table
from kerazoo.files.text import printable


@click.command()
@click.option("--backend", type=click.Choice(BACKENDS), help="Look at this backend.")
@json_option
@click.pass_context
def command(ctx: click.Context, backend: str | None, as_json: bool) -> None:
    """Report versions, devices and what works on this machine.

    Ends with exit code 2, and says what to do, if something needed does not work.
    """
    from kerazoo.engine.doctor import diagnose

    report = diagnose(backend)
    if as_json:
        say(json.dumps(report, indent=2))
    else:
        show_table([(key, _text(value)) for key, value in report.items() if key != "problems"])
    for problem in report["problems"]:
        say(f"Error: {problem}", err=True)
    ctx.exit(2 if report["problems"] else 0)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(printable(f"{name} {item}") for name, item in value.items())
    return printable(", ".join(value) if isinstance(value, list) else str(value))
