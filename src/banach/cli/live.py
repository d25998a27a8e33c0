"""Progress of a race on stderr: a live table on a terminal, plain lines elsewhere."""

import sys
from typing import Any

from banach.cli import console, interrupt


class Board:
    """Use as a context manager; `update` is the race's progress callback."""

    def __init__(self, title: str):
        self.title = title
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
            if self._live is None and what.status != "running":
                console.say("  " + _line(self.rows[label]))
        if self._live is not None:
            self._live.update(self._table())

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
