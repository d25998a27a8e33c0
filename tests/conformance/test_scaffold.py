"""What `make new` writes passes, and so does the example of the documentation."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import jax
import pytest
import scaffold
from evidence import TOLERANCE, Evidence

from banach import card_reader
from banach.claims import course

ROOT = scaffold.ROOT
DOC = ROOT / "docs" / "adding-a-method.md"


def loaded(file, text, monkeypatch):
    """A module of this text, in a file of its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(
        "_".join(file.with_suffix("").parts[-3:]), file
    )
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def proved(cls, reference):
    evidence = Evidence(cls, reference)
    assert max(evidence.differences()) <= TOLERANCE
    assert evidence.unexplained() == ([], [])


def test_the_example_of_the_documentation_is_proved(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.S)
    method = next(b for b in blocks if "class HeavyBall(" in b)
    reference = next(b for b in blocks if "def iterates(" in b)
    cls = loaded(tmp_path / "heavy_ball.py", method, monkeypatch).HeavyBall
    proved(cls, loaded(tmp_path / "reference.py", reference, monkeypatch))
    # The document says how it may be called.
    assert cls(momentum=0.5).momentum == 0.5 and cls(0.1, 0.5).step_size == 0.1


def test_what_is_written_is_a_method(tmp_path, monkeypatch):
    paper = scaffold.bib()
    monkeypatch.setattr(scaffold, "SRC", tmp_path)
    monkeypatch.setattr(scaffold, "bib", lambda: paper)
    written = scaffold.files("tiny_step", "brand_new")
    assert [p.relative_to(tmp_path).as_posix() for p in written if tmp_path in p.parents
            ] == ["methods/brand_new/tiny_step.py", "methods/brand_new/tiny_step.bib",
                  "claims/brand_new/tiny_step.py", "methods/brand_new/__init__.py",
                  "claims/brand_new/__init__.py"]  # fmt: skip
    modules = {}
    for file, text in written.items():
        place = tmp_path / file.relative_to(file.parents[2])
        if file.suffix == ".bib":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        else:
            where = file.parts[-3]
            modules[where, file.stem] = made = loaded(place, text, monkeypatch)
            # The claim, which comes later, imports the method.
            known = f"banach.{where}.brand_new.{file.stem}"
            monkeypatch.setitem(sys.modules, known, made)
    cls = modules["methods", "tiny_step"].TinyStep
    proved(cls, next(m for m in modules.values() if hasattr(m, "CASES")))
    entry = card_reader.build_index(tmp_path)["tiny_step"]
    assert (entry["class"], entry["family"], entry["year"]) == (
        "TinyStep", "brand_new", 1847,
    )  # fmt: skip
    claim = modules["claims", "tiny_step"]
    with jax.enable_x64(True):
        (row,) = [stated.row() for stated in course.statements(claim)]
    assert row["verdict"] == "holds" and row["instances"] == 5
    assert all(0 < share < 1 for share in row["numbers"].values())


@pytest.mark.parametrize(
    ("name", "family", "said"),
    [
        ("Fast", "smooth", "small letters"),
        ("", "smooth", "small letters"),
        ("fast-step", "smooth", "small letters"),
        ("fast", "../smooth", "small letters"),
        ("lambda", "smooth", "word of Python"),
        ("fast", "bridge", "names a library"),
        ("fista", "composite", "fista.py exists"),
        ("fista", "smooth", "fista.py exists"),
        ("fast", "compsite", "did you mean composite?"),
        ("fast", "quantum", "NEW_FAMILY=1"),
    ],
)
def test_names_that_cannot_be_are_refused(name, family, said):
    assert said in scaffold.wrong(name, family)


def test_a_new_family_is_made_when_it_is_asked_for():
    assert scaffold.wrong("fast", "quantum", new_family=True) is None
    assert scaffold.wrong("fast", "composite") is None
    assert "small letters" in scaffold.wrong("fast", "Quantum", new_family=True)


@pytest.mark.slow
def test_make_new_and_make_check_in_a_copy(tmp_path):
    for folder in ("src", "tests", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder,
                        ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    for file in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path / file)
    # One bed is compiled, where a person's `make check` goes on for some seconds.
    prove = tmp_path / "tests" / "prove.py"
    text = prove.read_text(encoding="utf-8")
    assert text.count("AFFORDABLE = 20.0") == 1
    prove.write_text(text.replace("AFFORDABLE = 20.0", "AFFORDABLE = 0.0"))

    def make(*words):
        # A make of its own, also where this suite is run by one.
        outside = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        return subprocess.run(
            ["make", *words, f"PYTHON={sys.executable}"], env=outside,
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip

    made = make("new", "METHOD=tiny_step", "FAMILY=smooth")
    assert made.returncode == 0, made.stderr
    checked = make("check", "METHOD=tiny_step")
    last = checked.stdout.strip().splitlines()[-1]
    assert checked.returncode == 0 and last.startswith("tiny_step: proved"), (
        checked.stdout + checked.stderr
    )
    # A constant that is wrong, and a claim that is gone, are told by name.
    file = tmp_path / "src/banach/methods/smooth/tiny_step.py"
    file.write_text(file.read_text().replace("1 / L,", "0.99 / L,"))
    (tmp_path / "src/banach/claims/smooth/tiny_step.py").unlink()
    checked = make("check", "METHOD=tiny_step")
    assert checked.returncode != 0
    assert "NOT proved" in checked.stdout.strip().splitlines()[-1]
    assert "test_iterates_equal_the_reference" in checked.stdout
    assert "cure: one of the two is not the paper's formula" in checked.stdout
    assert "tiny_step lacks" in checked.stdout and "claims/smooth" in checked.stdout
