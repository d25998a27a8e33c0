"""Snippets of README and of the guide run, and print what they say; so tables."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
# Each page with the number of snippets at least whose output stands on it.
PRINTED = {README: 2, DOCS / "uncertainty.md": 2, DOCS / "reading.md": 5,
           DOCS / "choosing.md": 1, DOCS / "index.md": 1}  # fmt: skip
# A race takes seconds.
PAGES = [pytest.param(page, marks=pytest.mark.slow if page.stem == "choosing" else ())
         for page in PRINTED]  # fmt: skip
BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.S)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def snippets(page: Path) -> list[tuple[str, str | None]]:
    """(code, printed text or None) for every python block, in order."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    out = []
    for i, (kind, body) in enumerate(blocks):
        if kind != "python":
            continue
        follows = blocks[i + 1] if i + 1 < len(blocks) else ("", "")
        out.append((body, follows[1] if follows[0] == "text" else None))
    return out


def differs(said: str, got: str) -> str | None:
    """None when the lines agree: words exactly, seconds freely, numbers nearly.

    Numbers below 1e-3 are rounding-sized and may move by a factor of a hundred
    between compiler versions; others by a twentieth.
    """
    if NUMBER.sub("#", said).split() != NUMBER.sub("#", got).split():
        if not said.strip().startswith("seconds"):
            return f"{said!r} != {got!r}"
    if said.strip().startswith("seconds"):
        return None
    for a, b in zip(NUMBER.findall(said), NUMBER.findall(got), strict=True):
        x, y = abs(float(a)), abs(float(b))
        small = max(x, y) < 1e-3
        if small and min(x, y) * 100 >= max(x, y):
            continue
        if abs(x - y) > 0.05 * max(x, y):
            return f"{a} != {b} in {said!r}"
    return None


def test_the_comparison_can_fail():
    assert differs("ratio 0.5", "ratio 0.6") is not None
    assert differs("certified: a", "NOT CERTIFIED: a") is not None
    assert differs("value 1e-9", "value 3e-6") is not None
    assert differs("value 1e-9", "value 3e-9") is None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_snippets_with_output(page):
    printed = [text for _, text in snippets(page) if text is not None]
    assert len(printed) >= PRINTED[page]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_print_what_they_say(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    for code, text in snippets(page):
        stdout = io.StringIO()
        with contextlib.redirect_stdout(stdout):
            exec(compile(code, page.name, "exec"), space)
        if text is None:
            continue
        said = [line for line in text.splitlines() if line.strip()]
        got = [line for line in stdout.getvalue().splitlines() if line.strip()]
        assert len(said) == len(got), stdout.getvalue()
        for a, b in zip(said, got, strict=True):
            problem = differs(a, b)
            if problem is not None:
                pytest.fail(f"{problem}\n\nprinted:\n{stdout.getvalue()}")


@pytest.fixture(scope="module")
def tables():
    """docs/readme.py, which writes the tables."""
    where = ROOT / "docs" / "readme.py"
    spec = importlib.util.spec_from_file_location("readme_tables", where)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOLVED = ("Smooth", "GLM", "Root", "FixedPoint", "Transport", "Linear")


def test_the_tables_are_what_was_measured(tables):
    """Cure: make readme. A row of each kind, of which some are solved again."""
    text = README.read_text(encoding="utf-8")
    assert tables.placed(text, "speed", tables.speed()) == text
    written = text.partition("<!-- kinds -->")[2].partition("<!-- /kinds -->")[0]
    rows = written.strip().splitlines()
    every = tables.catalogue.own()["kinds"]
    assert len(rows) == 2 + len(every)
    for name, entry in every.items():
        lead = f"| {entry['summary'].rstrip('.')} |"
        assert any(row.startswith(lead) for row in rows)
        assert any(f"`bn.{name}`" in row for row in rows)
    assert set(tables.kinds(SOLVED).splitlines()) <= set(rows)


def test_a_table_without_its_place_is_refused(tables):
    with pytest.raises(SystemExit, match="no place for speed"):
        tables.placed("<!-- kinds -->\n<!-- /kinds -->", "speed", "| a |")
    placed = tables.placed("<!-- a -->\nold\n<!-- /a -->", "a", "| new |")
    assert placed == "<!-- a -->\n| new |\n<!-- /a -->"
