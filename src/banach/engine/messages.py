"""Why a run stopped, and what to try next, in plain words."""

from typing import Any

import jax
import numpy as np

from banach.core.printing import goal_text

NOISE = 1.2
"""A factor between two ratios that is no progress in float32 (ours)."""


def reason(status: str, facts: dict[str, Any]) -> str:
    """One sentence with value and threshold."""
    c = facts["certificate"]
    ratio, tol = float(c.ratio), facts["tol"]
    steps = facts["steps"]
    best = f"best ratio {ratio:.3g} > tol {tol:.3g}"
    if c.signed:
        best = f"best {goal_text(c)} not reached"
        if c.grade == "statistical" and np.isinf(float(c.slack)):
            best += " (a loss left its declared range [low, high])"
    if status == "certified" and c.signed:
        return f"{goal_text(c)} reached after {steps} steps"
    if status == "certified":
        return f"certified ratio {ratio:.3g} <= tol {tol:.3g} after {steps} steps"
    if status == "budget" and facts.get("time_limit") is not None:
        counted = "not counted" if facts.get("compile_free") else "included"
        return (
            f"time limit {facts['time_limit']:.3g} s reached at "
            f"{facts['elapsed']:.3g} s (compile time {counted}); {best}"
        )
    if status == "budget":
        return f"max_steps {steps} reached; {best}"
    if status == "stalled" and facts.get("lost"):
        return f"{facts['lost']}; {best}"
    if status == "stalled":
        return f"the method can make no further step after {steps}; {best}"
    if status == "nonfinite" and facts.get("lost"):
        return (
            f"{facts['lost']}; what is certified is not finite at the best point: a "
            "value or gradient is infinite or undefined there"
        )
    if status == "nonfinite":
        return f"{facts['where']}; probable cause: {facts['cause']}"
    if status == "interrupted" and facts.get("lost"):
        return f"stopped at step {steps}: {facts['lost']}"
    if status == "interrupted":
        return f"interrupted at step {steps}; {best}"
    if status == "refuted":
        claims = ", ".join(c.assumes) or "the problem's own structure"
        low = [p for p in c.parts if float(p.value) < -float(p.slack)]
        part = low[0] if low else c
        name = part.name if low else c.quantity
        return (
            f"{name} = {float(part.value):.3g} lies below minus its slack "
            f"{float(part.slack):.3g}, which is impossible unless an assumption is "
            f"false: {claims}"
        )
    if status == "unverifiable" and _hopeless(c, tol):
        return (
            f"tol {tol:.3g} is below 4 u = {_least(c):.2g} of {_kind(c)}: no "
            "comparison with a rounded scale could pass"
        )
    if status == "unverifiable":
        hidden = [p for p in c.parts if float(p.value) <= float(p.slack)]
        part = max(hidden or c.parts, key=lambda p: float(p.slack) / float(p.scale))
        return (
            f"rounding hides {part.name}: its value {float(part.value):.3g} lies "
            f"within its slack {float(part.slack):.3g}, which is more than half of tol "
            f"{tol:.3g} times its scale {float(part.scale):.3g}"
        )
    return facts.get("proof", status)


