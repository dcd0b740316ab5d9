"""What every test stands on: a known seed, a clean Keras, no network, the data where it is."""

import gc
import os
import socket
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kerazoo.backend.set_backend does
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import pytest

from kerazoo import backend as backends

SHARED = Path(os.environ.get("KERAZOO_SHARED", Path(__file__).parents[2] / "shared"))


WITHOUT_BACKEND = (
    "cli/test_data_check.py",
    "cli/test_data_convert.py",
    "cli/test_docs.py",
    "cli/test_documented_settings.py",
    "cli/test_group.py",
    "cli/test_list.py",
    "data/",
    "families/test_centernet_codec.py",
    "families/test_yolov4_codec.py",
    "tasks/test_detection_drawing.py",
    "tasks/test_detection_result_files.py",
    "tasks/test_detection_scores.py",
    "tasks/test_detection_suppression.py",
    "tasks/test_detection_tiling.py",
    "test_benchmarks.py",
    "test_boxes.py",
    "test_fetch.py",
    "test_files.py",
    "test_formats.py",
    "test_fuzz.py",
    "test_image.py",
    "test_listing.py",
    "test_metadata.py",
    "test_outputs.py",
    "test_pipeline.py",
    "test_reading.py",
    "test_rules.py",
    "test_settings.py",
    "test_skeleton.py",
    "test_structures.py",
    "test_text.py",
    "test_tiff.py",
    "test_video",
)
"""Tests of files, settings and NumPy alone: tox runs them in one environment."""


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here).as_posix()
        if path.startswith(WITHOUT_BACKEND) and path != "data/test_reading.py":  # which predicts
            item.add_marker("once")


@pytest.fixture(autouse=True)
def _clean_keras():
    """Give every test the same seed, Keras' own settings and fresh layer names."""
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _free_memory():
    """Let go of a file's networks, which refer to themselves: one process held 9 GB in the end."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Refuse connections that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a test reached for the network: {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _gpu_only(request):
    if request.node.get_closest_marker("gpu") and not backends.devices()[0].startswith("gpu"):
        pytest.skip("needs a GPU that the backend sees")


@pytest.fixture
def backend() -> str:
    """The name of the backend the tests run on."""
    return backends.name()


@pytest.fixture
def shared() -> Path:
    """The folder of real data and golden outputs, from KERAZOO_SHARED or beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared data at {SHARED}; set KERAZOO_SHARED")
    return SHARED
