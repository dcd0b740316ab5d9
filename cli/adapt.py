"""`kerazoo adapt`: a few images of new classes become a classifier."""

from pathlib import Path

import click

from kerazoo.cli import backend_option, complete_run_folder, say, set_option
from kerazoo.files.text import printable


@click.command("adapt")
@click.argument("run", shell_complete=complete_run_folder)
@click.option(
    "--support", type=Path, required=True, metavar="DIR", help="A folder of images for each new class."
)
@click.option("--output", type=Path, required=True, metavar="RUN2", help="Run folder to make.")
@set_option("family.test_steps=20")
@backend_option
def command(run: str, support: Path, output: Path, assignments: tuple[str, ...]) -> None:
    """Show RUN, of protonet, maml or reptile, some images of new classes.

    One image of each class is enough, five are better. RUN2 is a classifier of these classes.
    """
    from kerazoo.engine.adapt import adapt
    from kerazoo.run import find_run, with_settings

    classifier = adapt(with_settings(find_run(run), assignments), support, output)
    names = printable(", ".join(classifier.recipe.family.class_names()))
    folder = classifier.folder
    say(f"classes  {names}\nrun      {folder}\nnext:\n  kerazoo predict {folder} IMAGE_OR_FOLDER")
