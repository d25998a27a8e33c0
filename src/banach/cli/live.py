"""Progress of a race on stderr: a live table on a terminal, plain lines elsewhere.

Away from a terminal the verdicts are one list: on stdout, when the race is over. On
stderr a slow race only says from time to time how far it is. Where no list follows
there, because stdout is a terminal or holds JSON, each run gets its line as it ends.
"""

import sys
import time
from typing import Any

from banach.cli import console, interrupt

_GOING = ("compiling", "running")
PAUSE = 10.0  # seconds between two lines that say how far a race is


class Board:
    """Use as a context manager; `update` is the race's progress callback.

    `listed`: whether the verdicts follow as a list of plain lines.
    """

    def __init__(self, title: str, listed: bool = False):
        self.title = title
        self.listed = listed
        self.said = time.monotonic()
        self.rows: dict[str, tuple[str, ...]] = {}
        self.order: list[str] = []
        self._live: Any = None

    def __enter__(self) -> "Board":
        if console.on_terminal():
            from rich.console import Console
            from rich.live import Live

            stderr = Console(file=sys.stderr)
            self._live = Live(self._table(), console=stderr, refresh_per_second=8,
                              transient=True)  # fmt: skip
            self._live.__enter__()
        else:
            console.say(f"race: {self.title}")
        return self

    def __exit__(self, *error: Any) -> None:
        if self._live is not None:
            self._live.__exit__(*error)

    def update(self, label: str, what: Any) -> None:
        """None: started; a Refused; or a Result, running or final."""
        if what is None:
            self.rows[label] = (label, "compiling", "", "", "")
        elif type(what).__name__ == "Refused":
            self.rows.pop(label, None)
        else:
            if what.status != "running":
                interrupt.keep()
            self.rows[label] = _row(label, what)
            if self._live is None and what.status != "running" and not self.listed:
                console.say("  " + _line(self.rows[label]))
        if self._live is None:
            if self.listed:
                self._how_far()
        else:
            self._live.update(self._table())

    def _how_far(self) -> None:
        if time.monotonic() < self.said + PAUSE:
            return
        self.said = time.monotonic()
        status = [row[1] for row in self.rows.values()]
        going = [label for label, row in self.rows.items() if row[1] in _GOING]
        ended = len(status) - len(going)
        now = f"; {going[-1]} is running" if going else ""
        console.say(
            f"  so far ended {ended}, certified {status.count('certified')}{now}"
        )

    def _table(self) -> Any:
        from rich.table import Table

        table = Table(title=f"race: {self.title}", title_justify="left")
        for name in ("method", "status", "ratio", "steps", "seconds"):
            right = name in ("ratio", "steps", "seconds")
            table.add_column(name, justify="right" if right else "left")
        for row in self.rows.values():
            style = {"certified": "green", "running": "cyan", "compiling": "dim"}
            table.add_row(*row, style=style.get(row[1], "yellow"))
        return table


def _row(label: str, r: Any) -> tuple[str, ...]:
    seconds = f"{r.seconds['compile']:.2f} + {r.seconds['run']:.4f}"
    # A running answer is not judged for the sake of a table.
    seen = r.trace.ratio if r.status == "running" else [r.certificate.ratio]
    return label, r.status, f"{float(min(seen)):.1e}", str(r.steps), seconds


def _line(row: tuple[str, ...]) -> str:
    label, status, ratio, steps, seconds = row
    return f"{label:<28} {status:<13} ratio {ratio:>8}  {steps:>7} steps  {seconds} s"
