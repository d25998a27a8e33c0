"""A method against its reference, and mutants of it that no case may let pass.

`tests/reference/<name>.py` exports `iterates` and `CASES` (see reference/_case.py).
The method's iterates on every case are those of the reference to 1e-10. That says
little of a constant which no case feels, so each constant is moved in turn:

- every float literal of the method's own file, but for the decorator (a rate is a
  bound, tested as one) and for limits of hyperparameters (`low`, `below`, `most`);
- every floating hyperparameter that the method of a case holds.

One per cent must be seen by some case. A constant that reaches only a comparison is
seen by none, since a run is piecewise constant in it: then four times as much and a
fourth must both be seen. What remains is a survivor: it stands in `EXEMPT` of the
reference file, by the text of its line or the name of the field, with the reason.
"""

import ast
import functools
import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from programs_of import Bare, unstacked

from banach.core import tree
from banach.core.method import Method, Refusal, decided
from banach.engine.loop import leaves_in

TOLERANCE = 1e-10
SMALL, LARGE = 1.01, (4.0, 0.25)
LIMITS = ("low", "below", "most")


class Mutant(NamedTuple):
    """A constant that was moved: where it stands, and what it is."""

    where: str
    text: str


def built(cls: type, case: Any) -> Method:
    """The method of a case, with what the case leaves open decided."""
    made = decided(cls(**case.given), case.problem, case.problem.facts())
    if isinstance(made, Refusal):
        raise AssertionError(f"{cls.__name__} refuses a case of its own: {made.cure}")
    return leaves_in(tree.dtype(case.problem.start().x), made)


def program(case: Any) -> Any:
    """Iterates of a method on a case, traced once for each structure of method."""
    steps = Bare(case.problem, case.problem.start())
    drawn = keys(case)

    def rows(method: Method) -> np.ndarray:
        _, xs, _ = steps(method, drawn)
        return np.stack([_vector(row) for row in unstacked(xs)])

    return rows


def _vector(x: Any) -> np.ndarray:
    """As `tree.ravel` has it."""
    return np.concatenate([np.ravel(np.asarray(v)) for v in jax.tree.leaves(x)])


def keys(case: Any) -> Any:
    """Of `init`, then of each step."""
    return jax.random.split(jax.random.key(7), case.steps + 1)


