"""Words and plain data for certificates and results."""

import decimal
import math
from typing import Any

import jax
import numpy as np

from banach.core import compat
from banach.core.check import Certificate

MEANING = {
    "enclosure": "proved, its own rounding too",
    "bound": "true wherever what it assumes is",
    "residual": "says nothing of the distance to the best value or point",
    "statistical": "true but for the error probability beside it",
}
WITNESS = {0: "built by the check", 1: "offered, re-evaluated by the check"}


def number(v: Any) -> float | None:
    """A JSON number, None where it is not finite."""
    v = float(v)
    return v if math.isfinite(v) else None


def up(v: Any, digits: int = 3) -> str:
    """A number in a few digits, rounded up: what is printed as a bound is one."""
    v = float(v)
    if not math.isfinite(v):
        return f"{v:g}"
    rounds = decimal.Context(prec=digits, rounding=decimal.ROUND_CEILING)
    return f"{float(rounds.create_decimal_from_float(v)):.{digits}g}"


def goal_text(c: Certificate) -> str:
    """A signed quantity with its bound and its target: f(x) <= 15 + 2e-14, target 20.

    Never max(value, 0), and never the value less the target.
    """
    name = c.quantity.removesuffix(" (goal)")
    target = 0.0 if c.target is None else float(c.target)
    short = f"{target:.6g}"
    exact = short if float(short) == target else repr(target)
    return f"{name} <= {up(c.value, 6)} + {up(c.slack)}, target {exact}"


def bound_text(c: Certificate) -> str:
    """What a certificate bounds, and by how much."""
    if c.signed:
        return goal_text(c)
    return f"{c.quantity} <= {up(max(float(c.value), 0) + float(c.slack))}"


def grade_text(c: Certificate) -> str:
    """The grade and what it is worth, in one line."""
    return f"{c.grade}: {MEANING[c.grade]}"


def odds_text(c: Certificate, check: Any = None) -> str:
    """The error probability of a statistical certificate: spent here, and in a run."""
    spent = float(c.delta)
    said = f"{spent:.3g} spent by look {int(c.look)}" if spent else "none spent yet"
    whole = run_delta(check)
    return said if whole is None else f"{said}, at most {whole:.3g} in this run"


def run_delta(check: Any) -> float | None:
    """The error probability that a check allows itself over all looks of one run."""
    whole = getattr(check, "delta", None)
    return None if whole is None else float(whole)


def certificate_json(c: Certificate) -> dict[str, Any]:
    """A certificate as plain data.

    `bound` is what is proved of the quantity, value + slack; a signed quantity has a
    `target` beside it, None elsewhere.
    """
    return {
        "quantity": c.quantity,
        "value": number(c.value),
        "slack": number(c.slack),
        "scale": number(c.scale),
        "scale_from": c.scale_from,
        "ratio": number(c.ratio),
        "bound": number(
            math.nextafter(
                float(c.value if c.signed else max(float(c.value), 0)) + float(c.slack),
                math.inf,
            )
        ),
        "target": None if c.target is None else number(c.target),
        "grade": c.grade,
        "grade_means": MEANING[c.grade],
        "rounding": c.rounding,
        "assumes": list(c.assumes),
        "parts": [
            {
                "name": p.name,
                "value": number(p.value),
                "slack": number(p.slack),
                "scale": number(p.scale),
                "scale_from": p.relative_to(),
            }
            for p in c.parts
        ],
        "delta": number(c.delta),
        "look": int(c.look),
        "witness": WITNESS.get(int(c.witness), str(c.witness)),
        "problem_id": c.problem_id,
        "point_id": c.point_id,
    }


def seconds_text(s: float) -> str:
    """1.2 ms, 3.40 s."""
    return f"{s * 1e3:.2f} ms" if s < 0.1 else f"{s:.2f} s"


def scale_text(scale: Any, scale_from: str) -> str:
    """What a number is small against: scale 0.5, from the reference."""
    if scale_from == "none":
        return "absolute"
    if scale_from == "start":
        return f"absolute; scale {float(scale):.3g}, at most 1, from the start"
    return f"scale {float(scale):.3g}, from the {scale_from}"


def asked_text(r: Any) -> str:
    """The tolerance of a result; a goal asks for its target alone."""
    if r.certificate.signed:
        return "0: a goal has no tolerance"
    return f"{r.tol:.3g} {'absolute' if r.absolute else 'relative'}"


def peer_text(said: Any) -> str:
    """A peer's own status and message, as it gave them."""
    return ": ".join(filter(None, (said["status"], said["message"])))


def headline(r: Any) -> str:
    """What a Result shows and whether it may be believed, in one line."""
    return f"{verdict_text(r)}: {bound(r)}"


def bound(r: Any) -> str:
    """What the certificate of a Result bounds, and what it is relative to."""
    c = r.certificate
    bare = r.absolute or c.signed
    mark = "" if bare else f"  ({scale_text(c.scale, c.scale_from)})"
    return f"{bound_text(c)}{mark}"


def verdict_text(r: Any) -> str:
    """The verdict alone: certified, or NOT CERTIFIED with the status."""
    return _verdict(r.status)


def _verdict(status: str) -> str:
    return "certified" if status == "certified" else f"NOT CERTIFIED ({status})"


