"""doctor says what is missing, and its exit code whether banach works."""

import email
import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import banach
from banach import catalogue
from banach.cli import doctor

PROJECT = tomllib.loads(
    (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
)["project"]
ORDER = ["Python", "jax", "banach", "device", "float64", "compiled programs",
         "BLAS threads", "catalogue", "self-test"]  # fmt: skip


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Installed metadata as these sources would have them, changed at will."""
    monkeypatch.setenv("BANACH_CACHE", str(tmp_path / "kept"))
    extras = PROJECT["optional-dependencies"]
    lines = PROJECT["dependencies"] + [
        f'{need}; extra == "{extra}"' for extra in extras for need in extras[extra]
    ]
    message = email.message_from_string(
        f"Version: {banach.__version__}\nRequires-Python: >=3.11\n"
        + "".join(f"Classifier: {c}\n" for c in PROJECT["classifiers"])
    )
    versions = {}
    real = importlib.metadata.version

    def version(name):
        if versions.get(name, "") is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: message)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions


def rows(capsys):
    code = doctor.doctor_command(json=True)
    data = json.loads(capsys.readouterr().out)
    assert data["schema_version"] == 1 and data["healthy"] == (code == 0)
    return code, {row["what"]: row for row in data["rows"]}


def test_here_it_works_in_the_order_of_importance(told, capsys):
    code, found = rows(capsys)
    assert code == 0, [r for r in found.values() if r["required"] and not r["ok"]]
    assert [what for what in found if what in ORDER] == ORDER
    assert "supported" in found["Python"]["says"]
    assert found["self-test"]["says"].startswith("certified by ")
    extras = {w.removeprefix("extra: ") for w in found if w.startswith("extra: ")}
    developers = {"docs", "test", "release"}
    assert extras == set(PROJECT["optional-dependencies"]) - developers


def test_a_line_a_row_and_a_last_word(told, capsys):
    assert doctor.doctor_command(json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "all that is required works"
    assert {line.split()[0] for line in lines[:-1]} <= {"ok", "-"}
    assert not any(str(Path(p)) in line for line in lines for p in sys.path if p)


def test_a_missing_package_and_an_old_one_fail_with_their_cure(told, capsys):
    told |= {"jax": "0.9.2", "rich": None}
    code, found = rows(capsys)
    assert code == 3
    assert found["jax"] == {
        "what": "jax", "ok": False, "required": True,
        "says": "0.9.2 is too old; pip install 'jax>=0.10'",
    }  # fmt: skip
    assert found["rich"]["says"] == "missing; pip install 'rich>=14'"
    assert doctor.doctor_command(json=False) == 3
    assert capsys.readouterr().out.splitlines()[-1].endswith("see jax, rich")


def test_an_absent_extra_is_told_and_harms_nothing(told, capsys):
    told |= {"optimistix": None}
    code, found = rows(capsys)
    row = found["extra: peers"]
    assert code == 0 and not row["ok"] and not row["required"]
    assert "optimistix missing" in row["says"]
    assert row["says"].endswith("pip install 'banach[peers]'")


def test_a_python_that_was_not_tested_is_told(told, capsys, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 19, 1, "final", 0))
    row = next(doctor._versions())
    assert not row.ok and not row.required and "3.11, 3.12, 3.13" in row.says
    monkeypatch.setattr(sys, "version_info", (3, 10, 1, "final", 0))
    row = next(doctor._versions())
    assert not row.ok and row.required and "3.11 or newer" in row.says


def test_another_version_that_is_installed_fails(told, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "__version__", "9.9")
    code, found = rows(capsys)
    assert code == 3 and f"but {banach.__version__} is" in found["banach"]["says"]


def test_a_cache_that_cannot_be_written_is_told_and_harms_nothing(told, capsys):
    place = Path(__file__) / "nowhere"
    with pytest.MonkeyPatch.context() as m:
        m.setenv("BANACH_CACHE", str(place))
        [row] = doctor._cache()
    assert (row.ok, row.required, row.mark) == (False, False, "-")
    assert row.says.startswith("none are kept: ") and "BANACH_CACHE" in row.says


def test_the_folder_of_programs_and_how_to_clear_it_are_told(told, tmp_path):
    [row] = doctor._cache()
    assert row.ok and str(tmp_path / "kept") in row.says
    assert "0 programs" in row.says and "delete the folder" in row.says
    with pytest.MonkeyPatch.context() as m:
        m.setenv("BANACH_CACHE", "off")
        [row] = doctor._cache()
    assert row.ok and row.says == "none are kept, as BANACH_CACHE=off asks"


def test_sources_that_are_not_installed_are_told_and_still_tried(monkeypatch):
    def unknown(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", unknown)
    monkeypatch.setattr(importlib.metadata, "requires", unknown)
    python, own = doctor._versions()
    assert python.ok and (own.mark, own.what) == ("-", "banach")
    assert own.says.endswith("pip install .")
    assert list(doctor._extras()) == []


def test_a_file_that_the_catalogue_names_and_is_not_there_fails(monkeypatch):
    [row] = doctor._catalogue()
    assert row.ok
    lost = {**catalogue.own()}
    fista = lost["methods"]["fista"] | {"module": "banach.methods.composite.gone"}
    lost["methods"] = lost["methods"] | {"fista": fista}
    monkeypatch.setattr(catalogue, "own", lambda: lost)
    [row] = doctor._catalogue()
    assert not row.ok and "gone" in row.says


def test_a_check_that_certifies_anything_fails_the_self_test(monkeypatch):
    class Yes:
        certified = True

    monkeypatch.setattr(banach, "verify", lambda *a, **k: Yes)
    [row] = doctor._self_test()
    assert not row.ok and row.required and "WRONG ANSWER" in row.says


def test_a_broken_jax_is_a_row_and_no_traceback(tmp_path):
    code = (
        "import sys; sys.modules['jax'] = None\n"
        "from banach.cli.app import run; sys.exit(run(['doctor', '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 3 and done.stderr == ""
    found = {row["what"]: row for row in json.loads(done.stdout)["rows"]}
    for what in ("device", "float64", "self-test"):
        assert not found[what]["ok"] and "jax" in found[what]["says"]
    assert found["catalogue"]["ok"]
