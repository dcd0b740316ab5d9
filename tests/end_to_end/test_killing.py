"""A few random kills; all twenty by `python -m tests.end_to_end.killing --times 20`."""

import pytest

from tests.end_to_end import killing


@pytest.mark.slow
def test_killed_trainings_resume_exactly():
    killing.main(times=3, seed=1)
