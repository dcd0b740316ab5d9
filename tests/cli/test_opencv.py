"""A machine where OpenCV does not load: one line with the remedy from every command that needs it."""

import subprocess
import sys

CODE = """
import sys

sys.modules["cv2"] = None
from click.testing import CliRunner
from kerazoo.cli import main

for line in sys.argv[1:]:
    result = CliRunner().invoke(main, line.split())
    print(result.exit_code, type(result.exception).__name__, result.output.strip().splitlines()[-1], sep="|")
"""


def test_one_line_with_the_remedy_wherever_opencv_is_needed(tmp_path):
    commands = [
        "list",
        "show unetpp-tiny",
        "data check pose-tiny",
        f"train unetpp-tiny --output {tmp_path}/a",
    ]
    commands += [f"train {name}-tiny --output {tmp_path}/b" for name in ("resnet20-cifar", "cyclegan")]
    call = [sys.executable, "-c", CODE, *commands]
    told = subprocess.run(call, capture_output=True, text=True, check=True)
    listed, *others = told.stdout.splitlines()
    assert listed.startswith("0|NoneType|")
    assert len(others) == 5
    for line in others:
        assert line.startswith("2|SystemExit|Error: OpenCV does not load: ")
        assert line.endswith("; or: pip install opencv-python-headless")
        assert "apt-get install libgl1 libglib2.0-0" in line
