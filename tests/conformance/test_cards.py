"""What a card says, checked by tracing alone: nothing is compiled here."""

import ast
import importlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beds import BEDS
from counted import Counted, Tally
from cures import CURES
from listing import (
    BRIDGES,
    HOSTED,
    INDEX,
    NATIVE,
    TESTS,
    applicable,
    built,
    itself,
    known_failures,
    marked,
)

import banach as bn
from banach import catalogue
from banach.claims import course
from banach.core.kind import unknown
from banach.core.method import Method, Refusal
from banach.core.point import Point
from banach.core.tree import dtype
from banach.doors import defaults
from banach.engine.executors import Program
from banach.engine.loop import leaves_in

# Passes over the objective (value, gradient, or both at once) in a traced program.
# Each costs compile time, so that more than these is a decision to be listed here.
PASSES = {"init": 1, "step": 2}
MORE_PASSES = {
    "optax": {"step": 3},  # its zoom search evaluates in three branches
    # A lower solve, begun and continued, and the upper gradient; in `init` both
    # gradients once more, for the units of the tolerances.
    "hypergradient_descent": {"init": 5, "step": 3},
    # F twice, for its difference quotient at the start.
    "golden_ratio": {"init": 2},
    "backtracking_extragradient": {"init": 2},
    # Both levels, and in a step both iterates with the same samples.
    "bsvrb": {"init": 2, "step": 4},
    # The gradient, and f at both points that are compared.
    "greedy_bcd": {"step": 3},
    # Two half sweeps, the plan, and the trials of a search.
    "sinkhorn_newton_sparse": {"step": 4},
    # The whole gradient at the snapshot, and a batch at two points.
    "svrg": {"step": 3},
    "katyusha": {"step": 3},
    "sarah": {"step": 3},
    "spider": {"step": 3},
}

ALL = [marked(n, n) for n in INDEX]
COMPILED = [marked(n, n) for n in INDEX if not INDEX[n]["host"]]


def traced(method, problem):
    """(shapes of the state after init, after a step, passes of init, of step)."""
    tally = Tally()
    problem = Counted(problem, tally)
    start = problem.start()
    method = leaves_in(dtype(start.x), method)
    key = jax.random.key(0)
    first = jax.eval_shape(lambda p: strong(method.init(p, start, key)), problem)
    passes = [tally.passes]
    again = jax.eval_shape(lambda p, s: method.step(p, s, key), problem, first)
    passes.append(tally.passes - passes[0])
    return first, again, passes, tally.traced


def strong(value):
    return jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v)), value)


@pytest.mark.parametrize("name", COMPILED)
def test_a_state_keeps_structure_shapes_and_dtypes(name):
    for bed in applicable(name):
        problem = BEDS[bed].problem
        first, again, _, _ = traced(built(name, problem), problem)
        assert jax.tree.structure(first) == jax.tree.structure(again)
        for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)


@pytest.mark.parametrize("name", COMPILED)
def test_a_float32_problem_has_a_float32_state(name):
    for bed in applicable(name):
        problem = BEDS[bed].narrow()
        method = built(name, problem)
        first, again, _, _ = traced(method, problem)
        # A peer's private state is its own affair; the point is ours.
        point = jax.eval_shape(method.point, again).x
        state = (first, again) if name in NATIVE else ()
        for leaf in jax.tree.leaves((point, state)):
            if jnp.issubdtype(leaf.dtype, jnp.inexact):
                assert leaf.dtype == np.float32
        assert jax.tree.structure(point) == jax.tree.structure(problem.space())


@pytest.mark.parametrize("name", COMPILED)
def test_the_objective_is_traced_a_small_number_of_times(name):
    bound = PASSES | MORE_PASSES.get(name, {})
    for bed in applicable(name):
        problem = BEDS[bed].problem
        _, _, (init, step), _ = traced(built(name, problem), problem)
        assert init <= bound["init"] and step <= bound["step"]
        assert init + step >= 1


@pytest.mark.parametrize("name", COMPILED)
def test_needs_are_sufficient_and_only_they_are_touched(name):
    """A problem that offers exactly `needs` is solved by them, or refused."""
    needs = frozenset(INDEX[name]["needs"])
    met = 0
    for problem in (bed.problem for bed in BEDS.values()):
        if not itself(name, problem):
            continue
        bare = Counted(problem, Tally(), needs)
        method = built(name, bare)
        if isinstance(method, Refusal):
            assert method.cure
            continue
        _, _, _, touched = traced(method, problem)
        assert set(touched) <= needs, f"{name} touches {set(touched) - needs}"
        met += 1
    assert met or not applicable(name)


