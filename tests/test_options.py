"""Options of prediction: those that a family does not support are refused in one place."""

import pytest

from kerazoo.engine.options import options_for
from kerazoo.errors import UserError
from kerazoo.task import Options
from tests.tiny import TINY

WANTED = {
    "tile": ({"tile": 64}, Options(tile=64), "has no tiles; leave --tile out"),
    "tta": ({"tta": True}, Options(tta=True), "has no test-time averaging; leave --tta out"),
    "boxes": ({"boxes": True}, Options(), "has no boxes; leave --boxes out"),
}


@pytest.mark.parametrize("option", WANTED)
@pytest.mark.parametrize("name", TINY)
def test_only_supported_options_are_taken(name, option):
    family, (wanted, options, message) = TINY[name], WANTED[option]
    if option in family.supports:
        assert options_for(family, **wanted) == options
    else:
        with pytest.raises(UserError, match=f"{type(family).__name__} {message}"):
            options_for(family, **wanted)


def test_without_options_every_family_predicts():
    assert {options_for(family) for family in TINY.values()} == {Options()}
