"""What people install: the wheel's files and metadata, and the wheel in bare places.

    python tests/distribution.py                   # Python 3.11, 3.12 and 3.13
    python tests/distribution.py --python 3.12     # one of them
    python tests/distribution.py --write           # and benchmarks/WHEEL.md

builds sdist and wheel, judges both, and for each Python makes a bare environment,
installs the wheel into it and works there from an empty folder as a stranger would. It
downloads whatever banach depends on. A Python that is not on this machine is not run,
and never counts as passed. The quick part, which downloads nothing, is
test_distribution.py.
"""

import argparse
import datetime
import email
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "benchmarks" / "WHEEL.md"
# What a build reads, beside src.
READ = ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "CHANGELOG.md",
        "CITATION.cff", "constraints.txt")  # fmt: skip
# Files that are no modules and without which banach does not work.
DATA = ("index.json", "py.typed", "report/page.html", "report/page.css")
SUFFIXES = (".bib", ".npy", ".js")
DEVELOPERS = {"docs", "test", "release"}  # extras that users have no use for
PROBLEM = """\
import numpy as np

import banach as bn

rng = np.random.default_rng(3)
problem = bn.Lasso(rng.normal(size=(40, 8)), rng.normal(size=40), lam=2.0)
"""
ARB = """\
import jax
import jax.numpy as jnp
import numpy as np

from banach.checks.interval import Interval, interval_function

with jax.enable_x64(True):
    box = Interval(np.array([1.0]), np.array([1.0]))
    e = interval_function(jnp.exp, rigor="arb")(box)
assert e.lo[0] <= np.e <= e.hi[0] and e.hi[0] - e.lo[0] < 1e-14
print(f"e is between {e.lo[0]:.16g} and {e.hi[0]:.16g}")
"""


def project() -> dict:
    """The table [project] of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pythons() -> list[str]:
    """The versions of Python that the classifiers promise."""
    found = [re.fullmatch(r"Programming Language :: Python :: (\d\.\d+)", line)
             for line in project()["classifiers"]]  # fmt: skip
    return [m[1] for m in found if m]


def package_files(root: Path = ROOT) -> dict[str, bytes]:
    """Every file of the package in the sources, by its name in a wheel."""
    src = root / "src"
    return {
        file.relative_to(src).as_posix(): file.read_bytes()
        for file in sorted((src / "banach").rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }


def copied(to: Path) -> Path:
    """A copy of what a build reads: a build leaves folders beside its sources."""
    to.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", to / "src", ignore=ignored)
    for name in READ:
        shutil.copy(ROOT / name, to / name)
    # A build that packed these would be found out.
    for name in ("tests/test_stray.py", "docs/stray.md", "benchmarks/stray.py"):
        (to / name).parent.mkdir()
        (to / name).write_text("stray = 1\n")
    return to


def faults(wheel: Path, files: dict[str, bytes]) -> list[str]:
    """What is wrong with a wheel, beside the package's files in the sources."""
    found = []
    with zipfile.ZipFile(wheel) as z:
        held = {n: z.read(n) for n in z.namelist() if not n.endswith("/")}
    info = f"banach-{project()['version']}.dist-info/"
    about = {name.removeprefix(info) for name in held if name.startswith(info)}
    inside = {name: data for name, data in held.items() if not name.startswith(info)}
    found += [f"not in the wheel: {name}" for name in sorted(files.keys() - inside)]
    found += [f"only in the wheel: {name}" for name in sorted(inside.keys() - files)]
    found += [f"other bytes: {n}" for n in inside if files.get(n, b"") != inside[n]]
    found += [f"the wheel has no {d}" for d in DATA if f"banach/{d}" not in inside]
    found += [
        f"the wheel has no *{suffix}"
        for suffix in SUFFIXES
        if not any(name.endswith(suffix) for name in inside)
    ]
    wanted = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt",
              "licenses/LICENSE"}  # fmt: skip
    if about != wanted:
        found.append(f"dist-info differs in {sorted(about ^ wanted)}")
        return found
    if held[info + "licenses/LICENSE"] != (ROOT / "LICENSE").read_bytes():
        found.append("another LICENSE")
    if b"banach = banach.__main__:main" not in held[info + "entry_points.txt"]:
        found.append("no command banach")
    return found + metadata_faults(held[info + "METADATA"].decode())


