"""Races while they run, as the plain data that their report is made of."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from banach import catalogue
from banach.core.printing import number
from banach.core.result import Result
from banach.racing.race import Race, described, machine

PAUSE = 0.4  # seconds between two looks at a run that goes on


class SoFar:
    """What several races have come to; filled by one thread, read by others.

    `began`, `update` (a race's progress callback) and `ended` are called by the thread
    that races. `races()` is a copy in the form of `Race.to_dict`, `running` beside it
    while there is more to come; `version` counts the changes.
    """

    def __init__(
        self, names: Sequence[str], *, tol: float, time_limit: float | None,
        patience: float | None, command: str,
    ):  # fmt: skip
        self._changed = threading.Condition()
        self._races: list[dict[str, Any]] = [
            {
                "schema_version": 1,
                "command": command,
                "machine": machine(),
                "problem": {
                    "name": name, "title": name, "kind": "", "size": 0, "data": "",
                    "objective": "", "facts": {},
                },
                "check": "",
                "tol": tol,
                "time_limit": time_limit,
                "patience": patience,
                "runs": [],
                "refused": [],
                "running": "waits for its turn",
            }
            for name in names
        ]  # fmt: skip
        self._at = -1
        self._looked = 0.0
        self.version = 0

    @property
    def over(self) -> bool:
        """Whether nothing more is to come."""
        return not any(race.get("running") for race in self._races)

    def races(self) -> tuple[int, list[dict[str, Any]]]:
        """The version, and all races as they stand."""
        with self._changed:
            # Runs are replaced, never changed.
            copies = [race | {"runs": [*race["runs"]]} for race in self._races]
            return self.version, copies

    def wait(self, version: int, seconds: float) -> int:
        """The version, once it is another than this one or the seconds are over."""
        with self._changed:
            self._changed.wait_for(lambda: self.version != version, seconds)
            return self.version

    def began(self) -> None:
        """The next race begins."""
        self._at += 1
        self._change({"running": "has begun"})

    def update(self, label: str, what: Any) -> None:
        """None: started; a Refused; or a Result, running or final."""
        race = self._races[self._at]
        runs = [*race["runs"]]
        at = next(
            (i for i, run in enumerate(runs)
             if run["method"] == label and run["status"] in ("compiling", "running")),
            len(runs),
        )  # fmt: skip
        if what is None:
            self._looked = 0.0
            runs[at:] = [_started(label, race["tol"])]
            return self._change({"runs": runs})
        if not isinstance(what, Result):
            refused = {"method": what.method, "reason": what.reason}
            runs = runs[:at] + runs[at + 1 :]
            return self._change({"runs": runs, "refused": [*race["refused"], refused]})
        final = what.status != "running"
        if not final and time.monotonic() < self._looked + PAUSE:
            return None
        self._looked = time.monotonic()
        again = next((i for i, run in enumerate(runs) if run["method"] == label), at)
        at = at if at < len(runs) else again  # a further seed of the same method
        runs[at : at + 1] = [_ended(what) if final else _going(label, what)]
        return self._change({"runs": runs} | self._about(race, what, final))

    def ended(self, race: Race) -> None:
        """The race is over: its own words and order."""
        whole = race.to_dict()
        with self._changed:
            self._races[self._at] = whole
            self.version += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """No further race begins; those that did not are left out."""
        with self._changed:
            self._races = [r for r in self._races if not r.get("running")]
            self.version += 1
            self._changed.notify_all()

    def _about(self, race: Any, result: Result, final: bool) -> dict[str, Any]:
        """The problem, once a run brings it; the check, once it has judged."""
        name = race["problem"]["name"]
        if final and not race["check"]:
            one = Race(
                result.problem, name, [result], [], result.tol, race["time_limit"],
                race["patience"], race["command"], (0,), [[result]],
            ).to_dict()  # fmt: skip
            return {k: one[k] for k in ("problem", "check", "target") if k in one}
        if not race["problem"]["kind"]:
            return {"problem": described(result.problem, name)}
        return {}

    def _change(self, fields: dict[str, Any]) -> None:
        with self._changed:
            self._races[self._at] = self._races[self._at] | fields
            self.version += 1
            self._changed.notify_all()


def _title(name: str) -> dict[str, str]:
    entry = catalogue.load_index().get(name.partition(":")[0])
    if entry is None:
        return {"family": "", "title": ""}
    return {"family": entry["family"], "title": entry["title"]}


def _started(label: str, tol: float) -> dict[str, Any]:
    """A run of which nothing is known yet."""
    return _title(label) | {
        "method": label,
        "status": "compiling",
        "reason": "It is being compiled.",
        "hint": "",
        "peer": None,
        "certificate": {
            "quantity": "", "value": None, "scale": None, "ratio": None, "grade": "",
            "slack": None, "rounding": "", "assumes": [],
        },
        "tol": tol,
        "steps": 0,
        "calls": {},
        "seconds": {"compile": 0.0, "run": 0.0, "check": 0.0},
        "trace": {"step": [], "seconds": [], "ratio": [], "value": [], "calls": {}},
    }  # fmt: skip


def _going(label: str, r: Result) -> dict[str, Any]:
    """A run that goes on: its rows. It is not judged for the sake of a page."""
    trace, run = r.trace, _started(label, r.tol)
    ratios = [number(v) for v in trace.ratio]
    seen = [v for v in ratios if v is not None]
    return run | {
        "status": "running",
        "reason": "It is running.",
        "certificate": run["certificate"] | {"ratio": min(seen, default=None)},
        "steps": int(r.steps),
        "calls": {k: int(v[-1]) for k, v in trace.calls.items() if len(v)},
        "seconds": {k: float(v) for k, v in r.seconds.items()},
        "trace": {
            "step": trace.step.tolist(),
            "seconds": trace.seconds.tolist(),
            "ratio": ratios,
            "value": [number(v) for v in trace.value],
            "calls": {k: v.tolist() for k, v in trace.calls.items()},
        },
    }


def _ended(r: Result) -> dict[str, Any]:
    return r.to_dict() | {"title": _title(r.method.card.name)["title"]}
