"""Scripts of docs/gallery run, and print what their pages say; pages are theirs."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.test_readme import differs

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("gallery", ROOT / "docs" / "gallery.py")
gallery = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gallery)

SCRIPTS = gallery.scripts()
QUICK = "05_game"
# Each in a process of its own; the others are run by `python docs/gallery.py --check`.
RUN = {"01_error_bars", "03_data_frame", QUICK, "08_thousand_fits", "12_own_method"}
NEEDS = {"03_data_frame": "pandas"}


def text(script):
    return script.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "script",
    [pytest.param(s, marks=[] if s.stem == QUICK else pytest.mark.slow)
     for s in SCRIPTS if s.stem in RUN],
    ids=lambda script: script.stem,
)  # fmt: skip
def test_a_script_prints_what_its_page_says(script, tmp_path):
    """Cure: make gallery."""
    pytest.importorskip(NEEDS.get(script.stem, "banach"))
    picture = tmp_path / "figure.png"
    got = gallery.run(script, picture).strip("\n").splitlines()
    said = gallery.printed_on(text(script)).splitlines()
    assert len(said) == len(got), got
    assert [d for d in map(differs, said, got) if d is not None] == []
    assert 2000 < picture.stat().st_size <= gallery.BYTES


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_page_is_written_from_its_script_and_what_it_printed(script):
    """Cure: make gallery."""
    page = text(script)
    assert page == gallery.page(script, gallery.printed_on(page))
    assert script.with_suffix(".png").stat().st_size <= gallery.BYTES
    assert 20 <= gallery.code_lines(script) <= gallery.CODE
    assert re.search(r"certified|proved|infeasible", gallery.printed_on(page))


def test_the_index_and_the_navigation_hold_every_page():
    assert len(SCRIPTS) == 12
    assert (gallery.GALLERY / "index.md").read_text(encoding="utf-8") == gallery.index()
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    section = re.search(r"  - Gallery:\n((?:      - gallery/\S+\n)+)", nav)[1]
    pages = [f"gallery/{script.stem}.md" for script in SCRIPTS]
    assert re.findall(r"- (\S+)", section) == ["gallery/index.md", *pages]


def test_lines_of_code_leave_out_words(tmp_path):
    script = tmp_path / "a.py"
    script.write_text(
        '"""Title.\n\nWords.\n"""\n\n# why\nx = [\n    1,  # one\n]\n\n\n'
        'def f():\n    """Two\n    lines."""\n    return x\n'
    )
    assert gallery.code_lines(script) == 5
    assert gallery.words(script) == ("Title", "Words.")


@pytest.mark.slow
def test_a_script_that_draws_nothing_is_refused(tmp_path):
    script = tmp_path / "a.py"
    script.write_text("print(1)\n")
    with pytest.raises(SystemExit, match="should end in plt.show"):
        gallery.run(script, tmp_path / "a.png")


def test_a_name_that_is_none_is_refused():
    assert [s.stem for s in gallery.scripts(["game", "09"])] == [QUICK, "09_enclosure"]
    with pytest.raises(SystemExit, match="there are 01_error_bars"):
        gallery.scripts(["chess"])
