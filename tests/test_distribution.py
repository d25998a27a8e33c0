"""What pip would install, built without network; versions that have to agree.

`make wheel-test` does the rest: it installs the wheel in bare environments.
"""

import importlib.metadata
import re
import subprocess
import sys
import zipfile

import distribution
import pytest
from distribution import ROOT, faults, metadata_faults, package_files

import banach
from banach.cli import doctor

BUILD = """\
import sys
from setuptools import build_meta

print(build_meta.build_wheel(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of these sources, built as pip builds it, by the setuptools here."""
    version = int(importlib.metadata.version("setuptools").partition(".")[0])
    assert version >= 77, f"setuptools {version} is too old to build: make install"
    work = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(work)], cwd=distribution.copied(work / "src"),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return work / done.stdout.split()[-1]


def rewritten(wheel, to, change):
    """A wheel with some of its files changed, or left out where `change` gives None."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return to


def test_the_wheel_is_the_package_and_nothing_else(wheel):
    files = package_files()
    assert len(files) > 500
    assert faults(wheel, files) == []


@pytest.mark.parametrize(
    "lost", ["index.json", "py.typed", "fista.bib", "page.css", "chart.js", ".npy"]
)
def test_a_file_that_is_not_packed_is_seen(wheel, tmp_path, lost):
    def change(name, data):
        return None if name.endswith(lost) else data

    found = faults(rewritten(wheel, tmp_path / "a.whl", change), package_files())
    assert any(f.startswith("not in the wheel") and lost in f for f in found)


def test_what_does_not_belong_is_seen(wheel, tmp_path):
    copy = rewritten(wheel, tmp_path / "a.whl", lambda name, data: data)
    with zipfile.ZipFile(copy, "a") as z:
        z.writestr("tests/test_stray.py", "")
    assert faults(copy, package_files()) == ["only in the wheel: tests/test_stray.py"]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("Requires-Python: >=3.11", "Requires-Python"),
        ("License-Expression: Apache-2.0", "License-Expression"),
        ("Provides-Extra: peers", "Provides-Extra"),
        ("Classifier: Programming Language :: Python :: 3.12", "Classifier"),
        ("Description-Content-Type: text/markdown", "Description-Content-Type"),
    ],
)
def test_metadata_that_differ_are_seen(wheel, line, field):
    with zipfile.ZipFile(wheel) as z:
        [name] = [n for n in z.namelist() if n.endswith("/METADATA")]
        text = z.read(name).decode()
    assert metadata_faults(text) == [] and line in text
    found = metadata_faults(text.replace(line + "\n", ""))
    assert len(found) == 1 and found[0].startswith(field)


def test_versions_agree():
    """pyproject.toml, the package, CITATION.cff and the newest entry of CHANGELOG."""
    version = distribution.project()["version"]
    assert banach.__version__ == version
    cited = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.*)$", cited, re.M) == [version]
    entries = re.findall(
        r"^## \[(.+?)\] - (unreleased|\d{4}-\d\d-\d\d)$",
        (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M,
    )  # fmt: skip
    assert entries and entries[0][0] == version


def test_requirements_have_the_one_form_that_doctor_reads():
    own = distribution.project()
    extras = own["optional-dependencies"]
    lines = [*own["dependencies"], *(line for e in extras.values() for line in e)]
    assert all(need.least for need in doctor.needs(lines))
    assert len(distribution.pythons()) >= 3
    assert own["requires-python"] == f">={distribution.pythons()[0]}"
    promised = (ROOT / "docs" / "promises.md").read_text("utf-8")
    assert f"| Python | {', '.join(distribution.pythons())}, each tested" in promised
    [jax] = [need.least for need in doctor.needs(own["dependencies"])
             if need.name == "jax"]  # fmt: skip
    assert f"| JAX | {jax} and newer; tested" in promised


def test_every_requirement_is_pinned():
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+", line) for line in lines)
    pinned = {plain(line.partition("==")[0]) for line in lines}
    own = distribution.project()
    extras = own["optional-dependencies"].values()
    needed = doctor.needs([*own["dependencies"], *(n for e in extras for n in e)])
    assert {plain(need.name) for need in needed} <= pinned


def plain(name):
    """The name of a package as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_a_python_that_is_not_here_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    [row] = distribution.tried("3.12", tmp_path / "no.whl", tmp_path)
    assert (row.where, row.came) == ("3.12", "not run")
    assert "| 3.12 | everything | not run |" in distribution.page([row])
    assert "0 passed, 0 failed, 1 not run" in distribution.page([row])
