"""What a notebook shows of an answer: the verdict first, then its evidence.

Fragments of HTML that carry their few styles with them: no script, no network, no
class that a notebook could restyle, and no colour that needs a light or a dark page.
Text and curves have the colour of the text around them; a verdict stands on a ground
of its own.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from banach.core.printing import block_rows, bound, verdict_text
from banach.report import words
from banach.report.curve import curve
from banach.report.table import badge, html_table

_SHOWN = frozenset(
    [
        *"grade assumes delta multipliers method seconds tried next".split(),
        *("seen as", "the peer"),
    ]
)
_LEFT = "text-align:left;vertical-align:top;padding:1px 14px 1px 0;background:none"
_ROWS = 12  # of a stack, lanes that ask for attention


def of_result(result: Any) -> str:
    """The card of a Result: headline, the rows that matter, and its curve."""
    told = {word for word, _ in getattr(result.problem, "told", list)()}
    shown = (
        _SHOWN
        | told
        | (set() if result.certified else {"stopped", "  part", "violated"})
    )
    rows = [(w.strip(), t) for w, t in block_rows(result) if w in shown]
    trace = result.trace
    drawn = curve(trace.step, trace.ratio, result.tol, "certified ratio")
    return _card(
        f"{badge(result.status, verdict_text(result))} "
        f"<strong>{escape(bound(result))}</strong>",
        f"{table(rows)}{drawn}",
    )


def of_race(race: Any) -> str:
    """The card of a Race: what it found, then its table with a small curve a row."""
    data = race.to_dict()
    refused = [(r["method"], r["reason"]) for r in data["refused"]]
    more = ""
    if refused:
        noun = "method does" if len(refused) == 1 else "methods do"
        more = (
            f"<details><summary>{len(refused)} {noun} not apply</summary>"
            f"{table(refused)}</details>"
        )
    body = f'<div style="overflow-x:auto">{html_table(data["runs"])}</div>{more}'
    best = data["runs"][0]["status"] if data["runs"] else "budget"
    lead = f"{badge(best)} <strong>{escape(data['problem']['title'])}</strong>"
    return _card(f"{lead}: {escape(words.summary(data))}", body)


def of_uncertainty(u: Any) -> str:
    """The card of an Uncertainty: its table of parameters, and what it rests on."""
    from banach.inference.table import below, rows, title

    head, *body = rows(u)
    cells = "".join(
        f"<tr>{_cell('th', row[0], 'row')}{''.join(_number('td', v) for v in row[1:])}"
        "</tr>"
        for row in body
    )
    columns = "".join(_number("th", v, "col") for v in head[1:])
    status = "certified" if u.certified else "unverifiable"
    mark = badge(status) if u.certified else badge(status, "not certified")
    said = title(u).removeprefix("NOT CERTIFIED: ")
    return _card(
        f"{mark} <strong>{escape(said)}</strong>",
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:0">'
        f'<thead><tr><td style="{_LEFT}"></td>{columns}</tr></thead>'
        f"<tbody>{cells}</tbody></table></div>{table(below(u))}",
    )


def of_many(results: Any) -> str:
    """The card of a stack's Results: how they ended, and the lanes to look at."""
    status = results.status
    names, counts = np.unique(status, return_counts=True)
    ended = ", ".join(f"{c} {n}" for n, c in zip(names, counts, strict=True)) or "none"
    left = np.flatnonzero(~results.certified)
    worst = "certified" if not len(left) else str(status[left[0]])
    steps, seconds = results.steps, results.seconds
    rows = [("ended", ended)]
    if len(steps):
        middle = words.number(float(np.median(steps)))
        said = f"{steps.min()} to {steps.max()}, {middle} in the middle"
        rows.append(("steps", said))
    rows.append(
        (
            "seconds",
            f"compile {words.number(seconds['compile'])}, run "
            f"{words.number(seconds['run'])} for all",
        )
    )
    lanes = [
        (f"lane {i}", f"{results[i].status}: {results[i].reason}")
        for i in map(int, left[:_ROWS])
    ]
    if len(left) > _ROWS:
        lanes.append(("...", f"{len(left) - _ROWS} more"))
    if lanes:
        lanes.append(("look", "results[~results.certified]"))
    n = len(results)
    lead = f"{n - len(left)} of {n} problems certified to {words.number(results.tol)}"
    return _card(f"{badge(worst)} <strong>{lead}</strong>", table(rows + lanes))


def table(rows: Iterable[Sequence[str]]) -> str:
    """Words and what they say, a row each."""
    body = "".join(
        f"<tr>{_cell('th', word, 'row')}{_cell('td', text)}</tr>" for word, text in rows
    )
    return f'<table style="border-collapse:collapse;margin:4px 0">{body}</table>'


def _card(lead: str, body: str) -> str:
    return (
        '<div style="border-left:3px solid;padding:2px 0 2px 12px;margin:4px 0;'
        'max-width:100%;line-height:1.45">'
        f"<div>{lead}</div>{body}</div>"
    )


def _cell(name: str, text: str, scope: str = "") -> str:
    kind = f' scope="{scope}"' if scope else ""
    weight = ";font-weight:600;white-space:nowrap" if scope else ""
    return f'<{name}{kind} style="{_LEFT}{weight}">{escape(str(text))}</{name}>'


def _number(name: str, text: str, scope: str = "") -> str:
    kind = f' scope="{scope}"' if scope else ""
    return (
        f'<{name}{kind} style="text-align:right;padding:1px 0 1px 14px;'
        f'font-variant-numeric:tabular-nums">{escape(text)}</{name}>'
    )
