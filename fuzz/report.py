"""A fault as code that anybody can run, and the table of counts."""

import datetime
import os
import textwrap
from pathlib import Path
from typing import Any

from fuzz.engine import REFUSALS, Count, Fault
from fuzz.kind import Kind, show

WORDS = {
    "bound": "value + slack is below the true quantity",
    "certified": "certified, but the true quantity exceeds tol times the true scale",
    "scale": "certified relative to a scale larger than the true one",
    "crash": "raises",
}


def pretty(x: Any) -> str:
    """A pytree of arrays as source."""
    if isinstance(x, tuple | list):
        inner = ", ".join(pretty(v) for v in x)
        return f"({inner},)" if isinstance(x, tuple) else f"[{inner}]"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k!r}: {pretty(v)}" for k, v in x.items()) + "}"
    return show(x)


def code(kind: Kind, fault: Fault) -> str:
    """The case as a program."""
    lines = ["import banach as bn", "import numpy as np", *kind.imports]
    lines.append(f"P = {kind.code(fault.batch)}")
    if fault.fault == "crash":
        return "\n".join([*lines, f"bn.solve(P)  # {fault.part}"])
    tol = f"tol={fault.tol!r}"
    lines.append(f"x = {pretty(fault.x)}")
    lines.append(f"v = bn.verify(P, x, check={kind.check_code()}, {tol})")
    said = ", ".join(f"{k} {float(v)!r}" for k, v in fault.said.items())
    lines.append(f"# said: {said}")
    lines.append(f"# true: {fault.true} (part: {fault.part})")
    return "\n".join(lines)


def again(kind: Kind, fault: Fault) -> str:
    """What `bn.verify` says of the case by itself, outside the lanes."""
    import banach as bn

    if fault.fault == "crash":
        return ""
    try:
        v = bn.verify(kind.problem(fault.batch), fault.x, check=kind.checker(),
                      tol=fault.tol)  # fmt: skip
    except Exception as e:
        return f"# alone: {type(e).__name__}: {e}"
    parts = [(float(p.value), float(p.slack), float(p.scale))
             for p in v.certificate.parts]  # fmt: skip
    return f"# alone: {v.status}, (value, slack, scale) {parts}"


def text(kind: Kind, fault: Fault) -> str:
    """Heading and code."""
    head = f"{fault.kind} {fault.dtype}, point: {fault.point}. {WORDS[fault.fault]}"
    body = "\n".join([code(kind, fault), again(kind, fault)]).strip()
    return f"{head}\n{textwrap.indent(body, '    ')}"


def table(rows: list[Count]) -> str:
    """Counts, a line a kind and dtype, and the sums."""
    heads = ["kind", "dtype", "lanes", "certified", "false", "scale", "refused",
             "missed", "budget", "stalled", "crashes", "seconds"]  # fmt: skip
    body = [_row(r) for r in rows]
    total = ["all", ""] + [
        str(sum(int(float(r[i])) for r in body)) if i != 6 else ""
        for i in range(2, len(heads))
    ]
    refused: dict[str, int] = {}
    for r in rows:
        for k, v in r.refusals.items():
            refused[k] = refused.get(k, 0) + v
    total[6] = _refused(refused)
    every = [heads, *body, total]
    widths = [max(len(r[i]) for r in every) for i in range(len(heads))]
    lines = ["  ".join(v.ljust(w) for v, w in zip(r, widths, strict=True)).rstrip()
             for r in every]  # fmt: skip
    return "\n".join(lines)


MARK = "## The last recorded run"


def record(page: str, rows: list[Count], seed: int, seconds: float) -> None:
    """Replace what follows the heading on a page by this run, with its date."""
    path = Path(page)
    head = path.read_text().partition(MARK)[0]
    lanes = sum(r.lanes for r in rows)
    false = sum(r.false + r.bound + r.scale + r.crashes for r in rows)
    body = (
        f"{MARK}\n\n{datetime.date.today()}: {lanes} lanes, seed {seed}, "
        f"{false} false, {seconds:.0f} s in {os.cpu_count()} cores.\n\n"
        f"```text\n{table(rows)}\n```\n"
    )
    path.write_text(head + body)


def _row(r: Count) -> list[str]:
    return [r.kind, r.dtype, str(r.lanes), str(r.certified), str(r.false + r.bound),
            str(r.scale), _refused(r.refusals), str(r.missed), str(r.budget),
            str(r.stalled), str(r.crashes), f"{r.seconds:.1f}"]  # fmt: skip


def _refused(refusals: dict[str, int]) -> str:
    some = [f"{k} {refusals[k]}" for k in REFUSALS if refusals.get(k)]
    return ", ".join(some) or "0"
