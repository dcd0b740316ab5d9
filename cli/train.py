"""`kerazoo train`: from a recipe to a run folder."""

from typing import Any

import click

from kerazoo.cli import (
    backend_option,
    complete_recipe,
    complete_run_folder,
    set_option,
    shots_option,
    ways_option,
)


@click.command("train")
@click.argument("recipe", required=False, shell_complete=complete_recipe)
@click.option(
    "--data",
    metavar="DIR",
    help="Your data: images and masks, or a folder per class; the recipe's own by default. "
    "With --resume: where the run's data are now.",
)
@click.option(
    "--output",
    metavar="RUN",
    shell_complete=complete_run_folder,
    help="Run folder to make [default: runs/RECIPE-DATE-TIME].",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Passes over the data; with --resume, to train longer."
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples per step.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of weights, order and augmentation.")
@ways_option
@shots_option
@set_option("optimizer.learning_rate=0.001")
@click.option(
    "--init",
    metavar="RUN",
    shell_complete=complete_run_folder,
    help="Start from the weights of a run; its classes may differ.",
)
@click.option("--weights", metavar="REF", help="Start from published weights: a path, hf:// or https://.")
@click.option(
    "--resume", metavar="RUN", shell_complete=complete_run_folder, help="Continue a run that was interrupted."
)
@click.option(
    "--accept-changed-data", is_flag=True, help="With --resume: go on though the data have changed."
)
@click.option(
    "--plan",
    type=click.Choice(("on", "off")),
    help="Take settings from your data and your time, as 'kerazoo plan' shows them; what you set stays "
    "[default: on with data of your own, unless RECIPE is a file].",
)
@click.option(
    "--budget", metavar="TIME", help="Of a plan: 90s, 30m, 2h or steps:5000 [default: 30m, on a GPU 1h]."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check the data, build the network, time a few steps, and print sizes, memory and minutes. "
    "Makes no run.",
)
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print JSON.")
@backend_option
def command(**options: Any) -> None:
    """Train a RECIPE: a name from 'kerazoo list', or a .py file."""
    from kerazoo.cli import training

    training.run(**options)