def metadata_faults(text: str) -> list[str]:
    """What is wrong with the metadata of a wheel, beside pyproject.toml."""
    own, got = project(), email.message_from_string(text)
    extras = own["optional-dependencies"]
    needs = set(own["dependencies"]) | {
        f'{need}; extra == "{extra}"' for extra in extras for need in extras[extra]
    }
    wanted = {
        "Name": {"banach"},
        "Version": {own["version"]},
        "Summary": {own["description"]},
        "License-Expression": {own["license"]},
        "License-File": {"LICENSE"},
        "Requires-Python": {own["requires-python"]},
        "Classifier": set(own["classifiers"]),
        "Provides-Extra": set(extras),
        "Requires-Dist": needs,
        "Description-Content-Type": {"text/markdown"},
        "Project-URL": {f"{k}, {v}" for k, v in own.get("urls", {}).items()},
    }
    found = [
        f"{field}: {sorted(set(got.get_all(field, [])) ^ values)}"
        for field, values in wanted.items()
        if set(got.get_all(field, [])) != values
    ]
    readme = (ROOT / "README.md").read_text("utf-8")
    if got.get_payload().strip() != readme.strip():
        found.append("the description is not README.md")
    return found


class Row(NamedTuple):
    """One thing that was tried, and what came of it: passed, failed or not run."""

    where: str
    what: str
    came: str
    says: str

    def __str__(self) -> str:
        return f"{self.came:<8} {self.where:<6} {self.what}: {self.says}"


class Failed(Exception):
    """A command that did not do what it should; what it printed."""


def ran(*words: object, cwd: Path, code: int = 0, **env: str) -> str:
    """The output of a command that has to end with `code`."""
    clean = {k: v for k, v in os.environ.items()
             if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}  # fmt: skip
    done = subprocess.run(
        [str(w) for w in words], cwd=cwd, env=clean | env, capture_output=True,
        text=True, timeout=900,
    )  # fmt: skip
    if done.returncode != code:
        said = (done.stdout + done.stderr)[-3000:]
        raise Failed(f"{words[0]} ... ended with {done.returncode}:\n{said}")
    return done.stdout


