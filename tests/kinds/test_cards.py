"""The card of a kind: literal, read as it runs, and no instance goes beyond it."""

import importlib
import json

import equinox as eqx
import numpy as np
import pytest

import banach as bn
from banach import card_reader, catalogue, checks, zoo
from banach.cli import app
from banach.core import compat
from banach.core import kind as words
from banach.core.problem import Misuse

ROWS = zoo.names()
FIRST = {row["kind"]: row["name"] for row in reversed(ROWS)}


@pytest.mark.parametrize("name", [row["name"] for row in ROWS])
def test_an_instance_stays_within_its_card(name):
    """Oracles, default check, preferred methods; and the class is the card's."""
    problem = zoo.load(name)
    card, entry = problem.card, catalogue.kinds()[problem.kind]
    assert type(problem).__name__ == entry["class"]
    assert problem.oracles() <= card.oracles
    assert problem.default_check() in card.checks
    assert name.partition(":")[0] in card.zoo
    views = [way.name for way in problem.views()]
    assert [name for name in card.views if name in views] == views
    with compat.double():
        chosen = words.preferred(card, problem, problem.facts())
    rows = (card.prefers or words.MINIMISATION).values()
    assert chosen and chosen in [row.split() for row in rows]


@pytest.mark.parametrize("name", catalogue.kinds())
def test_the_index_shows_the_card_that_the_class_carries(name):
    entry = catalogue.kinds()[name]
    card = getattr(bn, entry["class"]).card
    for key in ("name", "term", "prefers", "cures"):
        assert getattr(card, key) == entry[key], key
    assert sorted(card.oracles) == entry["oracles"]
    for key in ("checks", "views", "zoo"):
        assert list(getattr(card, key)) == entry[key], key
    assert set(card.checks) <= set(checks.names())
    for public, home in (entry["public"] | entry["pieces"]).items():
        assert getattr(importlib.import_module(home), public) is getattr(bn, public)


def test_every_kind_has_a_ready_problem():
    assert FIRST.keys() == catalogue.kinds().keys()


def test_ready_fits_have_their_published_answers():
    found = bn.solve(zoo.load("fit:puromycin"), tol=1e-8)
    assert found.x == pytest.approx([212.684, 0.0641213], rel=1e-5)
    circle = bn.solve(zoo.load("fit:circle"), tol=1e-8)
    assert circle.x == pytest.approx([4.7398, 2.9835, 4.7142], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@kind(name='A', oracles='value')", "@kind lacks checks"),
        ("@kind(name='A', oracles=ALL, checks='gap')", "oracles must be a literal"),
        ("@kind('A', oracles='value', checks='gap')", "every argument of @kind is"),
        ("@kind(name='A', oracles='v', checks='g', zoos='a')", "has no argument zoos"),
        ("@kind(name='A', oracles='v', checks='g', cures='a')", "cures is a dict"),
        ("@other(name='A')", "holds one class under @kind"),
    ],
)
def test_a_wrong_card_is_refused_with_its_place(tmp_path, text, message):
    file = tmp_path / "kinds" / "a" / "problem.py"
    file.parent.mkdir(parents=True)
    file.write_text(f'"""A."""\n\n{text}\nclass A(Problem):\n    """An A."""\n')
    with pytest.raises(card_reader.CatalogueError, match=message):
        card_reader.build(tmp_path)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (dict(name=3), "one word, got 3"),
        (dict(name="Smooth"), "Smooth is one of banach's"),
        (dict(name="Own", base=object), "derived from bn.Problem"),
    ],
)
def test_a_card_that_cannot_be_is_misuse(card, message):
    base = card.pop("base", bn.Smooth)
    with pytest.raises(bn.Misuse, match=message):
        bn.kind(oracles="value", checks="gap", **card)(type("Own", (base,), {}))


def test_a_kind_of_this_process_is_listed():
    bn.kind(name="Listed", oracles="value grad", checks="stationarity")(
        type("Listed", (bn.Smooth,), {})
    )
    assert bn.problems("Listed") == []
    with pytest.raises(bn.Misuse, match="no method for 'Listed'.*Listed"):
        bn.methods("Listed")


@pytest.mark.parametrize("wrong", [3, bn.Smooth, None.__class__])
def test_listings_of_no_problem_are_misuse(wrong):
    for ask in (bn.methods, bn.checks):
        with pytest.raises(bn.Misuse, match="a Problem or the name of one"):
            ask(wrong)
    with pytest.raises(bn.Misuse, match="Did you mean lasso:diabetes"):
        bn.methods("lasso:diabetez")


