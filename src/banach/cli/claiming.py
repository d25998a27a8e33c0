"""claims list and claims run: each claim in a process of its own."""

import json as js
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from banach import catalogue, claims
from banach.cli import console, interrupt


def list_command(json: bool) -> int:
    """Names, families and titles."""
    index = catalogue.load_index()
    rows = [
        {"name": n, "family": f, "title": index.get(n, {}).get("title", "")}
        for n, f in claims.names().items()
    ]
    if json:
        console.emit(rows)
        return console.CERTIFIED
    for r in rows:
        console.out(f"{r['name']:<28} {r['family']:<12} {r['title']}")
    return console.CERTIFIED


def run_command(
    names: list[str],
    everything: bool,
    figures: Any,
    seed: int | None,
    jobs: int,
    json: bool,
) -> int:
    """Measure; one line a claim. Exit 0 when each ran, whatever its verdict."""
    known = claims.names()
    if everything:
        names = list(known)
    if not names:
        raise console.Usage("name a claim, or use --all; see banach claims list")
    for name in names:
        if name not in known:
            raise console.Usage(f"no claim {name!r}; see banach claims list")
    if figures is not None:
        Path(figures).mkdir(parents=True, exist_ok=True)
    rows = []
    with ThreadPoolExecutor(jobs) as pool, _bar(len(names)) as tick:
        waiting = [pool.submit(_measure, n, figures, seed) for n in names]
        for done in as_completed(waiting):
            row = done.result()
            rows.append(row)
            tick(row)
            if json:
                console.emit(_told(row))
            else:
                console.out(_line(row))
            for text in (r.get("traceback") for r in (row, *row["statements"])):
                if text:
                    console.say(text)
    failed = any(r["verdict"] == "error" for r in rows)
    return console.INTERNAL if failed else console.CERTIFIED


def _measure(name: str, figures: Any, seed: int | None) -> dict[str, Any]:
    command = [sys.executable, "-m", "banach.claims", name, str(figures or "")]
    if seed is not None:
        command.append(str(seed))
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    with interrupt.with_child(child.pid):
        out, err = child.communicate()
    lines = out.strip().splitlines()
    if child.returncode == 0 and lines:
        return js.loads(lines[-1])
    ended = f"the process ended with code {child.returncode}"
    return claims.failed(name, f"{err}\n{ended}")


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """The row without the text of errors, which goes to the other stream."""
    bare = [{k: v for k, v in s.items() if k != "traceback"} for s in row["statements"]]
    return {k: v for k, v in row.items() if k != "traceback"} | {"statements": bare}


def _line(row: dict[str, Any]) -> str:
    from banach.claims.course import words

    lines = [
        f"{row['name']:<28} {row['verdict']:<15} {row['seconds']:>6.1f} s  "
        f"{row['summary']}"
    ]
    for s in row["statements"]:
        lines.append(f"    {s['sort']:<9} {s['says']}\n{'':14}{words(s)}")
        if s["required"]:
            lines.append(f"{'':14}required {s['required']}; {s['source']}")
    return "\n".join(lines)


class _bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, total: int):
        self.total = total
        self.progress: Any = None

    def __enter__(self) -> Any:
        if console.on_terminal():
            from rich.console import Console
            from rich.progress import Progress

            self.progress = Progress(console=Console(file=sys.stderr), transient=True)
            self.progress.__enter__()
            self.task = self.progress.add_task("claims", total=self.total)
        return self.tick

    def tick(self, row: dict[str, Any]) -> None:
        if self.progress is not None:
            self.progress.advance(self.task)

    def __exit__(self, *error: Any) -> None:
        if self.progress is not None:
            self.progress.__exit__(*error)
