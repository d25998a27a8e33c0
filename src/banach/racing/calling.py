"""How a run of a race is made again by hand: a call to copy, in Python or a shell."""

import dataclasses
import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from banach.core.check import Absolute
from banach.core.method import Method

STEPS = 100_000  # of `bn.solve` and `banach solve`, where nothing is said


def calls(
    problem: Any, field: Sequence[Any], asked: Mapping[str, Any], command: str
) -> dict[str, str]:
    """The call of every entrant by its label, none where two have one label.

    `asked` holds tol, check and start as they were given, None where they were not;
    `command` is how the race was started: in a shell the call is one of the shell.
    """
    named = [e for e in field if isinstance(e, str) or hasattr(e, "card")]
    labels = [e if isinstance(e, str) else _label(e) for e in named]
    often = Counter(labels)
    shell = command.startswith("banach ")
    found = {}
    for at, (entrant, label) in enumerate(zip(named, labels, strict=True)):
        if often[label] == 1 and label:
            if shell:
                found[label] = _shell(problem, label, asked)
            else:
                own = isinstance(entrant, str)
                method = json.dumps(entrant) if own else f"methods[{at}]"
                found[label] = _python(problem, method, asked)
    return found


def apart(methods: Sequence[Any]) -> list[str]:
    """Their labels; of several of one label, with the settings in which they differ."""
    labels = [m.label() for m in methods]
    often = Counter(labels)

    def settings(m: Any) -> dict[str, str]:
        own = m.bare() if isinstance(m, Method) else m
        values = {f.name: getattr(own, f.name) for f in dataclasses.fields(own)}
        return {
            k: f"{v.item():.4g}" if np.ndim(v) == 0 and hasattr(v, "item") else repr(v)
            for k, v in values.items()
        }

    found = []
    for i, (m, label) in enumerate(zip(methods, labels, strict=True)):
        if often[label] == 1:
            found.append(label)
            continue
        others = [settings(o) for o, name in zip(methods, labels, strict=True)
                  if name == label]  # fmt: skip
        told = [f"{k}={v}" for k, v in settings(m).items()
                if any(o.get(k) != v for o in others)]  # fmt: skip
        rank = labels[: i + 1].count(label)
        found.append(f"{label}({', '.join(told)})" if told else f"{label} #{rank}")
    return found


def longer(call: str, steps: int) -> str:
    """The call of a run of so many steps, which a default may be too few for."""
    if steps <= STEPS:
        return call
    if call.startswith("banach "):
        return f"{call} --max-steps {steps}"
    return f"{call[:-1]}, max_steps={steps})"


def _label(entrant: Any) -> str:
    if isinstance(entrant, Method):
        return entrant.label()
    return str(entrant.card.name)


def _python(problem: Any, method: str, asked: Mapping[str, Any]) -> str:
    tol, check = asked["tol"], asked["check"]
    given = [json.dumps(problem) if isinstance(problem, str) else "problem", method]
    if isinstance(tol, Absolute):
        given.append(f"tol=bn.Absolute({float(tol.tol):g})")
    elif float(tol) != 1e-6:
        given.append(f"tol={float(tol):g}")
    if check is not None:
        given.append(
            f"check={json.dumps(check) if isinstance(check, str) else 'check'}"
        )
    if asked["start"] is not None:
        given.append("start=start")
    return f"bn.solve({', '.join(given)})"


def _shell(problem: Any, method: str, asked: Mapping[str, Any]) -> str:
    tol, check = asked["tol"], asked["check"]
    given = ["banach", "solve", shlex.quote(str(problem)), "--method", method]
    if isinstance(tol, Absolute):
        given += ["--tol", f"{float(tol.tol):g}", "--absolute"]
    elif float(tol) != 1e-6:
        given += ["--tol", f"{float(tol):g}"]
    if check is not None:
        given += ["--check", shlex.quote(str(check))]
    return " ".join(given)
