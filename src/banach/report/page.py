"""One self-contained HTML file per race: verdicts, charts, data, provenance."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from banach.core import atomic_files
from banach.core.problem import Misuse
from banach.report import words
from banach.report.bands import charted

_HERE = Path(__file__).parent


def write_page(race: Mapping | Sequence[Mapping], path: str | Path) -> Path:
    """Write the page of one race, or of several, and return its path.

    `race` is a race in the JSON form of schema 1, the form of several
    (`{"schema_version": 1, "races": [...]}`), or a list of races. The file fetches
    nothing: style, script and data are inside it, and its content policy forbids
    any other. Raises Misuse on another schema version, on no race at all, and where
    the file cannot be written, which is tried first.
    """
    path = atomic_files.tried(path, ".html")
    atomic_files.write_text(path, render(race))
    return path


def render(race: Mapping | Sequence[Mapping]) -> str:
    """The page of `write_page` as text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    races = _races(race)
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=words.number, fact=words.fact, sortkey=_sortkey)
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        races=races,
        words=words,
        title=_title(races),
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=Markup(f"'sha256-{digest}'"),
        data=Markup(embed([_chart_data(one) for one in races])),
    )


def embed(value: Any) -> str:
    """JSON that is safe inside a script element; NaN and infinity become null."""
    text = json.dumps(_clean(value), allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _races(race: Mapping | Sequence[Mapping]) -> list[Mapping]:
    if isinstance(race, Mapping):
        races = race["races"] if "races" in race else [race]
    else:
        races = list(race)
    if not races:
        raise Misuse("a page needs at least one race, and the list is empty")
    for one in races:
        version = one.get("schema_version", 1)
        if version != 1:
            raise Misuse(
                f"race of schema {version}: this banach writes pages of schema 1. "
                "Race again, or write the page with the banach that made the file"
            )
    return races


def _title(races: Sequence[Mapping]) -> str:
    if len(races) == 1:
        return f"Race: {races[0]['problem']['title']}"
    return f"Races on {len(races)} problems"


def _script() -> str:
    parts = ("chart.js", "page.js")
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in parts)


def _chart_data(race: Mapping) -> dict:
    """What the charts need of a race, floats cut to six digits."""
    return {
        "tol": race["tol"],
        "quantity": next(
            (run["certificate"]["quantity"] for run in race["runs"]),
            "certified quantity",
        ),
        "names": words.ORACLES,
        "runs": [
            {
                "method": run["method"],
                "status": run["status"],
                "compile": run["seconds"]["compile"],
                "trace": run["trace"],
                "quartiles": charted(run),
            }
            for run in race["runs"]
        ],
    }


def _clean(value):
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, float):
        number = words.finite(value)
        return None if number is None else float(f"{number:.6g}")
    return value


def _sortkey(value: Any) -> str:
    """A number for the table's sorting; empty where there is none (sorts last)."""
    number = words.finite(value)
    return "" if number is None else repr(number)
