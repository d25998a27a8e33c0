"""Verdict tables for a terminal, a log file and a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from banach.report import words

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = (
    "method",
    "verdict",
    "value",
    "scale",
    "ratio",
    "grade",
    "steps",
    "calls",
    "compile s",
    "run s",
    "check s",
)
_RIGHT = frozenset(
    {"value", "scale", "ratio", "steps", "compile s", "run s", "check s"}
)
# Where stochastic methods ran over several seeds.
_SEEDS = "certified seeds"
# Where a peer library ran, in its own words.
_PEER = "the peer says"
# A terminal is narrow: value, scale and check seconds are left to page and JSON.
_ELSEWHERE = frozenset({"value", "scale", "check s"})
_STYLE = {"good": "green", "open": "yellow", "bad": "red"}


def cells(run: Mapping) -> tuple[str, ...]:
    """The texts of one run's row, one per column of the verdict table."""
    certificate, seconds = run["certificate"], run["seconds"]
    return (
        run["method"],
        f"{words.status(run['status']).sign} {run['status']}",
        words.number(certificate["value"]),
        words.number(certificate["scale"]),
        words.number(certificate["ratio"]),
        certificate["grade"],
        str(run["steps"]),
        " ".join(f"{kind}={count}" for kind, count in words.calls(run)),
        words.number(seconds["compile"]),
        words.run_seconds(run),
        words.number(seconds["check"]),
    )


def _columns(runs: Sequence[Mapping]) -> tuple[str, ...]:
    several = any("spread" in run for run in runs)
    peers = any(words.peer(run) for run in runs)
    return (*_COLUMNS, *[_SEEDS] * several, *[_PEER] * peers)


def _texts(run: Mapping) -> dict[str, str]:
    """The texts of a row by column, seeds included."""
    texts = dict(zip(_COLUMNS, cells(run), strict=True))
    texts[_SEEDS] = words.seeds(run)
    texts[_PEER] = words.peer(run)
    return texts


def rich_table(race: Mapping) -> Table:
    """The verdict table of a race for a terminal, best verdicts first.

    The verdict is written out beside its sign, so the table reads without
    colour (NO_COLOR, a pipe, a colour-blind reader). Narrow terminals fold cells;
    no text is cut.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    tol = words.number(race["tol"])
    title = Text(f"{race['problem']['title']}, {race['check']}, tol {tol}")
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    shown = [c for c in _columns(race["runs"]) if c not in _ELSEWHERE]
    for name in shown:
        table.add_column(
            name,
            justify="right" if name in _RIGHT else "left",
            overflow="fold",
            no_wrap=name in {"verdict", "ratio", "grade"},
            min_width={"method": 18, "compile s": 7}.get(name),
        )
    for run in words.by_verdict(race["runs"]):
        tone = _STYLE[words.status(run["status"]).tone]
        texts = _texts(run)
        table.add_row(
            *(
                Text(texts[name], style=tone if name == "verdict" else "")
                for name in shown
            )
        )
    return table


def plain_lines(run: Mapping) -> str:
    """One line for a log or a pipe; lines of different runs align."""
    ratio = words.number(run["certificate"]["ratio"])
    tol, seconds = words.number(run["tol"]), run["seconds"]
    counts = " ".join(f"{kind}={count}" for kind, count in words.calls(run))
    method = " ".join(run["method"].split())
    if words.peer(run):
        counts += f'  the peer says "{words.peer(run)}"'
    if "spread" in run:
        counts += f"  seeds {words.seeds(run)}, run {words.run_seconds(run)} s"
    return (
        f"{method:<28} {run['status']:<12} ratio {ratio:>12} tol {tol:<7} "
        f"{run['certificate']['grade']:<11} steps {run['steps']:>7} "
        f"compile {seconds['compile']:>8.3f} s  run {seconds['run']:>8.3f} s  "
        f"check {seconds['check']:>8.3f} s  {counts}"
    ).rstrip()


def html_table(runs: Sequence[Mapping], caption: str = "") -> str:
    """The verdict table as an HTML fragment, for `_repr_html_` in a notebook.

    It sets no colours, so that it follows the notebook's own light or dark theme.
    """
    columns = _columns(runs)
    head = "".join(
        f'<th scope="col" style="text-align:{_align(name)}">{escape(name)}</th>'
        for name in columns
    )
    body = "".join(_html_row(run, columns) for run in words.by_verdict(runs))
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<table class="banach-verdicts">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _html_row(run: Mapping, columns: Sequence[str]) -> str:
    texts = _texts(run)
    rest = "".join(
        f'<td style="text-align:{_align(name)}">{escape(texts[name])}</td>'
        for name in columns[1:]
    )
    why = escape(run["reason"])
    return (
        f'<tr title="{why}"><th scope="row" style="text-align:left">'
        f"{escape(texts['method'])}</th>{rest}</tr>"
    )


def _align(name: str) -> str:
    return "right" if name in _RIGHT else "left"
