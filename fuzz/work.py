"""The work of one process: a kind, both dtypes."""

import time
from typing import Any

from fuzz import registry
from fuzz.coverage import Coverage


def send(task: Any, pipe: Any) -> None:
    """The work, sent through a pipe."""
    pipe.send(one(task))
    pipe.close()


def one(task: tuple[str, int, int, int, str]):
    """Both dtypes of one kind: counts, shrunk cases as text, and a line."""
    from fuzz import report
    from fuzz.engine import Lanes, fuzz
    from fuzz.shrink import shrink

    name, lanes, seed, shown, executor = task
    kind = registry.by_name(name)
    counts, cases, refusals = [], [], []
    began = time.perf_counter()
    for dtype in kind.dtypes:
        if isinstance(kind, Coverage):
            count, excess = kind.cover(dtype, lanes, seed)
            counts.append(count)
            cases += [f"[seed {seed}] {name}: {f} of {n} runs at a mean just above "
                      f"{m} end with a certificate" for m, f, n in excess]  # fmt: skip
            continue
        runner = Lanes(kind, dtype, executor=executor)
        count, faults = fuzz(kind, dtype, lanes // len(kind.dtypes), seed, runner)
        counts.append(count)
        refusals += [runner.refused] * (runner.refused is not None)
        seen: dict[str, int] = {}
        for fault in faults:
            seen[fault.fault] = seen.get(fault.fault, 0) + 1
            if seen[fault.fault] > shown:
                continue
            small = shrink(kind, runner, fault)
            cases.append(f"[seed {seed}] " + report.text(kind, small))
    said = ", ".join(
        f"{c.dtype} {c.lanes} lanes, {c.certified} certified, "
        f"{c.false + c.bound + c.scale} false, {sum(c.refusals.values())} refused"
        for c in counts
    )
    line = f"{name}: {said} ({time.perf_counter() - began:.0f} s)"
    if refusals:
        line += f"; looked at by XLA: {refusals[0]}"
    return counts, cases, line
