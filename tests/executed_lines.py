"""Which tests execute which lines of banach: recorded once, asked for many times.

    python tests/executed_lines.py            # the suite, recorded: half as long again

The record stands in `reports/executed`, a file of coverage and one of seconds for each
process of the suite. A line that jit had traced before a test came is not seen to be
executed by it, nor is what a test does in processes of its own.
"""

import json
import os
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "reports" / "executed"
ASKED = "BANACH_EXECUTED"  # the folder to record into, for the processes of the suite


def spent() -> float:
    """CPU seconds of this process and of those that it waited for."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


class Recorder:
    """A plugin of pytest: lines by test, and CPU seconds of each."""

    def __init__(self, folder: Path):
        import coverage

        self.seconds: dict[str, float] = {}
        self.file = folder / f"{os.getpid()}.json"
        self.lines = coverage.Coverage(
            data_file=str(self.file.with_suffix(".lines")),
            source=[str(ROOT / "src" / "banach")],
            config_file=False,
        )
        self.lines.start()

    def pytest_runtest_logstart(self, nodeid):
        """A test begins."""
        self.lines.switch_context(nodeid)
        self.began = spent()

    def pytest_runtest_logfinish(self, nodeid):
        """A test has ended."""
        self.seconds[nodeid] = spent() - self.began
        self.lines.switch_context("")

    def pytest_unconfigure(self):
        """All have."""
        self.lines.stop()
        self.lines.save()
        self.file.write_text(json.dumps(self.seconds), encoding="utf-8")


class Record:
    """What was recorded: `tests(file, line)`, and `seconds` by test."""

    def __init__(self, folder: Path = FOLDER):
        import coverage

        self.seconds: dict[str, float] = {}
        self.parts = []
        files = sorted(folder.glob("*.json"))
        self.since = min((file.stat().st_mtime for file in files), default=0.0)
        for file in files:
            self.seconds |= json.loads(file.read_text(encoding="utf-8"))
            part = coverage.CoverageData(str(file.with_suffix(".lines")))
            part.read()
            self.parts.append(part)
        if not self.parts:
            raise FileNotFoundError(
                f"nothing is recorded in {folder}: python tests/executed_lines.py"
            )

    def by_line(self, file: str) -> dict[int, set[str]]:
        """Tests by line of a file, such as src/banach/terms/l1.py."""
        if (ROOT / file).stat().st_mtime > self.since:
            raise ValueError(
                f"{file} is newer than what was recorded, and its lines may have "
                "moved: python tests/executed_lines.py"
            )
        found: dict[int, set[str]] = defaultdict(set)
        for part in self.parts:
            for place in part.measured_files():
                if place.endswith(f"/{file}"):
                    for line, tests in part.contexts_by_lineno(place).items():
                        found[line].update(test for test in tests if test)
        return found

    def tests(self, file: str, line: int) -> Iterator[str]:
        """Tests that execute a line, cheapest first; of any of the file if none do."""
        lines = self.by_line(file)
        found = lines.get(line) or set().union(*lines.values())
        yield from sorted(found, key=lambda test: (self.seconds.get(test, 0), test))


def pytest_configure(config):
    """Record, where the environment asks for it."""
    config.pluginmanager.register(Recorder(Path(os.environ[ASKED])))


def main() -> int:
    """Run the suite and record it; its exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    env = os.environ | {ASKED: str(FOLDER), "PYTEST_ADDOPTS": "-p executed_lines"}
    # The sources of this checkout, whatever an environment has installed.
    env["PYTHONPATH"] = os.pathsep.join(str(ROOT / d) for d in ("src", "tests"))
    return subprocess.call([sys.executable, "tests/shards.py"], cwd=ROOT, env=env)


if __name__ == "__main__":
    sys.exit(main())