@pytest.mark.parametrize("name", COMPILED)
def test_a_missing_oracle_is_refused_by_name_with_the_cure(name):
    entry = INDEX[name]
    for bed in applicable(name):
        problem = BEDS[bed].problem
        for oracle in entry["needs"]:
            rest = problem.oracles() - {oracle}
            no = built(name, Counted(problem, Tally(), frozenset(rest)))
            assert isinstance(no, Refusal)
            assert oracle in no.missing or "use of" in no.missing
            assert name in no.cure and len(no.cure) > len(name) + 20


@pytest.mark.parametrize("name", COMPILED)
def test_problems_that_do_not_fit_are_refused_through_every_door(name):
    cls = catalogue.load_method(name)
    for problem in (bed.problem for bed in BEDS.values()):
        no = built(name, problem)
        if not isinstance(no, Refusal):
            continue
        assert no.missing and no.cure
        for asked in (name, cls):
            with pytest.raises(bn.Misuse) as error:
                defaults.method_for(asked, problem, problem.facts())
            assert str(error.value) == no.cure


@pytest.mark.parametrize("name", ALL)
def test_the_card_is_the_index_and_the_class_obeys_the_contract(name):
    entry = INDEX[name]
    cls = catalogue.load_method(name)
    card = cls.card
    assert (card.name, card.family, card.problem) == tuple(
        entry[k] for k in ("name", "family", "problem")
    )
    assert sorted(card.needs) == entry["needs"] and card.cost == entry["cost"]
    assert sorted(card.assumes) == entry["assumes"]
    assert catalogue.snake_case(cls.__name__) == name and cls.__doc__
    named = {*(card.cost or {}), *(card.init_cost or {})}
    # What a step costs it must need, and it needs nothing that it never calls.
    assert named <= card.needs and not unknown(card.needs)
    if issubclass(cls, Method) and card.cost is None:
        assert cls.calls is not Method.calls
    if card.rate is not None:
        assert card.rate_of
    for door in ("suggest",) if entry["host"] else ("suggest", "init", "step", "point"):
        assert callable(getattr(cls, door))


def demanded(name: str) -> list[Path]:
    """The files that a method consists of (docs/adding-a-method.md)."""
    src, family = Path(catalogue.__file__).parent, INDEX[name]["family"]
    home = src / "methods" / family
    reference = TESTS / "reference" / f"{name}.py"
    files = [
        home / f"{name}.py",
        home / f"{name}.bib",
        src / "claims" / family / f"{name}.py",
        reference,
    ]
    # A reference with cases is compared by conformance; another one by its own test.
    cases = reference.exists() and "CASES" in assigned(reference)
    own = TESTS / "methods" / family / f"test_{name}.py"
    return files if cases else [*files, own]


def assigned(file: Path) -> set[str]:
    """Names that a module binds at its top: values, functions and classes."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            found.update(t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


@pytest.mark.parametrize("name", NATIVE + HOSTED)
def test_every_method_has_its_files(name):
    lacking = [file for file in demanded(name) if not file.exists()]
    assert not lacking, f"{name} lacks " + ", ".join(map(str, lacking))
    *_, claim, reference = demanded(name)[:4]
    for file, needs in [
        (reference, {"iterates"} if "CASES" in assigned(reference) else set()),
        (claim, set()),
    ]:
        without = needs - assigned(file)
        assert not without, f"{file} lacks {', '.join(sorted(without))}"
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NATIVE + HOSTED)
def test_every_claim_states_what_the_paper_says(name):
    """Each statement has words and a source; one at least is the paper's."""
    claim = importlib.import_module(f"banach.claims.{INDEX[name]['family']}.{name}")
    stated = course.statements(claim)
    assert any(s.sort != "ours" for s in stated)
    assert all(len(s.says) > 20 and s.source for s in stated)
    assert len({s.says for s in stated}) == len(stated)


def test_nothing_is_left_over_from_a_method_that_is_gone():
    src = Path(catalogue.__file__).parent
    names = {
        *(TESTS / "reference").glob("[!_]*.py"),
        *(src / "claims").glob("*/[!_]*.py"),
        *(src / "methods").glob("*/*.bib"),
    }
    assert not sorted(f for f in names if f.stem not in NATIVE + HOSTED)


