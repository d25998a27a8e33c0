"""Prove one method: reference, mutants, card, hyperparameters, beds, claim, style.

    python tests/prove.py NAME        (make check METHOD=NAME)

Nothing is installed. Runs on all problems of the conformance suite are interpreted;
compiling for one takes seconds: that is begun, problem after problem, as long as
`AFFORDABLE` seconds have not passed. Those left out are named, and belong to make test.
The last line says whether the method is proved; the exit code is 0 only then.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC, TESTS = ROOT / "src", ROOT / "tests"
AFFORDABLE = 20.0
COMPILED = "the compiled loop on its beds"
SUITES = {
    "test_references": "reference to 1e-10, mutants",
    "test_cards": "card, files, refusals",
    "test_hyperparameters": "hyperparameters",
    "test_runs": "whole runs on its beds",
    "test_compiled": COMPILED,
}
OWN = "its own tests"


class Proof:
    """A plugin of pytest: the tests of one method, and what became of them."""

    def __init__(self, name: str, began: float):
        self.name, self.began = name, began
        self.passed: Counter = Counter()
        self.failed: dict[str, list[str]] = {}  # tests by the words they ended in
        self.beds: list[str] = []
        self.compiled: list[str] = []
        self.left: list[str] = []

    def concerns(self, item) -> bool:
        """Whether a test is about this method."""
        if suite(item) == OWN:
            return True
        params = getattr(item, "callspec", None) and item.callspec.params
        for value in (params or {}).values():
            if self.name in (value, value[0] if isinstance(value, tuple) else None):
                return True
        return False

    def pytest_collection_modifyitems(self, config, items):
        """Keep this method's tests."""
        gone = [item for item in items if not self.concerns(item)]
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if self.concerns(item)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        """Compile for another bed only where that can be afforded."""
        pair = getattr(item, "callspec", None) and item.callspec.params.get("case")
        if not isinstance(pair, tuple):
            return
        bed = pair[1]
        if suite(item) != COMPILED:
            self.beds += [bed] * (bed not in self.beds)
            return
        if bed not in self.compiled + self.left:
            late = self.compiled and time.perf_counter() - self.began > AFFORDABLE
            (self.left if late else self.compiled).append(bed)
        if bed in self.left:
            pytest.skip("left to make test")

    def pytest_collectreport(self, report):
        """A file that cannot be read is a failure."""
        if report.failed:
            self.fails(report, report.longreprtext.strip().splitlines())

    def pytest_runtest_logreport(self, report):
        """Count, and keep the words of what failed."""
        if report.failed:
            cures = [
                f"cure: {text}" for name, text in report.sections if name == "cure"
            ]
            said = report.longreprtext.strip().splitlines()[-12:]
            self.fails(report, [*said, *cures])
        elif report.when == "call" and report.passed:
            self.passed[suite(report)] += 1

    def fails(self, report, words: list[str]) -> None:
        """Keep a failure: one mistake may fail many tests with the same words."""
        self.failed.setdefault("\n    ".join(["", *words]), []).append(report.nodeid)


def suite(item) -> str:
    """The suite of a test by its file."""
    stem = Path(item.nodeid.split("::")[0]).stem
    return SUITES.get(stem, OWN)


def index() -> list[str]:
    """Bring the generated files up to date; what was written."""
    written = []
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    for command in (["-m", "banach.catalogue"], ["docs/generate.py"]):
        again = subprocess.run(
            [sys.executable, *command, "--check"],
            cwd=ROOT, env=environment, capture_output=True,
        )  # fmt: skip
        if again.returncode == 0:
            continue
        done = subprocess.run(
            [sys.executable, *command, "--write"],
            cwd=ROOT, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr.strip())
        written.append(f"regenerated what {command[-1]} makes (as make index does)")
    return written


def style(files: list[Path]) -> str | None:
    """What ruff says of the files: "" is nothing, None where there is no ruff."""
    beside = Path(sys.executable).parent
    ruff = shutil.which("ruff", path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if ruff is None:
        return None
    said = ""
    for command in (["check", "--quiet"], ["format", "--check", "--quiet", "--diff"]):
        done = subprocess.run(
            [ruff, *command, *map(str, files)], cwd=ROOT, capture_output=True, text=True
        )
        said += (done.stdout + done.stderr) if done.returncode else ""
    return said


def main(argv: list[str]) -> int:
    """Prove the method of this name; the exit code."""
    began = time.perf_counter()
    if len(argv) != 1 or not argv[0]:
        print("usage: make check METHOD=name", file=sys.stderr)
        return 2
    (name,) = argv
    sys.path[:0] = [str(SRC), str(TESTS)]
    for line in index():
        print(line)
    from banach import catalogue

    entry = catalogue.load_index().get(name)
    if entry is None or entry["family"] == "bridge":
        print(
            f"{name} is no method of banach's own (banach methods lists them); a new "
            f"one: make new METHOD={name} FAMILY=smooth",
            file=sys.stderr,
        )
        return 2
    # Layer C of the suite takes in all problems of the methods that are asked for.
    os.environ["BANACH_METHODS"] = name
    family = entry["family"]
    own = TESTS / "methods" / family / f"test_{name}.py"
    order = [TESTS / "conformance" / f"{stem}.py" for stem in SUITES]
    order[3:3] = [own] if own.exists() else []
    proof = Proof(name, began)
    # What failed is told below: pytest itself prints nothing.
    options = ["-o", "addopts=", "-p", "no:terminal", "-p", "no:cacheprovider"]
    code = pytest.main([*options, *map(str, order)], plugins=[proof])
    parts = ["methods", "claims"]
    files = [SRC / "banach" / p / family / f"{name}.py" for p in parts]
    said = style([*files, TESTS / "reference" / f"{name}.py"])
    for label in [*SUITES.values(), OWN]:
        count = proof.passed[label]
        print(f"  {count:3d} passed   {label}" if count else f"  none         {label}")
    print(f"  {'no ruff here' if said is None else 'fails' if said else 'ok'}   style")
    print(f"  beds run: {', '.join(proof.beds) or 'none applies'}")
    print(f"  compiled on: {', '.join(proof.compiled) or 'none'}")
    if proof.left:
        print(f"  compiled by make test alone: {', '.join(proof.left)}")
    for words, tests in proof.failed.items():
        more = f", and {len(tests) - 1} more with the same words" * (len(tests) > 1)
        print(f"FAILED {tests[0]}{more}{words}")
    if said:
        print(said)
    total, seconds = sum(proof.passed.values()), time.perf_counter() - began
    good = code == 0 and not proof.failed and not said and total > 0
    bad = sum(map(len, proof.failed.values())) + bool(said)
    verdict = "proved" if good else f"NOT proved, {bad} failed"
    print(f"{name}: {verdict} ({total} tests passed in {seconds:.0f} s)")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
