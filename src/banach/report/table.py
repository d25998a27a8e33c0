"""Verdict tables for a terminal, a log file and a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from banach.report import words
from banach.report.curve import spark

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
    "first s",
    "run s",
    "check s",
)
_RIGHT = frozenset({"value", "scale", "ratio", "steps", "first s", "run s", "check s"})
# Where stochastic methods ran over several seeds.
_SEEDS = "certified seeds"
# Where a peer library ran, in its own words.
_PEER = "the peer says"
# Terminals and notebooks are narrow: these are left to page and JSON.
_ELSEWHERE = frozenset({"value", "scale", "check s"})
_STYLE = {"good": "green", "live": "cyan", "open": "yellow", "bad": "red"}
# A small curve of the run, in HTML.
_CURVE = "ratio by step"
# White on these is read on any page (contrast 4.9 and more).
GROUND = {"good": "#1a7431", "open": "#8a5300", "live": "#0a58a6", "bad": "#b3261e"}


def cells(run: Mapping) -> tuple[str, ...]:
    """The texts of one run's row, one per column of the verdict table.

    "first s" is what a first answer took, all that was compiled for it included, and
    "run s" what the next one takes. The leaders of a race ran twice, so that they are
    of different programs: the first is quick to make, the next quick to run.
    """
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
        words.number(words.total_seconds(run)),
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
            min_width={"method": 18, "first s": 7}.get(name),
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
        f"first {words.total_seconds(run):>8.3f} s  run {seconds['run']:>8.3f} s  "
        f"check {seconds['check']:>8.3f} s  {counts}"
    ).rstrip()


def html_table(runs: Sequence[Mapping], caption: str = "") -> str:
    """The verdict table as an HTML fragment, for `_repr_html_` in a notebook.

    Texts and curves have the colour of the text around the table, light or dark; a
    verdict stands on a ground of its own.
    """
    columns = tuple(c for c in _columns(runs) if c not in _ELSEWHERE)
    if any(len(run["trace"]["ratio"]) > 1 for run in runs):
        columns = (columns[0], columns[1], _CURVE, *columns[2:])
    head = "".join(
        f'<th scope="col" style="{_align(name)}">{escape(name)}</th>'
        for name in columns
    )
    body = "".join(_html_row(run, columns) for run in words.by_verdict(runs))
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<table class="banach-verdicts">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _html_row(run: Mapping, columns: Sequence[str]) -> str:
    texts = {k: escape(v) for k, v in _texts(run).items()}
    texts["verdict"] = badge(run["status"])
    texts[_CURVE] = spark(run["trace"]["step"], run["trace"]["ratio"], run["tol"])
    rest = "".join(
        f'<td style="{_align(name)}">{texts[name]}</td>' for name in columns[1:]
    )
    why = escape(run["reason"])
    return (
        f'<tr title="{why}"><th scope="row" style="{_align("method")}">'
        f"{texts['method']}</th>{rest}</tr>"
    )


def badge(status: str, said: str = "") -> str:
    """A verdict on a ground of its own: its sign and its word."""
    sign, tone = words.status(status)
    return (
        f'<span style="background:{GROUND[tone]};color:#fff;border-radius:4px;'
        f'padding:1px 7px;white-space:nowrap"><span aria-hidden="true">{escape(sign)}'
        f"</span> {escape(said or status)}</span>"
    )


def _align(name: str) -> str:
    side = "right;white-space:nowrap" if name in _RIGHT else "left"
    return f"text-align:{side};padding:2px 10px 2px 0"