def block_rows(r: Any) -> list[tuple[str, str]]:
    """What is printed of a Result below its headline: (word, text), in order."""
    c = r.certificate
    rows = [
        ("ratio", f"{float(c.ratio):.3g}   asked {asked_text(r)}"),
        (
            "value",
            f"{float(c.value):.{6 if c.signed else 3}g} + slack "
            f"{float(c.slack):.3g} ({c.rounding} rounding)",
        ),
        ("grade", grade_text(c)),
        ("assumes", ", ".join(c.assumes) if c.assumes else "nothing"),
    ]
    if c.grade == "statistical":
        rows.append(("delta", odds_text(c, r.check)))
    if len(c.parts) > 1:
        rows += [
            (
                "  part",
                f"{p.name}: {float(p.value):.3g} + {float(p.slack):.3g}"
                f" of {float(p.scale):.3g}",
            )
            for p in c.parts
        ]
    if r.dual_norm is not None:
        said = WITNESS.get(int(c.witness), "")
        rows.append(("multipliers", f"{said}; norm ||lambda|| = {r.dual_norm:.3g}"))
    told = getattr(r.problem, "told", list)  # a problem may have been left out
    rows += told()
    if not r.certified:
        rows += getattr(r.problem, "told_at", lambda x: [])(r.x)
    calls = "  ".join(f"{k} {v}" for k, v in sorted(r.calls.items()) if v)
    s = r.seconds
    rows.append(
        ("method", f"{r.label}, {r.steps} steps; calls: {calls or 'none counted'}")
    )
    if r.manifest.get("view"):
        rows.append(("seen as", f"{r.manifest['view']}; judged as it stands"))
    rows += [
        ("tried", f"{t['method']}: {t['status']} after {t['steps']} steps")
        for t in r.manifest.get("tried", ())
    ]
    if r.sent:
        rows.append(("sent", "   ".join(f"{k} {v:,} bytes" for k, v in r.sent.items())))
    rows += [
        (
            "seconds",
            f"compile {seconds_text(s['compile'])}   run "
            f"{seconds_text(s['run'])}   of which check {seconds_text(s['check'])}",
        ),
        ("stopped", r.reason),
    ]
    if r.peer is not None:
        rows.append(("the peer", peer_text(r.peer)))
    if r.hint:
        rows.append(("next", r.hint))
    return rows


def known(values: Any) -> bool:
    """Whether all leaves have values: none is traced, none a mere shape."""
    leaves = jax.tree.leaves(values)
    return all(
        isinstance(v, jax.Array | np.ndarray | np.generic | float | int)
        and not compat.is_tracer(v)
        for v in leaves
    )


def certificate_line(c: Certificate) -> str:
    """A certificate in one line; of many lanes what they have in common."""
    assumes = f"; assumes {', '.join(c.assumes)}" if c.assumes else ""
    rest = f"{c.grade}, {c.rounding} rounding{assumes}"
    if not known(c):
        return f"Certificate({c.quantity}, not known yet; {rest})"
    if np.ndim(c.ratio):
        shape = " x ".join(map(str, np.shape(c.ratio)))
        return f"Certificate({c.quantity} in {shape} lanes; {rest})"
    mark = "" if c.signed else f", {scale_text(c.scale, c.scale_from)}"
    return f"Certificate({bound_text(c)}{mark}; {rest})"


def outcome_block(o: Any, statuses: tuple[str, ...]) -> str:
    """The printed form of an Outcome, verdict first; of lanes how many ended how."""
    c = o.certificate
    if not known((o.status, o.steps, o.calls, c)):
        return f"Outcome({c.quantity}, not known before the traced function has run)"
    steps = np.asarray(o.steps)
    ended, counts = np.unique(np.asarray(o.status), return_counts=True)
    if steps.ndim:
        each = [f"{n} {statuses[s]}" for n, s in zip(counts, ended, strict=True)]
        total = f"{sum(counts)} lanes: {', '.join(each)}"
        span = f"{steps.min()} to {steps.max()}" if steps.size else "no"
        return f"{total}; {c.quantity}, {span} steps"
    status = statuses[int(o.status)]
    mark = "" if c.signed else f"  ({scale_text(c.scale, c.scale_from)})"
    calls = "  ".join(f"{k} {int(v)}" for k, v in sorted(o.calls.items()))
    return (
        f"{_verdict(status)}: {bound_text(c)}{mark}\n"
        f"  ratio       {float(c.ratio):.3g}\n"
        f"  steps       {int(steps)}; calls: {calls or 'none counted'}\n"
        f"  x           {shapes_text(o.x)}"
    )


def shapes_text(x: Any) -> str:
    """Dtypes and shapes of a pytree of arrays, by their paths."""
    leaves = jax.tree_util.tree_leaves_with_path(x)
    each = [
        f"{jax.tree_util.keystr(path)} {v.dtype} {tuple(v.shape)}".strip()
        for path, v in leaves[:5]
    ]
    more = [f"and {len(leaves) - 5} more"] if len(leaves) > 5 else []
    return ", ".join(each + more)


def plain_block(r: Any) -> str:
    """The printed form of a Result."""
    return "\n".join([headline(r), *(f"  {w:<11} {t}" for w, t in block_rows(r))])