def hint(status: str, facts: dict[str, Any]) -> str:
    """The cure, or an empty string."""
    goal = facts["certificate"].signed
    if status == "certified" and "unattained" in facts:
        return facts["unattained"]() or _worth(facts)
    if status in ("budget", "stalled", "nonfinite") and "diagnose" in facts:
        known = facts["diagnose"]()
        if known is not None:
            return known
    if status in ("budget", "stalled") and _short_of_samples(facts["certificate"]):
        return (
            "the mean itself is below the target: more rows or draws narrow what "
            f"sampling leaves, {float(facts['certificate'].slack):.3g}; so does a "
            "larger delta"
        )
    if status == "budget" and facts.get("time_limit") is not None:
        return "raise time_limit, continue with start=result, or race other methods"
    if status == "stalled" and goal:
        return "try another method; the target may lie below what can be reached"
    if status == "budget" and not goal and facts["steps"] and not facts["best_step"]:
        return (
            "no step improved on the start: a smaller learning_rate or step_size, or "
            "another method (bn.race(problem))"
        )
    if status == "budget" and not goal and facts["dtype"] == "float32" and _flat(facts):
        return _narrow(facts)
    if status == "budget":
        return (
            "raise max_steps, continue with start=result, or race other methods "
            "(bn.race(problem))"
        )
    if status == "stalled" and facts["dtype"] == "float32":
        return _narrow(facts)
    if status == "stalled":
        return "try another method, or a larger tol"
    if status == "unverifiable":
        c = facts["certificate"]
        if _hopeless(c, facts["tol"]):
            return f"ask for tol={_round_up(2 * _least(c)):.1g} or more"
        cure = (
            "the smallest tolerance that this point passes: "
            f"tol={_round_up(1.001 * float(c.ratio)):.1g}"
        )
        if facts["dtype"] == "float32":
            cure += "; or pass float64 data"
        if "start" in {part.scale_from for part in c.parts}:
            cure += "; or state it with reference=, a point that sets the scale"
        return cure
    if status == "refuted":
        return "check what was declared about the problem (convex, monotone, mu, L)"
    if status == "nonfinite":
        return "see the cause; a smaller step_size or a start inside the domain"
    return ""


def _worth(facts: dict[str, Any]) -> str:
    """What a certified residual leaves open, and what would close it."""
    if facts["certificate"].grade != "residual":
        return ""
    check = facts["stronger"]()
    if check is not None:
        return f"a bound costs about the same on this problem: check={check!r}"
    untried = facts["untried"]() if facts["steps"] == 0 else None
    return untried or ""


def _narrow(facts: dict[str, Any]) -> str:
    """What float32 leaves to do; a tolerance of 1 and more would ask for nothing."""
    said = "float32 iterates come no closer: pass float64 data and start"
    if float(facts["certificate"].ratio) * 1.2 >= 1:
        return f"{said}, or race other methods (bn.race(problem))"
    return f"{said}, or ask for {_tol_that_passes(facts)}"


def _short_of_samples(c: Any) -> bool:
    """A mean below its target by less than the sampling error."""
    if c.grade != "statistical" or not c.signed or c.target is None:
        return False
    return bool(float(c.value) <= float(c.target) and np.isfinite(float(c.slack)))


def _tol_that_passes(facts: dict[str, Any]) -> str:
    return f"tol={_round_up(1.2 * float(facts['certificate'].ratio)):.1g}"


def _flat(facts: dict[str, Any]) -> bool:
    """The second half of the run brought nothing beyond the noise of rounding."""
    if facts["best_step"] < facts["steps"] / 2:
        return True
    return facts["early"] <= NOISE * float(facts["certificate"].ratio)


def _kind(certificate: Any) -> Any:
    return np.asarray(certificate.value).dtype


def _least(certificate: Any) -> float:
    """4 u: below it no tolerance can be told from 0."""
    return 2 * float(np.finfo(_kind(certificate)).eps)


def _hopeless(certificate: Any, tol: float) -> bool:
    return tol < _least(certificate)


def _round_up(v: float) -> float:
    if not (np.isfinite(v) and v > 0):
        return v
    digit = 10.0 ** np.floor(np.log10(v))
    return float(np.ceil(v / digit) * digit)


def locate(x: Any, bad_step: int, bad_leaf: int, trace: Any) -> tuple[str, str]:
    """(where a non-finite value first appeared, a probable cause)."""
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree.leaves_with_path(x)]
    if bad_step < 0:
        return (
            "the certified quantity became NaN at a finite point",
            "the objective or its gradient is undefined there (log of a negative "
            "number, 0/0): guard the function or start inside its domain",
        )
    name = paths[bad_leaf] if bad_leaf < len(paths) else ""
    name = f"x{name}" if name else "x"
    where = f"{name} became non-finite at step {bad_step}"
    ratio = np.asarray(trace.ratio)
    if bad_step <= 1:
        return where, "the start is outside the function's domain, or the data overflow"
    if len(ratio) >= 3 and ratio[-2] > 10 * np.min(ratio):
        return where, "divergence: the step is too long for this curvature"
    return where, "the iterate left the domain of the function"
