"""Exports side by side, and exports whose process is killed."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from kerazoo import backend
from kerazoo.engine.export import export
from kerazoo.engine.export.formats import NEEDS
from tests.export.test_export import made_run
from tests.tiny import TINY

IMPORTABLE = {"PYTHONPATH": os.pathsep.join(sys.path)}

CHILD = """
import sys, threading, time
from filelock import FileLock
from kerazoo.engine.export.worker import _end_with_parent
order = sys.stdin.readline().strip()
threading.Thread(target=_end_with_parent, daemon=True).start()
with FileLock(order):
    print("at work", flush=True)
    open(order + ".held", "w").close()
    time.sleep(120)
"""

PARENT = """
import os, sys
from kerazoo.engine.export.worker import _answered
_answered([sys.executable, "-c", sys.argv[1]], sys.argv[2], dict(os.environ))
"""


def test_the_child_ends_when_its_parent_is_killed(tmp_path):
    place = tmp_path / "lock"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD, str(place)], env=os.environ | IMPORTABLE)
    while not place.with_name("lock.held").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    with FileLock(place, timeout=30):  # the child holds it no longer
        pass


def test_what_a_child_says_comes_back(tmp_path):
    from kerazoo.engine.export.worker import _answered

    code = "import sys; print(input()); print('oh', file=sys.stderr); sys.exit(3)"
    assert _answered([sys.executable, "-c", code], "order", dict(os.environ)) == (3, "order\n", "oh\n")
    assert _answered([sys.executable, "-c", "raise SystemExit(4)"], "x" * 2**20, dict(os.environ))[0] == 4


needs_tensorflow = pytest.mark.skipif(backend.name() != "tensorflow", reason="exports in this process")


@needs_tensorflow
def test_of_two_exports_at_once_each_takes_a_version(tmp_path, monkeypatch):
    from kerazoo.engine.export import savedmodel

    run, write, made = made_run(TINY["unetpp"], tmp_path / "run"), savedmodel.write, []

    def interrupted(*arguments):
        monkeypatch.setattr(savedmodel, "write", write)
        made.append(export(run))
        write(*arguments)

    monkeypatch.setattr(savedmodel, "write", interrupted)
    made.append(export(run))
    assert [path.name for path in made] == ["1", "2"]
    entries = json.loads((run.folder / "export" / "export.json").read_text())
    assert [*entries] == ["run/1", "run/2"]
    assert all("sha256" in entry["files"]["saved_model.pb"] for entry in entries.values())


@pytest.mark.slow
@pytest.mark.skipif(
    any(not importlib.util.find_spec(name) for name in NEEDS["onnx"]), reason="export needs its packages"
)
def test_a_killed_export_leaves_nothing_that_the_next_does_not_clear(tmp_path):
    run = made_run(TINY["unetpp"], tmp_path / "run")
    command = [sys.executable, "-c", "from kerazoo.cli import main; main()", "export", str(run.folder)]
    output = run.folder / "export" / "run"
    with subprocess.Popen(command, env=os.environ | IMPORTABLE) as killed:
        while not any(output.glob(".*")):
            assert killed.poll() is None
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
    time.sleep(5)  # for the child, where there is one
    assert not any(output.glob("[0-9]*"))
    subprocess.run(command, env=os.environ | IMPORTABLE, check=True, capture_output=True)
    assert [path.name for path in output.iterdir()] == ["1"]