def test_conditions_are_words_of_one_vocabulary():
    with pytest.raises(bn.Misuse, match="a condition is term, has:ORACLE"):
        words.kind(name="A", oracles="value", checks="gap", prefers={"big": "lbfgs"})
    problem = bn.Smooth(lambda x: (x**2).sum(), np.ones(3), L=2.0, mu=2.0)
    rows = {
        "term": "fista",
        "size<=2": "newton_cg",
        "has:hess, fact:convex, size<=3": "lazy_newton gradient_descent",
        "": "lbfgs",
    }
    card = words.KindCard("A", frozenset({"value"}), ("gap",), rows)
    chosen = words.preferred(card, problem, problem.facts())
    assert chosen == ["lazy_newton", "gradient_descent"]
    bare = words.KindCard("A", frozenset({"value"}), ("gap",))
    assert words.preferred(bare, problem, problem.facts())[0] == "lazy_newton"


class Bare(bn.Smooth):
    """A kind of somebody's own, without a card of its own."""


def test_a_class_without_a_card_takes_that_of_its_base_or_says_what_to_write():
    plain = Bare(lambda x: (x**2).sum(), np.ones(2))
    assert plain.card is bn.Smooth.card and plain.kind == "Smooth"

    class Nothing(bn.Problem):
        x0: np.ndarray = eqx.field(default_factory=lambda: np.ones(1))

        def space(self): ...
        def start(self): ...
        def facts(self): ...
        def optimality(self, point): ...
        def objective(self, x): ...
        def formula(self): ...

    with pytest.raises(bn.Misuse, match=r"@bn\.kind\(name="):
        Nothing().oracles()


def test_a_refusal_names_the_kind_that_offers_what_is_missing():
    problem = bn.Root(lambda x: x**2 - 1, np.ones(2))
    for method, cure in {
        "sinkhorn": "State the problem as bn.Transport",
        "picard": "State the problem as bn.FixedPoint",
        "econtrol": "bn.DistributedSum(finite_sum, workers)",
    }.items():
        with pytest.raises(bn.Misuse) as error:
            bn.solve(problem, method)
        assert cure in str(error.value)


ASKED = [
    (["methods", "--problem", "lasso:diabetes"], "methods", "lasso:diabetes"),
    (["methods", "--problem", "Composite"], "methods", "Composite"),
    (["methods"], "methods"),
    (["problems", "--kind", "glm"], "problems", "glm"),
    (["problems"], "problems"),
    (["checks", "--problem", "lasso:diabetes"], "checks", "lasso:diabetes"),
    (["checks"], "checks"),
    *(
        (["explain", name], "explain", name)
        for name in (
            "lasso:diabetes", "beale", "fista", "gap", "Composite", "glm", "L1",
            "averaged(gradient_descent)", "Searched", "optax:adam", "Lasso", "Gap",
        )
    ),
]  # fmt: skip


def test_both_doors_say_the_same(capsys):
    for line, door, *given in ASKED:
        said = getattr(bn, door)(*given)
        assert app.run(line) == 0, line
        out = capsys.readouterr().out
        assert out == f"{said}\n" and len(out.splitlines()) >= 1, line
        assert app.run([*line, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(said))


def test_what_is_explained():
    kind = bn.explain("composite")
    assert kind["kind"] == "Composite" and "fista" in kind["prefers"]["term"]
    assert kind["checks"][0] == "step" and "banach methods --problem Composite" in str(
        kind
    )
    both = bn.explain("averaged(gradient_descent)")
    assert [part["name"] for part in both["parts"]] == ["Averaged", "gradient_descent"]
    wrapped = bn.Averaged(bn.GradientDescent(0.1, search=False))
    assert bn.explain(wrapped)["parts"] == both["parts"]
    problem = bn.Smooth(lambda x: x @ x, [1.0, 2.0])
    assert bn.explain(problem)["size"] == 2
    for thing in (bn.Gap(), bn.Gap, "Gap"):
        assert bn.explain(thing)["check"] == "gap"
    assert bn.explain(bn.Fista)["name"] == bn.explain("Fista")["name"] == "fista"
    assert "lam" in bn.explain(bn.L1(0.1))["call"]
    for wrong, near in {"compsite": "Composite", "fist": "fista", "gpa": "gap"}.items():
        with pytest.raises(Misuse, match=f"Did you mean.*{near}"):
            bn.explain(wrong)
