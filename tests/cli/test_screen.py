"""Nothing stands on the screen but kerazoo's own words: commands as a shell starts them, on every backend."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerazoo import backend as backends
from kerazoo.files.recipes import TASKS, recipe_files

KERAZOO = str(Path(sys.executable).with_name("kerazoo"))
SPOKEN = ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS", "PYTHONWARNINGS", "MPLBACKEND")
"""What tests set and a newcomer has not."""

LIST = [r"recipe +learns +minutes *", f"({'|'.join(TASKS)}) *", rf"  ({'|'.join(recipe_files())}) .*~?[\d.]+"]
TRAIN = [
    r"  step \d+/\d+ · [\d.]+ images/s · [\d:]+ left",
    r"epoch \d/\d · loss [\d.]+ · mean_iou [\d.]+ · [\d.]+ images/s",
    r"mean_iou [\d.]+ in epoch \d",
    r"(run|images)   .*",
    "next:",
    "  kerazoo (predict|evaluate|export) .*",
]
PREDICT = [r".+\.(png|tif) -> .+_overlay.png.*"]
EXPORT = [
    r"savedmodel .*/1",
    r"largest difference from Keras \S+ \(sizes \d+x\d+, \d+x\d+; batches of 1 and 2\)",
    "serve it:",
    "  docker run .*",
]


def shown(environment, *arguments):
    """Return what stands on the screen after a command: standard output and error together."""
    command = [KERAZOO, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, env=environment, text=True, **pipes)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def foreign(lines, ours):
    return [line for line in lines if not any(re.fullmatch(pattern, line) for pattern in ours)]


def damaged_tiff(path):
    """Write an image whose name of a software is said to be longer than the file."""
    Image.fromarray(np.zeros((64, 64, 3), "uint8")).save(path, tiffinfo={305: "of more than four bytes"})
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack("<I", content[4:8])
    for entry in range(start + 2, start + 2 + 12 * content[start], 12):
        if struct.unpack("<H", content[entry : entry + 2]) == (305,):
            content[entry + 4 : entry + 8] = struct.pack("<I", 10**6)
    path.write_bytes(content)
    return path


@pytest.fixture(
    params=[
        pytest.param(name, marks=() if name == backends.name() else pytest.mark.slow)
        for name in backends.BACKENDS
    ]
)
def environment(request, tmp_path):
    """A newcomer's environment with one backend; JAX is not there but for itself."""
    name = request.param
    if name not in backends.installed():
        pytest.skip(f"{name} is not installed")
    variables = {key: value for key, value in os.environ.items() if key not in SPOKEN}
    if name != "jax":  # grain looks for it
        (tmp_path / "hidden").mkdir()
        (tmp_path / "hidden/jax.py").write_text("raise ImportError('no jax')")
        variables["PYTHONPATH"] = str(tmp_path / "hidden")
    return variables | {"KERAS_BACKEND": name}


def test_every_line_is_ours(environment, tmp_path):
    run = tmp_path / "run"
    quick = ["--epochs", 1, "--set", "data.train=8", "--set", "data.validation=2"]
    assert not foreign(shown(environment, "list", "--all"), LIST)
    assert not foreign(shown(environment, "train", "unetpp-tiny", "--output", run, *quick), TRAIN)
    images = run / "samples.png", damaged_tiff(tmp_path / "a.tif")
    assert not foreign(shown(environment, "predict", run, *images, "--output", tmp_path / "p"), PREDICT)
    if "tensorflow" in backends.installed():
        assert not foreign(shown(environment, "export", run, "--output", tmp_path / "x"), EXPORT)


@pytest.mark.parametrize(("switches", "heard"), [((), []), (("-W", "default"), ["a warning"])])
def test_what_libraries_report_is_hidden_unless_asked_for(switches, heard):
    code = (
        "from kerazoo.cli import quiet; quiet.hush()\n"
        "import logging, warnings; from absl import logging as absl\n"
        "logging.getLogger('jax').warning('a record'); absl.warning('a record'); logging.error('a record')\n"
        "warnings.warn('a warning')"
    )
    shown = subprocess.run([sys.executable, *switches, "-c", code], capture_output=True, text=True)
    assert re.findall("a record|a warning", shown.stderr) == heard
    assert shown.returncode == 0


def test_a_foreign_line_is_noticed():
    assert foreign(["next:", "WARNING:absl:Failed to load jax profiler", "Traceback"], TRAIN) == [
        "WARNING:absl:Failed to load jax profiler",
        "Traceback",
    ]
