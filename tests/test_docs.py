"""Pages of the documentation: formulas, calls to copy, curves, a page a public name."""

import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import banach as bn
from banach import catalogue

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def pages():
    """A module of docs/ by its name."""
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module
    sys.path.remove(str(DOCS))


# Formulas -----------------------------------------------------------------------------

SET = {
    "x+ = prox(x - grad f(x) / L, 1 / L)": (
        r"x^{+} = \operatorname{prox}(x - \nabla f(x) / L, 1 / L)"
    ),
    "H+ = (I - s y'/s.y) H": r"H^{+} = (I - s y^{\top } / s\cdot y) H",
    "||F(x + s)||^2 <= e_k": (
        r"\left\Vert F(x + s)\right\Vert^{2} \le e_{k}"
    ),
    "<a_i, c> >= 0": r"\langle a_{i}, c\rangle \ge 0",
    "E'(u) = (S'(K z))^-1": r"E^{\prime }(u) = (S^{\top }(K z))^{-1}",
    "v = argmin_{v in C} <g, v>": (
        r"v = \operatorname*{argmin}_{v \text{ in } C} \langle g, v\rangle"
    ),
    "f_i = -eps log sum_j b_j": (
        r"f_{i} = - \varepsilon \operatorname{log} \sum_{j} b_{j}"
    ),
    "z0 = sqrt n, |B| = 1": r"z_{0} = \sqrt{n}, \left\vert B\right\vert = 1",
    "x = -1e-6 + 2.5e13": r"x = - 10^{-6} + 2.5 \cdot 10^{13}",
    "theta+^2 = x_k*^2": r"(\theta^{+})^{2} = (x_{k}^{*})^{2}",
    "KL(P || Q) = 0": r"\operatorname{KL}(P \Vert Q) = 0",
    "||u||_H-1 <= mu": r"\left\Vert u\right\Vert_{H^{-1}} \le \mu",
}  # fmt: skip


def plain(latex):
    """Without what only sets spaces."""
    return re.sub(r"\s+", " ", latex.replace(r"\,", " ")).replace("( ", "(").strip()


@pytest.mark.parametrize("text", SET)
def test_formulas_of_docstrings_are_read(pages, text):
    got = pages("mathematics").latex(text)
    assert plain(got).replace(" ", "") == plain(SET[text]).replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "Newton's method for c = 0, its system solved only as far as needed.",
        "f(x)",  # says nothing
        "|a = b",  # is not closed
        "x = {1, 2}",  # is not our notation
    ],
)
def test_what_is_no_formula_stays_text(pages, text):
    assert pages("mathematics").latex(text) is None


def test_most_formulas_are_typeset_and_are_xml(pages):
    """129 of 146 lines when this was written; the rest are sentences and tables."""
    mathematics = pages("mathematics")
    own = catalogue.own()
    lines = [
        line
        for room in own.values()
        for entry in room.values()
        for block in re.split(r"\n\s*\n", entry["doc"].strip())
        for line in block.split("\n")
        if all("=" in v or v.startswith(" ") for v in block.split("\n"))
    ]
    found = [mathematics.mathml(line) for line in lines]
    done = [v for v in found if v]
    assert len(done) >= 0.85 * len(lines)
    for text in done:
        assert ElementTree.fromstring(text).tag.endswith("math")


