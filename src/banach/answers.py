"""Answers after the run: verify them again, read them back from disk."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach import choose, zoo
from banach.core import compat, programs, save, tree
from banach.core import run as loop
from banach.core.check import Absolute, Certificate, Check
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.record import goal_text, odds_text
from banach.core.result import Result, point_id, problem_id


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A fresh look at an answer, by a check with a new key."""

    certificate: Certificate
    certified: bool
    tol: float
    absolute: bool
    problem_matches: bool | None
    point_matches: bool | None
    x: Any

    @property
    def status(self) -> str:
        """certified, refuted, nonfinite or budget (not within tol)."""
        if self.point_matches is False or self.problem_matches is False:
            return "refuted"
        if self.certified:
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
            f"{float(c.scale):.3g}; grade {c.grade}; rounding {c.rounding}; assumes "
            f"{', '.join(c.assumes) or 'nothing'}",
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
        return "\n".join(lines)


def verify(
    answer: Any,
    x: PyTree | None = None,
    *,
    problem: Problem | str | None = None,
    check: Any = None,
    tol: Any = None,
    seed: int = 1,
) -> Verdict:
    """Certify an answer again, trusting nothing that came with it.

    `answer` is a Result, a saved file, or a Problem with `x` given. The problem and
    point are compared with those that the certificate names.
    """
    claim_problem = claim_point = None
    dual = None
    with compat.double():
        if isinstance(answer, Problem):
            if x is None:
                raise Misuse("verify(problem, x) needs the point x to judge")
            problem, x, tol = answer, arrays(x), 1e-6 if tol is None else tol
        elif isinstance(answer, Result):
            claim_problem = answer.certificate.problem_id or None
            claim_point = answer.certificate.point_id or None
            problem = answer.problem if problem is None else problem
            x, dual = answer.x, answer.point.dual
            check = answer.check if check is None else check
            tol = _asked(answer) if tol is None else tol
        else:
            loaded = load(answer, problem=problem)
            problem, x = loaded.problem, loaded.x
            dual = loaded.dual
            claim_problem, claim_point = loaded.problem_id, loaded.point_id
            check = loaded.check if check is None else check
            tol = loaded.tol if tol is None else tol
        problem, _ = stated(problem)
        check = choose.check_for(check, problem)
        number, absolute = loop.split_tol(tol)
        fits(x, problem)
        point = Point(x, dual)
        if check.host:
            cert, kept = check(problem, point, jax.random.key(seed), 0)
        else:
            raw = programs.raw_key(seed)
            check = loop.leaves_in(tree.dtype(x), check)
            cert, kept, _ = programs.judge(problem, check, point, raw, 0)
        cert, kept = jax.device_get((cert, kept))
        cert = cert.absolute() if absolute else cert
        pid = problem_id(problem)
        cert = dataclasses.replace(cert, problem_id=pid, point_id=point_id(kept.x))
        return Verdict(
            cert,
            bool(cert.within(float(number))),
            float(number),
            absolute,
            None if not claim_problem else claim_problem == pid,
            None if not claim_point else claim_point == point_id(x),
            kept.x,
        )


@dataclasses.dataclass(frozen=True)
class Saved:
    """A run read back from disk: answer, problem and what it claimed."""

    problem: Problem
    x: Any
    dual: Any
    check: Check
    tol: Any
    problem_id: str
    point_id: str
    data: dict[str, Any]


def load(path: Any, *, problem: Problem | str | None = None) -> Saved:
    """Read a saved run; the problem is loaded again by its name or from its leaves."""
    saved, store = save.read(path)
    with compat.double():
        if problem is None:
            problem = _saved_problem(saved, store)
        problem, _ = stated(problem)
        x, dual = save.restore_point(saved, store, problem.space())
        tol: Any = saved["tol"]
        if saved["tol_is_absolute"]:
            tol = Absolute(tol)
        return Saved(
            problem,
            x,
            dual[0] if len(dual) == 1 else None,
            save.decode(saved["check"], store),
            tol,
            saved["problem_id"],
            saved["certificate"]["point_id"],
            saved,
        )


def _saved_problem(saved: dict[str, Any], store: Any) -> Problem:
    """The problem of a saved run, from its name, file or leaves."""
    stated = saved["problem"]
    if "module" in stated:
        return save.decode(stated["module"], store)
    from banach.zoo import from_source

    return from_source(stated)


def stated(problem: Any) -> tuple[Problem, dict[str, Any] | None]:
    """(problem, its source) of a Problem or a built-in name; else Misuse."""
    if isinstance(problem, str):
        return zoo.load(problem), zoo.source(problem)
    if not isinstance(problem, Problem):
        raise Misuse(
            f"problem must be a bn problem or a built-in name, got "
            f"{type(problem).__name__}; for a plain function use "
            "bn.minimize(f, x0) or bn.Smooth(f, x0)"
        )
    return problem, None


def arrays(x: PyTree) -> PyTree:
    """Python numbers and lists of leaves as NumPy arrays."""

    def fix(leaf):
        return leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)

    return jax.tree.map(fix, x)


def fits(x: PyTree, problem: Problem, name: str = "x") -> None:
    """Raise Misuse unless x has the structure, shapes and kind of the variable."""
    space = problem.space()
    want, have = jax.tree.structure(space), jax.tree.structure(x)
    if want != have:
        raise Misuse(f"{name} has structure {have}, the problem's variable {want}")
    for model, leaf in zip(jax.tree.leaves(space), jax.tree.leaves(x), strict=True):
        if np.shape(leaf) != model.shape:
            raise Misuse(
                f"{name} has a leaf of shape {np.shape(leaf)}, the problem's variable "
                f"has {model.shape}"
            )
        kind = np.dtype(jnp.result_type(leaf))
        if not np.issubdtype(kind, np.floating):
            raise Misuse(f"{name} has dtype {kind}; pass {name}.astype(float)")
        if name.startswith("start") and not np.isfinite(np.asarray(leaf)).all():
            raise Misuse(f"{name} contains NaN or infinity; pass a finite start")


def _asked(result: Result) -> Any:
    return Absolute(result.tol) if result.absolute else result.tol