def expected(case: Any, iterates: Any) -> np.ndarray:
    """What the reference says of a case."""
    told = case.told(keys(case)) if callable(case.told) else case.told
    start = np.asarray(tree.ravel(case.problem.start().x)[0])
    rows = iterates(case.oracles, start, case.steps, **case.given, **told)
    return np.array([np.ravel(row) for row in rows])


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest distance of two iterates, relative to the largest iterate."""
    if ours.shape != theirs.shape or not np.isfinite(ours).all():
        return float("inf")
    size = np.abs(theirs).max()
    return float(np.abs(ours - theirs).max() / (size if size > 0 else 1.0))


class Evidence:
    """A method class, its source, and what its reference says on every case."""

    def __init__(self, cls: type, reference: Any):
        self.cls, self.cases = cls, list(reference.CASES)
        self.exempt = dict(getattr(reference, "EXEMPT", {}))
        self.file = Path(inspect.getfile(cls))
        self.source = self.file.read_text(encoding="utf-8")
        self.want = [expected(case, reference.iterates) for case in self.cases]
        self.programs = [program(case) for case in self.cases]

    def differences(self, cls: type | None = None) -> Iterator[float]:
        """The distance from the reference on one case after another."""
        cls = self.cls if cls is None else cls
        for case, go, want in zip(self.cases, self.programs, self.want, strict=True):
            yield difference(go(built(cls, case)), want)

    def survivors(self) -> list[Mutant]:
        """Constants that may be moved without any case noticing."""
        found = [
            Mutant(f"{self.file.name}:{node.lineno}", line)
            for node, line in literals(self.source)
            if not seen(functools.partial(self._literal_seen, node))
        ]
        return found + [
            Mutant(self.cls.__name__, field)
            for field in self._hyperparameters()
            if not seen(functools.partial(self._field_seen, field))
        ]

    def unexplained(self) -> tuple[list[Mutant], list[str]]:
        """Survivors without a reason, and reasons without a survivor."""
        left, used = [], set()
        for mutant in self.survivors():
            keys = [k for k in self.exempt if k in mutant.text]
            used.update(keys)
            left += [] if keys else [mutant]
        return left, sorted(set(self.exempt) - used)

    def _literal_seen(self, node: ast.Constant, factor: float) -> bool:
        try:
            cls = mutated(self.source, node, factor, self.cls.__name__, self.file)
            return any(far > TOLERANCE for far in self.differences(cls))
        except (AssertionError, ValueError, ArithmeticError):
            return True  # it cannot even be built

    def _hyperparameters(self) -> list[str]:
        """Fields that hold a finite floating number in some case."""
        return sorted(
            {
                name
                for case in self.cases
                for name, leaf in _floats(built(self.cls, case))
                if np.isfinite(leaf).all()
            }
        )

    def _field_seen(self, field: str, factor: float) -> bool:
        rows = zip(self.cases, self.programs, self.want, strict=True)
        for case, go, want in rows:
            method = built(self.cls, case)
            moved = jax.tree_util.tree_map_with_path(
                lambda path, leaf: (
                    shifted(leaf, factor) if _name(path) == field else leaf
                ),
                method,
            )
            if difference(go(moved), want) > TOLERANCE:
                return True
        return False


def seen(look: Any) -> bool:
    """Whether a constant is felt: by one per cent, or both by 4 and by a fourth."""
    return look(SMALL) or all(look(factor) for factor in LARGE)


def shifted(value: Any, factor: float) -> Any:
    """A number moved; zero, which no factor moves, by as much as one would be."""
    moved = np.where(value == 0, factor - 1, value * factor)
    return moved.astype(np.result_type(value))


def literals(source: str) -> list[tuple[ast.Constant, str]]:
    """Float literals whose value an iterate may depend on, each with its line."""
    found = []
    lines = source.splitlines()
    skipped: set[ast.AST] = set()
    parsed = ast.parse(source)
    for node in ast.walk(parsed):
        if isinstance(node, ast.ClassDef):
            skipped.update(v for d in node.decorator_list for v in ast.walk(d))
        if isinstance(node, ast.keyword) and node.arg in LIMITS:
            skipped.update(ast.walk(node.value))
    for node in ast.walk(parsed):
        number = isinstance(node, ast.Constant) and type(node.value) is float
        if number and node not in skipped:
            found.append((node, lines[node.lineno - 1].strip()))
    return sorted(found, key=lambda row: (row[0].lineno, row[0].col_offset))


def mutated(
    source: str, node: ast.Constant, factor: float, name: str, file: Any
) -> type:
    """The class of the method, compiled with one literal moved."""
    place = (node.lineno, node.col_offset)

    class Move(ast.NodeTransformer):
        def visit_Constant(self, at):
            if (at.lineno, at.col_offset) != place:
                return at
            return ast.copy_location(ast.Constant(float(shifted(at.value, factor))), at)

    changed = Move().visit(ast.parse(source))
    return executed(compile(changed, str(file), "exec"), name)


def executed(code: Any, name: str) -> type:
    """A class out of a module that exists only here."""
    module = types.ModuleType(f"mutant_of_{name}")
    exec(code, module.__dict__)
    return getattr(module, name)


def _floats(method: Method) -> list[tuple[str, Any]]:
    leaves = jax.tree_util.tree_flatten_with_path(method)[0]
    return [
        (_name(path), leaf)
        for path, leaf in leaves
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    ]


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path).lstrip(".")