def test_a_method_whose_fact_is_missing_is_refused():
    plain = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(3))
    asked = 0
    for name in NATIVE:
        entry = INDEX[name]
        if set(entry["needs"]) <= plain.oracles() and "convex" in entry["assumes"]:
            no = built(name, plain)
            assert isinstance(no, Refusal) and no.missing == "fact convex"
            assert "convex=True" in no.cure
            asked += 1
    assert asked >= 1


def test_listed_failures_name_what_exists():
    text = "".join(
        p.read_text(encoding="utf-8") for p in (TESTS / "conformance").glob("test_*.py")
    )
    for entry in known_failures():
        assert set(entry) == {"test", "method", "problem", "reason"}
        assert entry["method"] in INDEX
        assert entry["problem"] in (*BEDS, "any")
        assert f"def {entry['test']}(" in text and entry["reason"].strip()


@pytest.mark.parametrize("name", BEDS)
def test_the_answer_of_a_bed_is_its_answer(name):
    """No method is asked: optimality at the solution, and nowhere near it."""
    bed = BEDS[name]
    problem, x = bed.problem, bed.solution(1.0)
    for measure in bed.measures.values():
        assert measure(x) == pytest.approx(0, abs=1e-12)
    best, after = (Point(bed.solution(t), bed.dual(t)) for t in (1.0, 1.3))
    residual = by_numpy(lambda p, at: p.optimality(at), problem, best)
    first = Point(problem.start().x, jax.tree.map(np.zeros_like, best.dual))
    start = size(residual(first))
    assert size(residual(best)) < 1e-11 * start
    assert bed.error(problem.start().x) > 0
    rng = np.random.default_rng(0)
    inside = "project" in problem.oracles()
    project = by_numpy(lambda p, x: p.project(x), problem, x) if inside else None
    for _ in range(10):
        near = jax.tree.map(lambda v: v + 1e-4 * rng.standard_normal(v.shape), x)
        assert bed.error(near if project is None else project(near)) > 0
    moved = bed.moved(1.3)
    assert size(residual(after, moved)) < 1e-11 * start
    assert size(residual(best, moved)) > 1e-6 * start


def by_numpy(oracle, problem, at):
    """An oracle of a problem at such points, traced once: (point, problem) -> value."""
    made = []

    def function(*given):
        leaves, treedef = jax.tree.flatten(oracle(*given))
        made.append(treedef)
        return leaves

    program = Program(function, (problem, at))

    def call(at, problem=problem):
        return jax.tree.unflatten(made[0], program(jax.tree.leaves((problem, at))))

    return call


@pytest.mark.parametrize("name", BEDS)
def test_the_objective_of_a_bed_is_its_error(name):
    """Where there is one to minimise, NumPy and the problem agree on it."""
    bed = BEDS[name]
    if "f(x)-f*" not in bed.measures:
        pytest.skip("this kind minimises nothing")
    x, start = bed.solution(1.0), bed.problem.start().x
    ours = float(bed.problem.objective(start) - bed.problem.objective(x))
    assert ours == pytest.approx(bed.error(start), rel=1e-12)


def size(tree):
    return float(np.sqrt(sum(np.sum(np.square(v)) for v in jax.tree.leaves(tree))))


def test_each_test_of_a_method_says_what_to_do(request):
    """And a cure belongs to a test that exists."""
    of_methods = {
        item.originalname
        for item in request.session.items
        if item.path.parent == TESTS / "conformance"
        and {"case", "name", "evidence"} & {*getattr(item, "fixturenames", ())}
        and item.path.name
        not in ("test_bridges.py", "test_evidence.py", "test_scaffold.py")
    }
    of_methods -= {"test_peers_take_names_and_real_numbers"}  # of bridges
    of_methods -= {t for t in of_methods if "_of_a_bed_" in t}
    text = "".join(f.read_text("utf-8") for f in (TESTS / "conformance").glob("test_*"))
    assert of_methods <= CURES.keys(), "cure: a sentence for each in cures.py"
    assert all(f"def {test}(" in text and len(CURES[test]) > 40 for test in CURES)


def test_there_are_methods_and_bridges():
    assert len(NATIVE) >= 9 and set(BRIDGES) >= {"optax", "optimistix", "scipy"}
