"""Mutated files make no reader fail otherwise than by an error that a user reads."""

import pytest

from tests.fuzz_readers import READERS
from tests.fuzzing import fuzz

MUTATIONS = 200


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_end_in_an_answer_or_in_one_line(name):
    assert fuzz(name, range(MUTATIONS)) == []
