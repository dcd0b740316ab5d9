"""Folders that several tests of readers begin with."""

import pytest

from tests.keypoint_files import make_images


@pytest.fixture
def folder(tmp_path):
    """The images that `tests.keypoint_files` annotates; a module of other data has its own."""
    return make_images(tmp_path)
