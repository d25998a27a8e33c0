"""Answers after the run: verify them again, read them back from disk."""

import dataclasses
import os
from contextlib import nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach import zoo
from banach.core import compat, tree, validation
from banach.core.annotations import CheckLike, Path, ProblemLike, Tolerance
from banach.core.check import Absolute, Certificate, Check
from banach.core.door import door
from banach.core.point import Point
from banach.core.printing import goal_text, grade_text, odds_text
from banach.core.problem import Misuse, Problem, sound
from banach.core.result import (
    Answer,
    LeftOut,
    Result,
    elsewhere,
    point_id,
    problem_id,
)
from banach.doors import defaults
from banach.engine import compile_cache, loop, restore
from banach.engine.finish import look, stamped, without_minimiser


@dataclasses.dataclass(frozen=True, repr=False)
class Verdict:
    """A fresh look at an answer, by a check with a new key.

    Args:
        certificate: what the check says now.
        tol: the tolerance asked.
        absolute: whether it is in the units of the quantity.
        problem_matches, point_matches, run_matches: whether problem, point and run are
            those that the old certificate names; None: there is none.
        x: the point that was judged.

    Example:
        >>> verdict = bn.verify(
        ...     bn.Ridge(np.eye(2), np.ones(2), l2=1.0), np.full(2, 0.5)
        ... )
        >>> print(verdict)
        certified: f(x)-f*, ratio 1.15e-30, tol 1e-06
          ...
    """

    certificate: Certificate
    tol: float
    absolute: bool
    problem_matches: bool | None
    point_matches: bool | None
    x: Any
    run_matches: bool | None = None

    @property
    def certified(self) -> bool:
        """Whether the status is: the check passed, on what the claim speaks of."""
        return self.status == "certified"

    @property
    def status(self) -> str:
        """certified, refuted, nonfinite or budget (not within tol)."""
        if False in (self.point_matches, self.problem_matches, self.run_matches):
            return "refuted"
        if bool(self.certificate.within(self.tol)):
            return "certified"
        if bool(self.certificate.refuted()):
            return "refuted"
        finite = np.isfinite(float(self.certificate.value))
        return "budget" if finite else "nonfinite"

    def __str__(self) -> str:
        c = self.certificate
        asked = "" if c.signed else f", ratio {float(c.ratio):.3g}, tol {self.tol:.3g}"
        lines = [
            f"{self.status}: {goal_text(c) if c.signed else c.quantity}{asked}",
            f"  value {float(c.value):.3g} + slack {float(c.slack):.3g}, scale "
            f"{float(c.scale):.3g}; rounding {c.rounding}; assumes "
            f"{', '.join(c.assumes) or 'nothing'}",
            f"  grade {grade_text(c)}",
        ]
        if c.grade == "statistical":
            lines.append(
                f"  delta {odds_text(c)}: of this verdict alone, beside the run's own "
                "(fresh samples are new evidence, the same rows are not)"
            )
        if self.problem_matches is False:
            lines.append("  the problem is NOT the one that the certificate names")
        if self.point_matches is False:
            lines.append("  the point is NOT the one that the certificate names")
        if self.run_matches is False:
            lines.append("  the file was EDITED after it was saved: it claims nothing")
        return "\n".join(lines)

    __repr__ = __str__