# A sentence and the formulas in it, as they stand in docstrings.
IN_TEXT = {
    "with theta+^2 - theta+ = theta^2. More": ["theta+^2 - theta+ = theta^2"],
    "where s = x+ - x and y = g+ - g (Dixon 1972)": ["s = x+ - x", "y = g+ - g"],
    "is a ||J p||^2 at least": ["||J p||^2"],
    "minimise 1/2 ||A c + b0 - b||^2 + lam ||c||_1.": [
        "1/2 ||A c + b0 - b||^2 + lam ||c||_1"
    ],
    "uphill, <z - x+, x+ - x> > 0 (them)": ["<z - x+, x+ - x> > 0"],
    "is said of f(x) - f* or of x*; lam_i becomes": ["f(x) - f*", "x*", "lam_i"],
    "at most n + sqrt(n) L / eps components": ["n + sqrt(n) L / eps"],
    "until ||C p|| <= 1, then": ["||C p|| <= 1"],
    "for -laplace u = f, A(s) = s / 2 and": ["-laplace u = f", "A(s) = s / 2"],
    # Words, code, and what is torn out of a formula that cannot be read.
    "I is a constant; A is not": [],
    "momentum=0.9, nesterov=True and `x = 1`": [],
    "an l2 > 0, T(x, *args) and f*g*h": [],
    "of each f_i's gradient": [],
    "until ||C p|| <= radius, then": [],
    "so eta_t = w_t sum_{p>t} w_p / max, and": [],
    "is min(1, that at x0) of min(1, ||grad f (of it)": [],
}


@pytest.mark.parametrize("text", IN_TEXT)
def test_formulas_of_sentences_are_read_whole_or_not_at_all(pages, text, monkeypatch):
    mathematics, found = pages("mathematics"), []
    inline = mathematics._inline

    def kept(piece):
        said = inline(piece)
        found.extend([piece] if said else [])
        return said

    monkeypatch.setattr(mathematics, "_inline", kept)
    shown = mathematics.escaped(text)
    assert found == IN_TEXT[text]
    assert shown.count("<math") == len(found)
    if not found:
        assert shown == mathematics._plain(text)


def test_formulas_of_sentences_are_xml_that_markdown_leaves_alone(pages):
    """274 when this was written."""
    mathematics = pages("mathematics")
    done = 0
    for room in catalogue.own().values():
        for entry in room.values():
            for text in re.findall(
                r"<span class=\"formula-in-text\">(.*?)</span>",
                mathematics.escaped(entry["doc"]),
            ):
                ElementTree.fromstring(text)
                inside = "".join(re.findall(r">([^<]*)<", text))
                assert not set(inside) & set("*_|`["), inside
                done += 1
    assert done >= 260


def test_a_stressed_word_stays_stressed_and_a_product_is_none(pages):
    escaped = pages("mathematics").escaped
    assert escaped("to the *discrete* minimiser") == "to the *discrete* minimiser"
    assert escaped("f*g*h and (x, *args)") == r"f\*g\*h and (x, \*args)"


def test_what_methods_need_and_assume_has_words(pages):
    generate = pages("generate")
    for entry in catalogue.own()["methods"].values():
        assert set(entry["needs"]) <= set(generate.ORACLES), entry["name"]
        assert set(entry["assumes"]) <= set(generate.FACTS), entry["name"]
    assert generate.said_as(["grad", "prox"], generate.ORACLES) == (
        "the gradient and the prox of the term"
    )


# The guide ----------------------------------------------------------------------------


def test_methods_that_the_guide_names_are_certified_somewhere():
    """Each has a call in calls.json, which is solved when that is written."""
    known = json.loads((DOCS / "calls.json").read_text(encoding="utf-8"))
    text = (DOCS / "choosing.md").read_text(encoding="utf-8")
    named = set(re.findall(r"methods/(\w+)\.md", text))
    assert len(named) >= 10
    assert not {name for name in named if not known.get(name)}


# Calls and curves ---------------------------------------------------------------------


def test_every_method_has_been_tried_and_most_have_a_call():
    """Cure: python docs/calls.py --write NAME."""
    known = json.loads((DOCS / "calls.json").read_text(encoding="utf-8"))
    own = {n for n, e in catalogue.own()["methods"].items() if e["family"] != "bridge"}
    assert own <= known.keys()
    assert sum(known[n] is not None for n in own) >= 0.9 * len(own)


def one_a_family():
    """The first method of each family that has a call."""
    known = json.loads((DOCS / "calls.json").read_text(encoding="utf-8"))
    first = {}
    for name, entry in sorted(catalogue.own()["methods"].items()):
        if known.get(name):
            first.setdefault(entry["family"], name)
    return [(name, known[name]) for name in first.values()]


