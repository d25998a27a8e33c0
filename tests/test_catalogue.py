"""The catalogue: fresh, strict about cards, and readable without jax."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import banach.bibtex as bibtex
import banach.catalogue as catalogue
from banach import card_reader
from banach.core.card import home, method

SRC = Path(catalogue.__file__).parent

CARD = """\
@method(
    name="fast_step", family="smooth", problem="Smooth",
    needs={"value", "grad"}, assumes={"smooth", "convex"},
    paper="erdos1960step", cost={"grad": 1},
    rate_of="f(x) - f*", rate=lambda c, t: c.L / t,
)
class FastStep(Method):
    \"\"\"A step that is fast.\"\"\"
"""
MODULE = '"""Fast steps.\n\nMore words."""\nfrom banach.core import Method, method\n\n'
BIB = r"""% the paper
@article{erdos1960step,
  title = {A {Fast} step: the $O(1/k^2)$ rate of {\L}ojasiewicz},
  author = "Erd{\H{o}}s, Paul and Mar\'ia {van der Berg} and Hopf, Jr, Eb",
  year = 1960,
}
"""


def tree(tmp_path, module=MODULE + CARD, bib=BIB, name="fast_step", folder=None):
    """A package folder that holds one method."""
    home = tmp_path / (folder or "methods/smooth")
    home.mkdir(parents=True, exist_ok=True)
    (home / "__init__.py").write_text("")
    (home / f"{name}.py").write_text(module)
    if bib is not None:
        (home / f"{name}.bib").write_text(bib)
    return tmp_path


def only(monkeypatch, methods):
    """The catalogue, holding these methods alone."""
    empty = {"methods": {}, "kinds": {}, "checks": {}}
    monkeypatch.setattr(catalogue, "own", lambda: empty | {"methods": methods})
    monkeypatch.setattr(catalogue, "outside", lambda: empty)


def test_index_is_fresh():
    assert catalogue.main(["--check"]) == 0, "cure: make index"


def test_an_entry_holds_the_card_the_paper_and_the_place(tmp_path):
    assert card_reader.build_index(tree(tmp_path)) == {
        "fast_step": {
            "name": "fast_step",
            "family": "smooth",
            "problem": "Smooth",
            "needs": ["grad", "value"],
            "assumes": ["convex", "smooth"],
            "paper": "erdos1960step",
            "title": "A Fast step: the O(1/k^2) rate of Łojasiewicz",
            "authors": ["Paul Erdős", "María van der Berg", "Eb Hopf Jr"],
            "year": 1960,
            "rate_of": "f(x) - f*",
            "has_rate": True,
            "cost": {"grad": 1},
            "init_cost": None,
            "random": False,
            "host": False,
            "status": "new",
            "class": "FastStep",
            "module": "banach.methods.smooth.fast_step",
            "rule": False,
            "summary": "Fast steps.",
            "doc": "A step that is fast.",
        }
    }


def test_class_and_folder_name_a_card_that_does_not(tmp_path):
    short = CARD.replace('name="fast_step", family="smooth", ', "")
    assert short != CARD
    whole, derived = (
        card_reader.build_index(tree(tmp_path / word, MODULE + card))
        for word, card in (("whole", CARD), ("short", short))
    )
    assert whole == derived


def test_a_class_finds_its_name_and_its_family():
    found = method(problem="Smooth", needs={"grad"}, paper="x2000y")(
        type("HeavyBall", (), {"__module__": "banach.methods.smooth.heavy_ball"})
    ).card
    assert (found.name, found.family) == ("heavy_ball", "smooth")
    assert home("banach.bridge.optax") == "bridge"
    assert home("my.package") == home("__main__") == "own"


def test_a_bridge_file_holds_several_methods_under_one_bib(tmp_path):
    card = CARD.replace('"smooth", problem', '"bridge", problem')
    other = card.replace("fast_step", "slow_step").replace("FastStep", "SlowStep")
    src = tree(tmp_path, MODULE + card + other, name="peer", folder="bridge")
    index = card_reader.build_index(src)
    assert list(index) == ["fast_step", "slow_step"]
    assert {entry["module"] for entry in index.values()} == {"banach.bridge.peer"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name="fast_step"', 'name="step"', r"fast_step.py:12: name 'step' but"),
        ("class FastStep", "class Fast", r"class Fast spells 'fast'"),
        ('family="smooth"', 'family="composite"', r"folder is smooth"),
        ('"erdos1960step"', '"hopf"', r"'hopf' is not in methods/smooth/fast_step"),
        ('"Smooth"', "str(Smooth)", r"fast_step.py:7: problem must be a literal"),
        ('needs={"value", "grad"}', 'needs="grad"', r"needs is a set of words"),
        ('problem="Smooth",', "", r"@method lacks problem"),
        ("cost=", "price=", r"no argument price"),
        ('rate_of="f(x) - f*", ', "", r"a rate needs rate_of"),
        ('"""A step that is fast."""', "pass", r"FastStep needs a docstring"),
        (
            MODULE,
            "from banach.core import Method, method\n",
            r"the module needs a docstring",
        ),
        ("@method(", "@other(", r"this one holds 0"),
        ("class FastStep(", "class (", r"fast_step.py:12: "),
    ],
)
def test_a_wrong_card_is_refused(tmp_path, old, new, message):
    assert old in MODULE + CARD
    src = tree(tmp_path, (MODULE + CARD).replace(old, new))
    with pytest.raises(card_reader.CatalogueError, match=message):
        card_reader.build_index(src)


def test_a_missing_bib_and_a_name_used_twice_are_refused(tmp_path):
    with pytest.raises(card_reader.CatalogueError, match=r"fast_step.bib does not"):
        card_reader.build_index(tree(tmp_path / "a", bib=None))
    src = tree(tmp_path / "b")
    card = CARD.replace('"smooth", problem', '"bridge", problem')
    tree(tmp_path / "b", MODULE + card, name="peer", folder="bridge")
    with pytest.raises(card_reader.CatalogueError, match=r"taken by bridge/peer.py:"):
        card_reader.build_index(src)


def test_find_suggests_near_names_and_load_imports_the_class(monkeypatch):
    entry = {"module": "fractions", "class": "Fraction"}
    only(monkeypatch, {"gradient_descent": entry})
    with pytest.raises(catalogue.UnknownMethod) as error:
        catalogue.find("GradientDecent")
    assert str(error.value) == (
        "no method is called 'GradientDecent'. Did you mean gradient_descent? "
        "All names: banach methods"
    )
    with pytest.raises(catalogue.UnknownMethod, match=r"'zzz'\. All names"):
        catalogue.find("zzz")
    from fractions import Fraction

    assert catalogue.load_method("gradient_descent") is Fraction


def test_the_index_is_read_without_jax():
    code = (
        "import sys; from banach.catalogue import load_index; load_index();"
        "sys.exit(bool({'jax', 'numpy', 'ast', 'banach.bibtex'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_class_in_the_index_carries_the_card_that_the_index_shows():
    for name, entry in catalogue.load_index().items():
        card = catalogue.load_method(name).card
        for key in ("name", "family", "problem", "paper", "rate_of", "status"):
            assert getattr(card, key) == entry[key], (name, key)
        for key in ("needs", "assumes"):
            assert sorted(getattr(card, key)) == entry[key], (name, key)
        assert (card.rate is not None) == entry["has_rate"], name
        assert (card.random, card.host) == (entry["random"], entry["host"]), name
        assert card.cost == entry["cost"], name
        assert card.init_cost == entry["init_cost"], name
        assert f"{{{entry['paper']}," in catalogue.reference(name), name


def test_names_in_snake_case():
    names = ["GradientDescent", "LBFGS", "ScipyBFGS", "Fista", "Adam2Step"]
    assert [catalogue.snake_case(name) for name in names] == [
        "gradient_descent", "lbfgs", "scipy_bfgs", "fista", "adam2_step",
    ]  # fmt: skip


# The reader of .bib files.

OK = "@misc{k, title={T}, author={A B}, year={2000}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (r"{{\'e}t{\'{e}} na{\"\i}ve}", "été naïve"),
        (r"{Nocedal \& Wright, 100\%}", "Nocedal & Wright, 100%"),
        (r"{A {B {C} D} E}", "A B C D E"),
        ('"say {"}hi{"}"', 'say "hi"'),
        (r"{a \{b\} \$5}", "a {b} $5"),
        (r"{Kan\v{c}ev \v Cech \c{c}a \o re}", "Kančev Čech ça øre"),
        ("{one\n   two~three}", "one two three"),
        ("{pp 1--2 --- end}", "pp 1–2 — end"),
        (r"{\emph{Big} $\ell_1$}", "Big ℓ_1"),
        ("2001", "2001"),
        ("jan", "jan"),
    ],
)
def test_values_become_plain_text(value, text):
    entry = bibtex.parse(f"{OK}, note = {value}}}")["k"]
    assert bibtex.plain(entry.fields["note"]) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\nstray", r"x.bib:3: expected an entry"),
        ("@string{a = {b}}", r"x.bib:1: unknown entry type @string"),
        ("@misc{k title={T}}", r"x.bib:1: expected ',' after the key"),
        ("@misc{k,\n title={T\n", r"x.bib:2: a '\{' that is never closed"),
        ('@misc{k,\n title="T\n}', r"x.bib:3: a '\}' too many"),
        ('@misc{k,\n title="T\n', r"x.bib:2: a '\"' that is never closed"),
        (f"{OK}, note=foo}}", r"x.bib:1: the macro foo is not defined"),
        (f'{OK}, note="a" # "b"}}', r"x.bib:1: expected ',' or '\}' after"),
        (f"{OK},\n year=2001}}", r"x.bib:2: the field year stands twice in k"),
        (f"{OK}}}\n{OK}}}", r"x.bib:2: the key k is used twice"),
        ("@misc{k, author={A}, year=2000}", r"k lacks the field title"),
        ("@misc{k, title={T}, author={A}, year=20}", r"year '20' is not four"),
        ("@misc{k, title={T}, author={A and }, year=2000}", r"an empty name"),
        (f"{OK}", r"x.bib:1: expected ',' or"),
    ],
)
def test_errors_name_file_and_line(text, message):
    with pytest.raises(bibtex.BibtexError, match=message):
        bibtex.parse(text, "x.bib")


def test_an_unknown_command_names_the_entry():
    entry = bibtex.parse("\n@misc{k, title={\\foo}, author={A}, year=2000}", "x.bib")
    with pytest.raises(bibtex.BibtexError, match=r"x.bib:2: unknown TeX command \\foo"):
        assert entry["k"].title


def test_render_reads_back_as_the_same_entry():
    entry = bibtex.parse(BIB)["erdos1960step"]
    again = bibtex.parse(entry.render())["erdos1960step"]
    assert (again.kind, again.fields) == (entry.kind, entry.fields)
    assert entry.render().startswith("@article{erdos1960step,\n  title = {A {Fast}")


# What the documentation makes of the index.


def docs_generator():
    """The module docs/generate.py, which is not part of the package."""
    file = SRC.parents[1] / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("docs_generate", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_refs_bib_is_fresh():
    assert docs_generator().main(["--check"]) == 0, "cure: make index"


def test_a_page_shows_card_formula_paper_and_verdict(tmp_path, monkeypatch):
    module = (MODULE + CARD).replace(
        '"""A step that is fast."""',
        '"""Idea of f*g*h.\n\n    x+ = x - t * grad f(x)\n\n    Fails `a*b`."""',
    )
    src = tree(tmp_path, module)
    index = card_reader.build_index(src)
    monkeypatch.setattr(catalogue, "ROOT", src)
    only(monkeypatch, index)
    claim = {"name": "fast_step", "verdict": "not_reproduced", "date": "2026-11-28"}
    claim |= {"summary": "0 of 1; not theorem 2"}
    pages = docs_generator().pages(index, [claim, claim | {"name": "other"}])
    assert set(pages) == {"index.md", "fast_step.md"}
    page = pages["fast_step.md"]
    assert "| Needs (oracles) | `grad`, `value` |" in page
    assert 'Idea of f\\*g\\*h.\n\n<div class="formula"><math' in page
    assert "## When not\n\nFails `a*b`." in page
    assert "Paul Erdős, María van der Berg, Eb Hopf Jr (1960)." in page
    assert "@article{erdos1960step," in page
    said = "**Not reproduced** (0 of 1; not theorem 2, 2026-11-28): [statement by "
    assert page.count(said + "statement](../evidence/fast_step.md).") == 1
    assert (
        "[fast_step](fast_step.md) | Fast steps. | `grad`, `value` | 1960"
        in (pages["index.md"])
    )


def test_every_kind_has_a_page_that_names_its_methods_and_ready_problems():
    rows = [{"name": "fit:a", "kind": "NonlinearLeastSquares", "title": "a fit"}]
    kinds, index = catalogue.own()["kinds"], catalogue.own()["methods"]
    pages = docs_generator().kind_pages(kinds, index, rows)
    assert set(pages) == {"index.md", *(f"{name}.md" for name in kinds)}
    page = pages["NonlinearLeastSquares.md"]
    assert (
        "| Default check | `projected_residual`, or `stationarity`, or `step` |" in page
    )
    assert "[levenberg_marquardt](../methods/levenberg_marquardt.md)" in page
    assert "`banach race fit:a`: a fit" in page
    assert "[Smooth](Smooth.md)" in pages["index.md"]
