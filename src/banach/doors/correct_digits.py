"""Correct digits of an answer: which check can certify them, asked of a run."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from banach.checks import by_name, relative_distance
from banach.checks.relative_distance import BOUNDS, RelativeDistance
from banach.core import compat, tree, validation
from banach.core.check import Check
from banach.core.misuse import Misuse
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.result import Result
from banach.doors.verify import stated, verify

DEFAULT_TOL = 1e-6
MOST = {"float64": 15, "float32": 6}
TRIES = 3
"""Runs, each to a hundredth of the tolerance of the one before, for an enclosure."""


class Asked(NamedTuple):
    """What `digits=` asks for: a tolerance, and the checks that may certify it."""

    problem: Problem
    digits: int
    tol: float
    check: Check | None  # judges the run; None: nothing but `proof` speaks here
    proof: Check | None  # proves the distance on the host, after it


def read(problem: Any, digits: Any, tol: Any, check: Any, kept: bool) -> Asked:
    """Misuse, before any run, where no digits can be certified; `kept`: checkpoints."""
    if tol != DEFAULT_TOL or isinstance(tol, bool):
        raise Misuse(
            "digits= is the tolerance, of the error beside each entry of x; drop tol="
        )
    with compat.double():
        problem, _ = stated(problem)
        dtype = str(tree.dtype(problem.space()))
        most = MOST.get(dtype, MOST["float32"])
        validation.integer(digits, "digits", low=1)
        if digits > most:
            more = "; state the problem in float64" * (dtype == "float32")
            raise Misuse(f"{dtype} holds {most} digits, got digits={digits}{more}")
        found = _bounds(problem, check)
        host = [c for c in found if c.host]
        quick = [c for c in found if not c.host]
        proof = RelativeDistance(host[0]) if host else None
        if not quick:
            if kept:
                raise Misuse(
                    "only an enclosure bounds the distance here, by several runs: "
                    "digits= takes no checkpoint= and no resume= then"
                )
            _tried(problem, proof)
    own = RelativeDistance(quick[0]) if quick else None
    return Asked(problem, int(digits), 0.5 * 10.0 ** -int(digits), own, proof)


def _bounds(problem: Problem, check: Any) -> list[Check]:
    if check is None:
        found = relative_distance.bounds(problem)
        if not found:
            raise Misuse(relative_distance.nothing(problem))
        return found
    own = by_name(check) if isinstance(check, str) else check
    if not isinstance(own, Check) or own.name not in BOUNDS:
        raise Misuse(
            "digits= needs a check that bounds the distance to the solution: "
            f"{', '.join(BOUNDS)}; got {validation.shown(check)}. Drop check=, or "
            "digits="
        )
    no = RelativeDistance(own).refuses(problem)
    if no is not None:
        raise Misuse(no)
    return [own]


def _tried(problem: Problem, proof: Any) -> None:
    """Whether intervals can evaluate this problem at all, tried at its start."""
    try:
        proof(problem, problem.start(), None, 0)
    except Misuse as error:
        raise Misuse(
            f"no correct digits can be certified for this {problem.kind}: nothing "
            f"bounds the distance to its solution. {error}. Else declare mu, or drop "
            "digits= and ask for tol="
        ) from error


def solved(
    asked: Asked, go: Callable[..., Result], start: Any, limit: float | None
) -> Result:
    """The run, or runs, and what was proved of the answer.

    `go` takes check, tol, start and time_limit.
    """
    began = time.perf_counter()
    if asked.check is not None:
        run = go(check=asked.check, tol=asked.tol, start=start, time_limit=limit)
        if run.certified or run.status in _ENDED:
            return run
        if asked.proof is not None:
            try:
                shown = _proved(asked, run)
            except Misuse:  # functions that intervals do not know
                shown = run
            if shown.certified:
                return shown
        return run.replaced(hint=f"{run.hint} {_hint(run)}".lstrip())
    tol = asked.tol
    for _ in range(TRIES):
        left = None if limit is None else limit - (time.perf_counter() - began)
        if left is not None and left <= 0:
            break
        run = go(check=None, tol=tol, start=start, time_limit=left)
        shown = run if run.status in _ENDED else _proved(asked, run)
        if shown.certified or not run.certified:
            return shown
        start, tol = run, max(tol / 100, 1e-15)
    return shown


def _hint(run: Result) -> str:
    sizes = np.concatenate([abs(np.ravel(v)) for v in jax.tree.leaves(run.x)])
    least = np.min(sizes[sizes > 0], initial=np.inf)
    return (
        f"The least entry of x is {least:.2g}, and one whose exact value is 0 has no "
        "digits unless it is 0 in x: ask for fewer digits, or for tol= in place"
    )


_ENDED = ("interrupted", "nonfinite", "infeasible", "unbounded", "running")


def _proved(asked: Asked, run: Result) -> Result:
    """The same answer, with the certificate of the proof in place of the run's."""
    verdict = verify(run.problem, run.x, check=asked.proof, tol=asked.tol)
    if verdict.certified:
        status, hint = "certified", ""
        reason = (
            f"{asked.digits} digits certified by an enclosure, after {run.steps} steps "
            f"({run.reason})"
        )
    else:
        status = "unverifiable" if run.certified else run.status
        reason = (
            f"an enclosure proves no {asked.digits} digits of this point; the run "
            f"itself: {run.reason}"
        )
        hint = f"the solution may be no isolated one. {_hint(run)}"
    return run.replaced(
        check=asked.proof,
        point=Point(verdict.x, run.point.dual),
        certificate=verdict.certificate,
        status=status,
        reason=reason,
        hint=hint,
        tol=asked.tol,
        absolute=False,
        carry=None,
    )