@pytest.mark.parametrize(("name", "found"), one_a_family(), ids=lambda v: str(v)[:24])
def test_calls_are_certified_as_their_page_says(pages, capsys, name, found):
    exec(compile(pages("calls").code(name, found), name, "exec"), space := {})
    result = space["result"]
    assert result.certified and result.method.card.name == name
    assert result.certificate.quantity == found["quantity"]
    assert capsys.readouterr().out.startswith("certified: ")


def test_a_curve_shows_the_run_and_says_so(pages):
    said = 'a "name" & more'
    svg = pages("curves").svg([[0, 1.0], [5, 1e-3], [10, 1e-7]], 1e-6, said)
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == said
    (line,) = (v for v in root.iter() if v.tag.endswith("polyline"))
    at = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
    assert at == sorted(at) and [y for _, y in at] == sorted(y for _, y in at)
    # The last point is under the line of the tolerance.
    (bar,) = (v for v in root.iter() if v.get("class") == "tol")
    assert at[1][1] < float(bar.get("y1")) < at[2][1]


# Public names -------------------------------------------------------------------------


def test_every_public_name_has_one_page(pages):
    api = pages("api")
    listed = [name for names in api.groups().values() for name in names]
    assert len(listed) == len(set(listed))
    methods = {e["class"] for e in catalogue.own()["methods"].values()}
    shown = {n for n in dir(bn) if n[0] != "_"} - methods - {"checks", "methods"}
    shown |= {f"{room}.{n}" for room in ("terms", "parts")
              for n in dir(getattr(bn, room)) if n[0] != "_"}  # fmt: skip
    shown -= {"terms", "parts"}
    assert shown <= set(listed)
    files = {api.file(name).lower() for name in listed}
    assert len(files) == len(listed)
    written = api.pages()
    for name in listed:
        assert f"::: {api.place(name)}" in written[api.file(name)]


def test_a_class_says_how_it_is_called_before_anything_else(pages):
    text = pages("api").page("Lasso")
    assert text.startswith("# bn.Lasso\n\n```python\nbn.Lasso(A, b, lam, ")
    assert text.index("bn.Lasso(A") < text.index("::: ")
    assert pages("api").page("solve").startswith("::: ")


def test_formulas_of_the_api_are_typeset_up_to_the_sections(pages):
    head = "minimise f over ||x|| <= 1.\n\nx+ = x - t g\n\n    a *table* of x^2"
    tail = "Args:\n    t: step, t <= 1 / L\n\nAfter x^2 = y."
    shown = pages("typeset").typeset(f"{head}\n\n{tail}")
    assert shown.count("<math") == 2
    assert "a *table* of x^2" in shown
    assert shown.endswith(tail)
    assert pages("typeset").typeset(">>> x = 1\n1") == (
        "Examples:\n    >>> x = 1\n    1"
    )


def test_examples_of_docstrings_are_code_and_no_quotations(pages):
    """Of each public name with an example, as griffe reads it for the site."""
    griffe = pytest.importorskip("griffe")
    read, api = pages("typeset").typeset, pages("api")
    seen = 0
    for name in (name for names in api.groups().values() for name in names):
        room, _, last = name.rpartition(".")
        said = inspect.getdoc(getattr(getattr(bn, room) if room else bn, last)) or ""
        if ">>>" not in said:
            continue
        parts = griffe.Docstring(read(said)).parse("google")
        kinds = [part.kind.value for part in parts]
        assert "examples" in kinds, (name, kinds)
        others = [part for part in parts if part.kind.value != "examples"]
        assert not any(">>>" in str(part.value) for part in others), name
        told = [p for p in parts if p.kind.value == "admonition"]
        assert not any(">>>" in p.value.contents for p in told), name
        seen += 1
    assert seen >= 150


def test_the_navigation_has_places_for_generated_parts(pages):
    generate = pages("generate")
    nav = [{"Start": "index.md"}, {"API": "api"}]
    assert generate.placed(nav, {"API": ["a.md"]})[1] == {"API": ["a.md"]}
    with pytest.raises(ValueError, match="no place for"):
        generate.placed(nav, {"Methods": []})