def interpreter(version: str) -> str | None:
    """A Python of this version that runs: on PATH (a shim may not), or pyenv's."""
    base = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    told = [shutil.which(f"python{version}")]
    told += [str(p) for p in sorted(base.glob(f"{version}.*/bin/python"))]
    for name in filter(None, told):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([name, "-c", code], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip() == version:
            return name
    return None


def bare(python: str, place: Path) -> Path:
    """A new environment without packages; its folder of commands."""
    if python == sys.executable:
        venv.create(place, with_pip=True)
    else:
        ran(python, "-m", "venv", place, cwd=place.parent)
    return place / "bin"


def install(commands: Path, *what: object) -> None:
    """Install into an environment, at the pinned versions."""
    pins = ROOT / "constraints.txt"
    ran(commands / "python", "-m", "pip", "install", "--quiet", "--no-input",
        "--disable-pip-version-check", "-c", pins, *what, cwd=commands)  # fmt: skip


def built(work: Path) -> tuple[Path, list[Row]]:
    """The wheel, and what is to be said of it and of the sdist."""
    tools = bare(sys.executable, work / "tools")
    own = project()["optional-dependencies"]
    install(tools, *own["release"])
    source, pins = copied(work / "source"), str(ROOT / "constraints.txt")
    build = (tools / "python", "-m", "build", source, "--outdir")
    ran(*build, work / "dist", cwd=work, PIP_CONSTRAINT=pins)  # the wheel of the sdist
    ran(*build, work / "direct", "--wheel", cwd=work, PIP_CONSTRAINT=pins)
    [sdist], [wheel] = ([*(work / "dist").glob(g)] for g in ("*.tar.gz", "*.whl"))
    [direct] = (work / "direct").glob("*.whl")
    rows = []

    def row(what: str, wrong: list[str], good: str) -> None:
        came = "failed" if wrong else "passed"
        rows.append(Row("build", what, came, "; ".join(wrong) or good))

    files = package_files()
    row("the wheel's files and metadata", faults(wheel, files),
        f"{len(files)} files, {wheel.stat().st_size // 1024} KiB")  # fmt: skip
    row("the sdist builds the same wheel", differences(wheel, direct), "byte for byte")
    names = ran("tar", "-tzf", sdist, cwd=work).split()
    stray = [n for n in names if n.split("/")[1] in ("tests", "docs", "benchmarks")]
    row("the sdist holds what builds it", stray, f"{len(names)} entries")
    said = ran(tools / "python", "-m", "twine", "check", "--strict", sdist, wheel,
               cwd=work)  # fmt: skip
    row("twine check --strict", [] if said.count("PASSED") == 2 else [said],
        "metadata, and the README as it is rendered")  # fmt: skip
    return wheel, rows


def differences(one: Path, other: Path) -> list[str]:
    """Files that two wheels do not have in common."""
    sums = []
    for wheel in (one, other):
        with zipfile.ZipFile(wheel) as z:
            sums.append({i.filename: i.CRC for i in z.infolist()})
    a, b = sums
    return sorted(n for n in a.keys() | b.keys() if a.get(n) != b.get(n))


def readme() -> tuple[str, list[str]]:
    """The Python of README.md as one program, and first lines of what it prints."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```(python|text)\n(.*?)```", text, re.S)
    program = "\n".join(body for kind, body in blocks if kind == "python")
    return program, [body.splitlines()[0] for kind, body in blocks if kind == "text"]


def words(line: str) -> str:
    """A line without its numbers."""
    return re.sub(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", "#", line)


def tried(version: str, wheel: Path, work: Path) -> Iterator[Row]:
    """Install the wheel in a bare environment, and use it from an empty folder."""
    python = interpreter(version)
    if python is None:
        yield Row(version, "everything", "not run", "no such Python here")
        return
    commands = work / f"env{version}" / "bin"
    empty = work / f"empty{version}"
    empty.mkdir()
    banach, kept = commands / "banach", {"BANACH_CACHE": str(work / f"kept{version}")}

    def installed() -> str:
        bare(python, work / f"env{version}")
        install(commands, wheel)
        ran(commands / "python", "-m", "pip", "check", cwd=empty)
        code = "import banach, sys; print(sys.version.split()[0], banach.__file__)"
        full, where = ran(commands / "python", "-c", code, cwd=empty).split()
        if "site-packages" not in where:
            raise Failed(f"banach is imported from {where}")
        return f"Python {full}"

    def blocks() -> str:
        program, lines = readme()
        (empty / "readme.py").write_text(program)
        said = ran(commands / "python", "readme.py", cwd=empty, **kept)
        printed = {words(line) for line in said.splitlines()}
        lost = [line for line in lines if words(line) not in printed]
        if lost:
            raise Failed(f"README.md prints {lost}; here it printed:\n{said}")
        return f"{len(program.splitlines())} lines, {len(lines)} outputs"

    def race() -> str:
        said = ran(banach, "race", "lasso:diabetes", "--html", "race.html",
                   "--time-limit", 2, "--method", "fista", "--method",
                   "proximal_gradient", cwd=empty, **kept)  # fmt: skip
        page = (empty / "race.html").read_text("utf-8")
        lost = [name for name in ("fista", "proximal_gradient") if name not in page]
        rows = re.findall(r"^(?:fista|proximal_gradient) +certified ", said, re.M)
        if lost or len(rows) != 2:
            raise Failed(f"not certified, or not in the page: {said}")
        if re.search(r"""(src|href)=["']https?://""", page):
            raise Failed("the page fetches something")
        return f"a page of {len(page) // 1024} KiB"

    def solve() -> str:
        (empty / "mine.py").write_text(PROBLEM)
        said = ran(banach, "solve", "mine.py:problem", "--save", "run.json",
                   cwd=empty, **kept)  # fmt: skip
        return said.splitlines()[0]

    def verify() -> str:
        said = ran(banach, "verify", "run.json", "--trust", cwd=empty, **kept)
        ran(banach, "solve", "lasso:diabetes", "--save", "data.json", cwd=empty, **kept)
        ran(banach, "verify", "data.json", cwd=empty, **kept)
        return said.splitlines()[0]

    def doctor() -> str:
        said = json.loads(ran(banach, "doctor", "--json", cwd=empty, **kept))
        if not said["healthy"]:
            raise Failed(str(said))
        return f"{len(said['rows'])} rows, healthy"

    def methods() -> str:
        return f"{len(ran(banach, 'methods', cwd=empty).splitlines())} lines"

    def extra() -> str:
        # The command that doctor gives for what is absent, at the pinned versions.
        install(commands, "banach[rigor]")
        (empty / "arb.py").write_text(ARB)
        return ran(commands / "python", "arb.py", cwd=empty).strip()[:60]

    steps = {
        "pip install of the wheel, pip check": installed,
        "every line of Python in README.md": blocks,
        "banach race, with its page": race,
        "banach solve mine.py:problem": solve,
        "banach verify of saved runs": verify,
        "banach doctor": doctor,
        "banach methods": methods,
        "pip install 'banach[rigor]', and its use": extra,
    }
    for what, step in steps.items():
        began = time.perf_counter()
        try:
            says, came = step(), "passed"
        except (Failed, OSError, ValueError, subprocess.TimeoutExpired) as error:
            says, came = str(error), "failed"
        seconds = time.perf_counter() - began
        yield Row(version, what, came, f"{says} ({seconds:.1f} s)")
        if came == "failed" and step is installed:
            return


def pinned(name: str) -> str:
    """A line of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    return next(line for line in lines if line.startswith(f"{name}=="))


def page(rows: list[Row]) -> str:
    """The table, as benchmarks/WHEEL.md."""
    count = {c: sum(r.came == c for r in rows) for c in ("passed", "failed", "not run")}
    head = [
        "# The wheel in bare environments",
        "",
        "Written by `make wheel-test` (`python tests/distribution.py --write`): sdist "
        "and wheel are built and judged, and for each Python the wheel is installed at "
        "the pinned versions into an environment without packages and used from an "
        "empty folder. Seconds are wall, downloads and compiling included.",
        "",
        f"{datetime.date.today().isoformat()}; {platform.system()} "
        f"{platform.machine()}; banach {project()['version']}, {pinned('jax')}; "
        + ", ".join(f"{n} {what}" for what, n in count.items())
        + ".",
        "",
        "| where | what | came | says |",
        "| --- | --- | --- | --- |",
    ]
    lines = []
    for row in rows:
        first = row.says.splitlines()[0].replace("|", "\\|")
        lines.append(f"| {row.where} | {row.what} | {row.came} | {first} |")
    return "\n".join([*head, *lines]) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Run the command; 1 where anything failed, or no Python was there."""
    parser = argparse.ArgumentParser(prog="python tests/distribution.py")
    parser.add_argument("--python", action="append", choices=pythons())
    parser.add_argument("--write", action="store_true", help="benchmarks/WHEEL.md")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        try:
            wheel, rows = built(work)
        except Failed as error:
            print(f"failed   build: {error}", flush=True)
            return 1
        for row in rows:
            print(row, flush=True)
        for version in args.python or pythons():
            for row in tried(version, wheel, work):
                rows.append(row)
                print(
                    f"{row.came:<8} {row.where:<6} {row.what}: {row.says}", flush=True
                )
    if args.write:
        PAGE.write_text(page(rows), encoding="utf-8")
    count = {c: sum(r.came == c for r in rows) for c in ("passed", "failed", "not run")}
    print(", ".join(f"{n} {what}" for what, n in count.items()))
    used = any(row.came == "passed" and row.where != "build" for row in rows)
    return int(bool(count["failed"]) or not used)


if __name__ == "__main__":
    sys.exit(main())