@door(host=True)
def verify(
    answer: Result | Problem | Path,
    x: PyTree | None = None,
    *,
    problem: "ProblemLike | None" = None,
    check: CheckLike = None,
    tol: "Tolerance | None" = None,
    seed: int = 1,
    trust: bool = False,
) -> Verdict:
    """Certify an answer again, trusting nothing that came with it.

    `answer` is a Result, a saved file, or a Problem with `x` given. The problem and
    point are compared with those that the certificate names. A file is data: what was
    edited in it is refuted, and a problem that it names in a user's Python file is
    executed with `trust=True` alone (or give `problem=`).

    Args:
        answer: a Result, a file that `Result.save` wrote, or a Problem with `x`.
        x: the point, where the answer is a Problem; like its variable.
        problem: the problem, where it is not that of the result or of the file.
        check: a Check or its name; None: that of the run, or the problem's default.
        tol: relative, or `bn.Absolute(t)`; None: that of the run, or 1e-6.
        seed: of the check's random stream.
        trust: whether a user's Python file that a saved run names may be executed.

    Returns:
        Verdict: `certified`, the certificate, and whether problem and point are those
            that the old one names.

    Raises:
        Misuse: an answer that does not fit its problem, a file that is not as it was
            written, a check that does not take the problem.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> ridge = bn.Ridge(A, b, l2=0.1)
        >>> (
        ...     bn.verify(bn.solve(ridge)).certified,
        ...     bn.verify(ridge, np.zeros(2)).certified,
        ... )
        (True, False)
    """
    claim_problem = claim_point = None
    dual = loaded = None
    if x is not None and not isinstance(answer, Problem):
        raise Misuse(
            "verify judges the point that came with a Result or a saved run, and was "
            "given x= as well; to judge another point: bn.verify(result.problem, x) "
            "or bn.verify(bn.load(file).problem, x)"
        )
    validation.seed(seed)
    validation.flag(trust, "trust")
    from_file = isinstance(answer, str | os.PathLike)
    file = restore.clear(answer, named=False) if from_file else nullcontext()
    with compat.double(), file:
        if isinstance(answer, Problem):
            if x is None:
                raise Misuse("verify(problem, x) needs the point x to judge")
            if problem is not None:
                raise Misuse(
                    "verify(problem, x) judges x on that problem; drop problem=, which "
                    "is for a Result or a saved file"
                )
            problem, x, tol = answer, arrays(x), 1e-6 if tol is None else tol
        elif isinstance(answer, Result):
            claim_problem = answer.certificate.problem_id or None
            claim_point = answer.certificate.point_id or None
            problem = answer.problem if problem is None else problem
            x, dual = answer.x, answer.point.dual
            check = answer.check if check is None else check
            tol = _asked(answer) if tol is None else tol
        else:
            loaded = load(answer, problem=problem, trust=trust)
            problem, x = loaded.problem, loaded.x
            dual = loaded.dual
            claim_problem, claim_point = loaded.problem_id, loaded.point_id
            check = loaded.check if check is None else check
            tol = loaded.tol if tol is None else tol
        problem, _ = stated(problem)
        check = defaults.check_for(check, problem)
        number, absolute = loop.split_tol(tol)
        fits(x, problem)
        point = Point(x, dual)
        if check.host:
            seen = check(problem, point, jax.random.key(seed), 0)
            cert, kept = jax.device_get(seen)
        else:
            check = loop.leaves_in(tree.dtype(x), check)
            cert, kept = look(problem, check, point, compile_cache.raw_key(seed))
        cert = cert.absolute() if absolute else cert
        if problem.unattained(kept.x) is not None:
            cert = without_minimiser(cert)
        pid = problem_id(problem)
        matches = (
            None if not claim_problem else claim_problem == pid,
            None if not claim_point else claim_point == point_id(x),
        )
        whole = None
        if loaded is not None:
            whole = loaded.intact and loaded.problem_id == loaded.claimed_problem_id
        return Verdict(
            stamped(cert, pid, kept.x),
            float(number),
            absolute,
            *matches,
            kept.x,
            whole,
        )


@dataclasses.dataclass(frozen=True, repr=False)
class Saved(Answer):
    """A run read back from disk: answer, problem and what it claimed.

    coef, intercept, predict and predict_proba are those of a Result.
    """

    problem: Problem
    x: Any
    dual: Any
    check: Check
    tol: Any
    problem_id: str
    point_id: str
    data: dict[str, Any]
    intact: bool

    def __repr__(self) -> str:
        return (
            f"Saved({self.problem!r}: the file says {self.data['status']}, which "
            "bn.verify(file) judges)"
        )

    @property
    def claimed_problem_id(self) -> str:
        """The problem that the certificate names."""
        return self.data["certificate"]["problem_id"]

    def _instead(self, name: str) -> str:
        said, word = f"a saved run has no field {name!r}", elsewhere(name)
        field = word.partition(".")[0]
        if field in ("x", "problem", "coef", "intercept") or "predict" in word:
            return f"{said}: here it is .{word.replace('result.x', 'x')}"
        if field == "point":
            return f"{said}: the multipliers are .dual"
        if field in ("certified", "require"):
            field = "status"
        if field in self.__dict__.get("data", {}):
            return (
                f"{said}, which would be a claim: bn.verify(file) judges the answer "
                f"anew, and .data[{field!r}] is what the file says"
            )
        names = ", ".join(f.name for f in dataclasses.fields(self))
        return f"{said}; it has {names}"


