"""Run the test suite in shards: separate processes, so that memory is given back.

XLA keeps memory for every compiled program; one process for the whole suite would
hold all of it. Each folder directly under tests/ is a shard, cut into pieces of at
most `PIECE` test files, since a process takes seconds to start (the default tier in
pieces of `QUICK_PIECE`; what takes longest in pieces of `LONG_PIECE`, to share it
out); the files directly in tests/ are one more. Two run at a time.

    python tests/shards.py [options for pytest, such as -m "not slow"]
    python tests/shards.py --retier     # everything; then slow.toml is written anew

The last line is `N passed, N failed, N skipped`, what failed named just before it; the
exit code is 0 only if nothing failed, something passed, and every process ended in
order.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 2
PIECE = 13
QUICK_PIECE = 16
LONG_PIECE = 8
LONGEST = ("conformance",)  # few files, many minutes: begun first
NOTHING_COLLECTED = 5
MESSAGE = 240  # characters of an error that the summary repeats
RETIER = "--retier"
QUICK = "not slow"  # of pytest's -m: the default tier
SHARED = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
_print_lock = threading.Lock()
_running: set[subprocess.Popen] = set()


def shards(tests: Path, piece: int = PIECE) -> dict[str, list[str]]:
    """Test files by shard name, what takes longest first."""
    groups: dict[str, list[Path]] = {}
    for file in sorted(tests.rglob("test_*.py")):
        folder = file.relative_to(tests).parts[0]
        groups.setdefault("tests" if folder == file.name else folder, []).append(file)
    found = {}
    for name, files in groups.items():
        pieces = -(-len(files) // (LONG_PIECE if name in LONGEST else piece))
        for i in range(pieces):
            label = name if pieces == 1 else f"{name} {i + 1}/{pieces}"
            # Strided, so that neighbours that are slow alike are spread out.
            found[label] = [str(file) for file in files[i::pieces]]

    def order(item: tuple[str, list[str]]) -> tuple[bool, int]:
        return item[0].partition(" ")[0] not in LONGEST, -len(item[1])

    return dict(sorted(found.items(), key=order))


def counts(junit: Path) -> Counter:
    """Passed, failed and skipped from pytest's XML; an error counts as failed."""
    total: Counter = Counter()
    for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
        number = {key: int(suite.get(key, 0)) for key in ("tests", "skipped")}
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        total["failed"] += bad
        total["skipped"] += number["skipped"]
        total["passed"] += number["tests"] - number["skipped"] - bad
    return total


def failures(junit: Path) -> list[str]:
    """What failed, a test and the first line of its error each, from pytest's XML."""
    found = []
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        for bad in (*case.findall("failure"), *case.findall("error")):
            message = (bad.get("message") or bad.text or "").strip() or bad.tag
            test = f"{case.get('classname')}::{case.get('name')}"
            found.append(f"{test}: {message.splitlines()[0][:MESSAGE]}")
    return found


def say(label: str, line: str) -> None:
    """One line of one shard, never mixed with another's."""
    with _print_lock:
        print(f"[{label}] {line}", flush=True)


def run(
    label: str, files: list[str], options: list[str], folder: Path
) -> tuple[Counter, list[str]]:
    """Run one shard to its end: its counts, and what failed; a crash is a failure."""
    junit = folder / f"{label.replace('/', '-').replace(' ', '-')}.xml"
    # The cache of failed tests is one file that two processes would overwrite.
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["--color=no", f"--junitxml={junit}", *options, *files]
    # Programs are compiled once a run, not once a module: JAX drops its own between
    # modules. A folder a thread, since JAX does not write its files atomically.
    programs = folder / "programs" / threading.current_thread().name
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=SHARED | {"JAX_COMPILATION_CACHE_DIR": str(programs)} | os.environ,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    _running.add(process)
    with process.stdout as lines:
        for line in lines:
            if line.strip():
                say(label, line.rstrip())
    # wait4 instead of wait: it also tells the peak memory.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    _running.discard(process)
    unit = 1 if sys.platform == "darwin" else 1024
    total = counts(junit) if junit.exists() else Counter()
    bad = failures(junit) if junit.exists() else []
    if code == NOTHING_COLLECTED and options:
        code = 0
    if code and not total["failed"]:
        say(label, f"ended with exit code {code} and no failed test: counted as one")
        total["failed"] = 1
        bad.append(f"{label}: ended with exit code {code}")
    seconds = time.perf_counter() - start
    say(label, f"{seconds:.0f} s, peak {usage.ru_maxrss * unit / 2**20:.0f} MiB")
    return total, bad


def main(options: list[str], tests: Path = ROOT / "tests") -> int:
    """Run every shard; the exit code."""
    total: Counter = Counter()
    bad: list[str] = []
    retier = RETIER in options
    options = [option for option in options if option != RETIER]
    piece = QUICK_PIECE if QUICK in options else PIECE
    if retier and options:
        sys.exit(f"{RETIER} measures every test: drop {' '.join(options)}")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [
            pool.submit(run, label, files, options, Path(folder))
            for label, files in shards(tests, piece).items()
        ]
        try:
            for job in jobs:
                counted, failed = job.result()
                total += counted
                bad += failed
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(_running):
                process.terminate()
            raise
        if retier and not total["failed"]:
            import tiers

            seconds: dict[str, list[float]] = {}
            for junit in Path(folder).glob("*.xml"):
                seconds |= tiers.times(junit)
            tiers.write(tiers.chosen(seconds))
    # Last, beside the counts: a log is often kept by its end alone.
    for line in bad:
        print(f"FAILED {line}")
    names = ("passed", "failed", "skipped")
    print(", ".join(f"{total[name]} {name}" for name in names), flush=True)
    return int(total["failed"] > 0 or total["passed"] == 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
