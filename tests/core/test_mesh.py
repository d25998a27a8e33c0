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
    said = [line for line in out.splitlines() if line.startswith("said ")]
    return [json.loads(line.removeprefix("said ")) for line in said]


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
    first, second = two("processes", tmp_path)
    with second:
        (run, late, again), (other, late_too, _) = lines(first), lines(second)
    assert run == other and (run["status"], run["steps"]) == ("budget", 100)
    np.testing.assert_allclose(run["x"], devices[0][1]["x"], rtol=1e-9, atol=1e-12)
    assert run["sent"]["up"] > 0
    # The second run ends where process 0 said, at the same step for both.
    assert late == late_too and late[0] == "budget"
    # Stopped after 60 steps and begun again from files: as if it had never stopped.
    assert again == run


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_never_hangs(tmp_path):
    survivor, killed = two("killed", tmp_path)
    with killed, survivor:
        killed.communicate(timeout=PATIENCE)
        out, err = survivor.communicate(timeout=PATIENCE)
    assert killed.returncode == 9
    if survivor.returncode == 0:
        (said,) = [v for v in out.splitlines() if v.startswith("said ")]
        status, reason, steps, finite = json.loads(said.removeprefix("said "))
        assert status == "interrupted" and steps > 0 and finite
        assert "another process of the mesh is gone" in reason and "resume" in reason
    else:
        # It died inside a collective: the coordinator ends the survivor, in words.
        assert "another task died" in err
