"""race, solve and verify."""

import shlex
import sys
from pathlib import Path
from typing import Any

from banach.cli import console, interrupt
from banach.cli.live import Board


def race_command(
    problems: list[str],
    method: Any,
    *,
    html: Any,
    json: bool,
    serve: bool,
    port: Any,
    **o,
) -> int:
    """Run the races; table on stdout, progress on stderr, page in a file or served."""
    with console.loading():
        from banach.racing import race  # noqa: F401, loaded before anything is told

    if port is not None and not serve:
        raise console.Usage("--port names the port of --serve; add --serve")
    if html is not None:
        _page(html)
    command = "banach " + " ".join(shlex.quote(a) for a in sys.argv[1:])
    if not serve:
        return _raced(problems, method, html, json, command, None, o)
    from banach.cli.serving import Page
    from banach.racing.so_far import SoFar

    limits = {k: o[k] for k in ("tol", "time_limit", "patience")}
    so_far = SoFar(problems, command=command, **limits)
    with Page(so_far, port or 0) as page:
        console.say(f"page: {page.address}")
        code = _raced(problems, method, html, json, command, so_far, o)
        if code not in (console.USAGE, console.INTERRUPTED):
            console.say(f"page: {page.address} stays until Ctrl-C")
            interrupt.wait()
    return code


def _raced(
    problems: list[str], method: Any, html: Any, json: bool, command: str,
    so_far: Any, o: Any,
) -> int:  # fmt: skip
    """The races one after the other, and what is printed and written of them."""
    from banach.engine import driver
    from banach.racing import race
    from banach.report.page import write_page

    tol = console.tolerance(o["tol"], o["absolute"])
    races, interrupted = [], False
    with driver.interrupts(armed=False) as stop:
        for name in problems:
            if so_far is not None:
                so_far.began()
            with Board(name, listed=not json and not sys.stdout.isatty()) as board:
                done = race(
                    name, method or None, tol=tol, check=o["check"], seed=o["seed"],
                    seeds=o["seeds"], max_steps=o["max_steps"],
                    time_limit=o["time_limit"], patience=o["patience"],
                    command=command, progress=_to_all(board, so_far),
                )  # fmt: skip
            races.append(done)
            if so_far is not None:
                so_far.ended(done)
            if done.runs:
                _tell_refused(done, bool(method))
            data = done.to_dict()
            if not json:
                _print_table(data)
            interrupted = any(r.status == "interrupted" for r in done.runs)
            interrupted = interrupted or stop.asked or interrupt.noted()
            if interrupted:
                break
            # With one race finished, Ctrl-C ends the next with what there is.
            stop.armed += len(races) == 1
    dicts = [r.to_dict() for r in races]
    if html is not None:
        _written("report", lambda: write_page(dicts, html))
    if json:
        one = len(problems) == 1
        console.emit(dicts[0] if one else {"schema_version": 1, "races": dicts})
    if interrupted or interrupt.noted():
        if not any(r.status == "interrupted" for r in races[-1].runs):
            console.say(console.STOPPED)
        return console.INTERRUPTED
    if all(r.certified for r in races):
        return console.CERTIFIED
    worst = next(r for r in races if not r.certified)
    if not worst.runs:
        console.say("banach: no method applies; the cures:")
        for r in worst.refused:
            console.say(f"  {r.reason}")
        return console.USAGE
    return console.code_of(worst.best.status, worst.best.timed_out)


def _to_all(board: Board, so_far: Any) -> Any:
    """The progress of a race, to the terminal and to its page."""
    if so_far is None:
        return board.update

    def progress(label: str, what: Any) -> None:
        board.update(label, what)
        so_far.update(label, what)

    return progress


def _tell_refused(done: Any, asked: bool) -> None:
    """Why each method that was asked for by name does not run; else how many do not."""
    if asked:
        for r in done.refused:
            console.say(f"  {r.method:<28} not applicable: {r.reason}")
    elif done.refused:
        n = len(done.refused)
        console.say(f"  {n} more do not apply; --json and --html say why")


def _page(path: str) -> None:
    from banach.core import atomic_files

    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    atomic_files.tried(path, ".html")


