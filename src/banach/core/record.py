"""Words and plain data for certificates and results."""

import math
from typing import Any

from banach.core.check import Certificate

WITNESS = {0: "built by the check", 1: "offered, re-evaluated by the check"}


def number(v: Any) -> float | None:
    """A JSON number, None where it is not finite."""
    v = float(v)
    return v if math.isfinite(v) else None


def certificate_json(c: Certificate) -> dict[str, Any]:
    """A certificate as plain data."""
    return {
        "quantity": c.quantity,
        "value": number(c.value),
        "slack": number(c.slack),
        "scale": number(c.scale),
        "ratio": number(c.ratio),
        "grade": c.grade,
        "rounding": c.rounding,
        "assumes": list(c.assumes),
        "parts": [
            {
                "name": p.name,
                "value": number(p.value),
                "slack": number(p.slack),
                "scale": number(p.scale),
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


def plain_block(r: Any) -> str:
    """The printed form of a Result."""
    c = r.certificate
    head = "certified" if r.certified else f"NOT CERTIFIED ({r.status})"
    mark = "" if r.absolute else f"  (scale {float(c.scale):.3g})"
    lines = [
        f"{head}: {c.quantity} <= {max(float(c.value), 0) + float(c.slack):.3g}{mark}",
        f"  ratio       {float(c.ratio):.3g}   asked {r.tol:.3g}"
        f"{' absolute' if r.absolute else ' relative'}",
        f"  value       {float(c.value):.3g} + slack {float(c.slack):.3g}"
        f" ({c.rounding} rounding)",
        f"  grade       {c.grade}",
        f"  assumes     {', '.join(c.assumes) if c.assumes else 'nothing'}",
    ]
    if len(c.parts) > 1:
        for p in c.parts:
            lines.append(
                f"    part      {p.name}: {float(p.value):.3g} + {float(p.slack):.3g}"
                f" of {float(p.scale):.3g}"
            )
    if r.dual_norm is not None:
        lines.append(
            f"  multipliers {WITNESS.get(int(c.witness), '')}; norm "
            f"||lambda|| = {r.dual_norm:.3g}"
        )
    calls = "  ".join(f"{k} {v}" for k, v in sorted(r.calls.items()) if v)
    s = r.seconds
    lines.append(
        f"  method      {r.label}, {r.steps} steps; calls: {calls or 'none counted'}"
    )
    if r.sent:
        sent = "   ".join(f"{k} {v:,} bytes" for k, v in r.sent.items())
        lines.append(f"  sent        {sent}")
    lines += [
        f"  seconds     compile {seconds_text(s['compile'])}   run "
        f"{seconds_text(s['run'])}   of which check {seconds_text(s['check'])}",
        f"  stopped     {r.reason}",
    ]
    if r.hint:
        lines.append(f"  next        {r.hint}")
    return "\n".join(lines)
