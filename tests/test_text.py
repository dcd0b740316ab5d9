"""Names that others gave: printed without harm, drawn as they are or as escapes, refused in settings."""

import ast
import os
import re

import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.draw import add_caption, confusion_matrix, contact_sheet
from kerazoo.errors import UserError
from kerazoo.files.text import drawable, printable
from kerazoo.image import write_image
from kerazoo.recipe import load_recipe
from kerazoo.settings import from_plain, replace, to_plain
from tests.test_rules import SOURCES, TREES

NAMES = [
    "Käse",
    "猫",
    "犬",
    "caf\udce9",
    "\ud800",
    "\x1b[31m",
    "a\nb",
    "x" * 300,
    "",
    "ε",
    "\x9b2J",
    "a\u202eb",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Käse 猫 ñ \\", "Käse 猫 ñ \\"),
        ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
        ("a\r\nb\tc\x7f\x9b", "a\\u000d\\u000ab\\u0009c\\u007f\\u009b"),
        ("caf\udce9", "caf\\udce9"),
        ("a\u202egnp.exe\u2028", "a\\u202egnp.exe\\u2028"),
    ],
)
def test_what_is_printed(text, expected):
    assert printable(text) == expected


def test_an_error_is_one_line():
    assert str(UserError("a\nb is\x1b[0m", "do\u2028it")) == "a b is\\u001b[0m; do it"
    assert str(UserError("a\nb")) == "a b"


def test_what_is_drawn():
    assert drawable("Käse u\u0308ber") == "Käse über"
    assert drawable("猫 \x1b") == "\\u732b \\u001b"


def test_every_name_is_drawn_and_no_two_alike():
    image = np.full((60, 400, 3), 90, "uint8")
    captions = [add_caption(image, name).tobytes() for name in NAMES]
    assert len(set(captions)) == len(NAMES)
    assert len({contact_sheet([[image]], [name], [name]).tobytes() for name in NAMES}) == len(NAMES)
    assert confusion_matrix(np.eye(len(NAMES), dtype=int), NAMES).shape[2] == 3
    composed, apart = (add_caption(image, name) for name in ("ü", "u\u0308"))
    assert np.array_equal(composed, apart)


def test_a_text_that_does_not_fit_is_cut():
    image = np.full((200, 300, 3), 90, "uint8")
    shown = add_caption(image, "x" * 100_000)
    assert shown.shape == image.shape
    assert (shown[:, -4:] < 100).all()
    assert add_caption(np.zeros((1, 40_000, 3), "uint8"), "abc").shape == (1, 40_000, 3)


def test_settings_refuse_halves_of_characters():
    recipe = load_recipe("unetpp-tiny")
    for names in (["caf\udce9", "b", "c"], ["a", "b", "\ud800"]):
        with pytest.raises(UserError, match=r"family: the name '.*\\u.*' is not UTF-8: rename the file"):
            replace(recipe, {"family.names": names})
    with pytest.raises(UserError, match="is not UTF-8"):
        from_plain(to_plain(recipe) | {"weights": "a/\udcff.npz"})
    assert replace(recipe, {"family.names": ["Käse", "猫", "c"]}).family.names == ("Käse", "猫", "c")


def test_only_one_place_prints():
    for name in SOURCES:
        for node in ast.walk(TREES[name]):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "click.echo",
                "click.secho",
            ):
                assert re.search("printable|json.dumps", ast.unparse(node)), f"{name}: kerazoo.cli.say"


def test_a_strict_terminal_takes_any_name(tmp_path):
    def checked(*names):
        for name in names:
            for number in range(3):
                write_image(tmp_path / name / f"{number}.png", np.full((32, 32, 3), 40 * number, "uint8"))
        arguments = ["data", "check", "resnet20-cifar-tiny", "--data", str(tmp_path)]
        return CliRunner(charset="latin-1").invoke(main, arguments)

    told = checked("Käse 猫", "c")
    assert told.exit_code == 0, told.output
    assert "Käse \\u732b" in told.stdout
    told = checked("\x1b[31mred\nforged")
    assert told.exit_code == 2
    assert r"the folder '\x1b[31mred\nforged' has a name that cannot be printed" in told.stdout
    assert "\x1b" not in told.output


def test_a_class_whose_name_is_no_text_is_told(tmp_path):
    for name in ("a", os.fsdecode(b"caf\xe9")):
        write_image(tmp_path / "data" / name / "1.png", np.zeros((32, 32, 3), "uint8"))
    arguments = [
        "train",
        "resnet20-cifar-tiny",
        "--data",
        str(tmp_path / "data"),
        "--output",
        str(tmp_path / "r"),
    ]
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code == 2
    assert "the folder 'caf\\udce9' has a name that cannot be printed" in told.stderr