def _written(what: str, write: Any) -> None:
    """Write, and say where; a failure is told, and the answer stands."""
    try:
        console.say(f"{what}: {write()}")
    except (OSError, ValueError) as e:
        console.say(f"banach: not {what}: {e}")


def _print_table(data: Any) -> None:
    """What the race found, then its verdicts."""
    from banach.report import words
    from banach.report.table import plain_lines, rich_table

    found = words.summary(data)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        console.out("")
        Console().print(Text(found))
        Console().print(rich_table(data))
        return
    console.out(f"{data['problem']['name']}: {data['check']}, tol {data['tol']:g}")
    console.out(found)
    for run in data["runs"]:
        console.out(plain_lines(run))


def solve_command(
    problem: str,
    method: Any,
    *,
    save: Any,
    checkpoint: Any,
    resume: Any,
    json: bool,
    **o,
) -> int:
    """One run, printed or as JSON; the answer can be saved and verified later."""
    with console.loading():
        from banach.doors import solve

    if save is not None:
        _json_file(save)
    shown = _progress()

    def progress(result: Any) -> None:
        if result.status != "running":
            interrupt.keep()
        if shown is not None:
            shown(result)

    result = solve.solve(
        problem, method, tol=console.tolerance(o["tol"], o["absolute"]),
        digits=o["digits"], check=o["check"], max_steps=o["max_steps"],
        time_limit=o["time_limit"], seed=o["seed"], checkpoint=checkpoint,
        resume=resume, progress=progress,
    )  # fmt: skip
    _end_progress()
    if json:
        from banach.core.save import as_document

        console.emit(as_document(result))
    else:
        console.out(str(result))
    if save is not None:
        _written("saved", lambda: result.save(save))
    if interrupt.noted():
        console.say(console.STOPPED)
        return console.INTERRUPTED
    return console.code_of(result.status, result.timed_out)


def _json_file(path: str) -> None:
    """Find out before the run whether its answer can be written there."""
    from banach.core import atomic_files

    atomic_files.tried(path)


def _progress() -> Any:
    if not console.on_terminal():
        return None

    def show(result: Any) -> None:
        # A running answer is not judged for the sake of a line.
        seen = result.trace.ratio
        ratio = f"  ratio {float(min(seen)):.3g}" if len(seen) else ""
        text = f"\r\x1b[Kstep {result.steps}{ratio}"
        print(text, end="", file=sys.stderr, flush=True)

    return show


def _end_progress() -> None:
    if console.on_terminal():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def verify_command(
    file: str, problem: Any, tol: Any, check: Any, seed: int, json: bool, trust: bool
) -> int:
    """Judge a saved answer again."""
    with console.loading():
        from banach.core.printing import certificate_json
        from banach.doors.verify import verify

    options = dict(problem=problem, tol=tol, check=check, seed=seed, trust=trust)
    verdict = verify(file, **options)
    if json:
        console.emit(
            {
                "schema_version": 1,
                "status": verdict.status,
                "certificate": certificate_json(verdict.certificate),
                "tol": verdict.tol,
                "problem_matches": verdict.problem_matches,
                "point_matches": verdict.point_matches,
                "run_matches": verdict.run_matches,
            }
        )
    else:
        console.out(str(verdict))
    return console.code_of(verdict.status)


def reproduce_command(
    file: str, problem: Any, time_limit: float | None, json: bool
) -> int:
    """Run what a report describes, and say whether it ends as it did there."""
    import warnings

    with console.loading():
        from banach.doors.reproduce import reproduce
        from banach.engine import restore

    saved, _ = restore.read_report(file)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = reproduce(file, problem=problem, time_limit=time_limit)
    for warning in told:
        console.say(f"banach: {warning.message}")
    then = f"{saved['status']} after {saved['steps']} steps"
    now = f"{result.status} after {result.steps} steps"
    if json:
        from banach.core.save import as_document

        console.emit(as_document(result))
    else:
        console.out(str(result))
    same = "as there" if now == then else f"there it was {then}"
    console.say(f"reproduced: {now}; {same}")
    return console.code_of(result.status, result.timed_out)