@door
def load(
    path: Path, *, problem: "ProblemLike | None" = None, trust: bool = False
) -> Saved:
    """Read a saved run; the problem is loaded again by its name or from its leaves.

    Args:
        path: a file that `Result.save` or a checkpoint wrote.
        problem: the problem to use instead of the file's.
        trust: whether a user's Python file that the run names may be executed.

    Returns:
        Saved: x and what was claimed of it; `intact` is false where the file was
        edited since. None of it is believed: `verify` judges it again.

    Raises:
        Misuse: no such file, or anything in it that is not as it was written.

    Example:
        >>> path = bn.solve("lasso:diabetes").save("run.json")
        >>> saved = bn.load("run.json")
        >>> saved.problem.kind, saved.intact, bn.verify("run.json").certified
        ('GLM', True, True)
    """
    validation.flag(trust, "trust")
    if problem is not None:
        problem, _ = stated(problem)
    saved, store = restore.read(path)
    with compat.double(), restore.clear(path):
        if problem is None:
            named = partial(zoo.from_source, trust=trust)
            problem, _ = stated(restore.problem_of(saved, store, named))
        x, dual = restore.point_of(saved, store, problem.space())
        tol: Any = saved["tol"]
        return Saved(
            problem,
            x,
            dual,
            restore.check_of(saved, store),
            Absolute(tol) if saved["tol_is_absolute"] else tol,
            saved["problem_id"],
            saved["certificate"]["point_id"],
            saved,
            restore.intact(saved),
        )


def stated(problem: Any) -> tuple[Problem, dict[str, Any] | None]:
    """(problem, its source) as `named` has them; what is edited in it is demanded."""
    problem, source = named(problem)
    sound(problem)
    return problem, source


def named(problem: Any) -> tuple[Problem, dict[str, Any] | None]:
    """(problem, its source) of a Problem or a built-in name; else Misuse."""
    if isinstance(problem, str):
        return zoo.load(problem), zoo.source(problem)
    if isinstance(problem, LeftOut):
        raise Misuse(
            f"this result came without its problem: the functions of a {problem.name} "
            "cannot be pickled. Pass it again, bn.verify(result, problem=...)"
        )
    if not isinstance(problem, Problem):
        raise Misuse(
            f"problem must be a bn problem or a built-in name, got "
            f"{type(problem).__name__}; for a plain function use "
            "bn.minimize(f, x0) or bn.Smooth(f, x0)"
        )
    return problem, None


def arrays(x: PyTree) -> PyTree:
    """Python numbers and lists of leaves as NumPy arrays; text and None are refused."""

    def fix(leaf):
        if isinstance(leaf, jax.Array):
            return leaf
        if validation.masked(leaf):
            return validation.array(leaf, "x")
        try:
            a = np.asarray(leaf)
        except (ValueError, TypeError) as e:
            raise Misuse(f"cannot read {validation.shown(leaf)} as numbers: {e}") from e
        if a.dtype.kind in "OUSMmV" and not jnp.issubdtype(a.dtype, jnp.floating):
            raise Misuse(
                f"cannot read {validation.shown(leaf)} as numbers; pass arrays"
            )
        return a

    return jax.tree.map(fix, x, is_leaf=lambda v: v is None)


def fits(x: PyTree, problem: Problem, name: str = "x") -> None:
    """Raise Misuse unless x has the structure, shapes and kind of the variable."""
    space = problem.space()
    want, have = jax.tree.structure(space), jax.tree.structure(x)
    if want != have:
        one = jax.tree_util.treedef_is_leaf(want)
        cure = f"; pass one array of shape {space.shape}" if one else ""
        raise Misuse(
            f"{name} has structure {have}, the problem's variable {want}{cure}"
        )
    for model, leaf in zip(jax.tree.leaves(space), jax.tree.leaves(x), strict=True):
        if np.shape(leaf) != model.shape:
            raise Misuse(
                f"{name} has a leaf of shape {np.shape(leaf)}, the problem's variable "
                f"has {model.shape}"
            )
        kind = np.dtype(jnp.result_type(leaf))
        if not jnp.issubdtype(kind, jnp.floating):
            raise Misuse(f"{name} has dtype {kind}; pass {name}.astype(float)")
        if name.startswith("start") and not np.isfinite(np.asarray(leaf)).all():
            raise Misuse(f"{name} contains NaN or infinity; pass a finite start")


def _asked(result: Result) -> Any:
    return Absolute(result.tol) if result.absolute else result.tol
