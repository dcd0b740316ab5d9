"""A few random kills; all twenty by `python -m tests.end_to_end.killing --times 20`."""

import pytest

from tests.end_to_end import killing


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "times"), [("unetpp-tiny", 3), ("cyclegan-tiny", 1)])
def test_killed_trainings_resume_exactly(recipe, times):
    killing.main(times, seed=1, recipe=recipe)
