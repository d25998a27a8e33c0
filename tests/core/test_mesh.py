"""The same run on one device, on four, and in two processes; and a process killed."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("mesh_program.py")
PATIENCE = 240


def started(*args):
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )


def lines(process):
    with process:
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err[-3000:]
    return [json.loads(line) for line in out.splitlines() if line[:1] in "[{"]


def two(what, folder):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    return [started(what, i, port, folder) for i in (0, 1)]


@pytest.fixture(scope="module")
def devices():
    return lines(started("devices"))


def test_four_devices_do_what_one_does(devices):
    assert [a["status"] for a, _ in devices] == ["budget", "certified", "certified"]
    for alone, spread in devices:
        assert alone["status"] == spread["status"]
        assert (alone["steps"], alone["sent"]) == (spread["steps"], spread["sent"])
        np.testing.assert_allclose(spread["x"], alone["x"], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_two_processes_do_what_one_does_and_obey_one_clock(devices, tmp_path):
    (run, late), (other, late_too) = map(lines, two("processes", tmp_path))
    assert run == other and (run["status"], run["steps"]) == ("budget", 100)
    np.testing.assert_allclose(run["x"], devices[0][1]["x"], rtol=1e-9, atol=1e-12)
    assert run["sent"]["up"] > 0
    # The second run ends where process 0 said, at the same step for both.
    assert late == late_too and late[0] == "budget"


@pytest.mark.slow
def test_a_killed_process_ends_the_run_with_its_best_point(tmp_path):
    survivor, killed = two("killed", tmp_path)
    ((status, reason, steps, finite),) = lines(survivor)
    assert killed.wait(PATIENCE) == 9
    assert status == "interrupted" and "another process of the mesh is gone" in reason
    assert "resume" in reason and steps > 0 and finite
    assert (tmp_path / "run0.json").exists()
