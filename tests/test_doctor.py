"""The doctor: facts where things work, a line with a remedy where they do not."""

import importlib.util
import json
import sys

from click.testing import CliRunner

from kerazoo import backend as backends
from kerazoo.cli import main
from kerazoo.engine import doctor

EXPORT_NEEDS = "needs tensorflow: pip install 'kerazoo[export]'"


def test_a_healthy_machine(backend):
    report = doctor.diagnose()
    assert report["problems"] == []
    assert (report["backend"], report["devices"]) == (backend, backends.devices())
    assert report["packages"]["keras"]
    ready = bool(importlib.util.find_spec("tensorflow"))
    assert report["export"]["savedmodel"] == ("ready" if ready else EXPORT_NEEDS)
    assert report["memory"] > 0.1


def test_the_command_prints_a_table_or_json(backend):
    table = CliRunner().invoke(main, ["doctor"])
    assert (table.exit_code, table.stderr) == (0, "")
    assert backend in table.stdout
    plain = CliRunner().invoke(main, ["doctor", "--json"])
    assert json.loads(plain.stdout)["backend"] == backend


def test_no_backend_is_exit_code_2_with_a_remedy(monkeypatch):
    monkeypatch.setattr(backends, "installed", lambda: [])
    monkeypatch.setattr(sys, "modules", {key: value for key, value in sys.modules.items() if key != "keras"})
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 2
    assert "Error: no backend is installed; pip install 'kerazoo[tensorflow]'" in result.stderr


def test_an_opencv_that_does_not_load_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "kerazoo.media.opencv", raising=False)
    problems = doctor.diagnose()["problems"]
    assert len(problems) == 1
    assert "OpenCV does not load" in problems[0]
    assert "apt-get install libgl1" in problems[0]
