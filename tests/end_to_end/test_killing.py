"""A few random kills; all twenty by `python -m tests.end_to_end.killing --times 20`."""

import platform
import subprocess
import time

import pytest

from tests.end_to_end import killing


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "times"), [("unetpp-tiny", 3), ("cyclegan-tiny", 1)])
def test_killed_trainings_resume_exactly(recipe, times):
    killing.main(times, seed=1, recipe=recipe)


@pytest.mark.slow
def test_resuming_a_live_training_is_refused_and_does_not_disturb_it(tmp_path):
    alone, live = tmp_path / "alone", tmp_path / "live"
    killing.train("unetpp-tiny", alone).communicate()
    process, refusals = killing.train("unetpp-tiny", live), []
    while not any(live.glob("resume/step-*")):
        assert process.poll() is None
        time.sleep(0.02)
    while process.poll() is None:
        command = killing.command("train", "--resume", str(live))
        refusals.append(subprocess.run(command, capture_output=True, text=True, check=False))
    first = refusals[0]
    assert (first.returncode, first.stderr.splitlines()[-1]) == (
        2,
        f"Error: {live} is being trained by process {process.pid} on {platform.node()}; "
        "wait for its end, or stop it first",
    )
    process.communicate()
    killing.compare(killing.outcome(live), killing.outcome(alone))
