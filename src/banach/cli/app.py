"""The commands. Modules that need jax are imported by the commands that use it."""

import sys
from typing import Annotated, Any

import typer

from banach.cli import console

app = typer.Typer(
    name="banach",
    help="Iterative solvers whose answers are checked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
claims_app = typer.Typer(
    help="Redo the experiment that a method's paper is known for.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(claims_app, name="claims")

Problem = Annotated[str, typer.Argument(help="built-in name or file.py:object")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout")]
Tol = Annotated[float, typer.Option(help="relative tolerance")]
Abs = Annotated[bool, typer.Option("--absolute", help="tol is in natural units")]
Limit = Annotated[float | None, typer.Option(help="seconds, compile time included")]
Steps = Annotated[int, typer.Option(help="method steps at most")]
Seed = Annotated[int, typer.Option(help="random seed")]
CheckName = Annotated[str | None, typer.Option(help="check instead of the default")]
File = Annotated[str | None, typer.Option(metavar="FILE.json")]


@app.command()
def race(
    problems: Annotated[list[str], typer.Argument(metavar="PROBLEM...")],
    method: Annotated[
        list[str] | None, typer.Option(help="race only this (repeatable)")
    ] = None,
    tol: Tol = 1e-6,
    absolute: Abs = False,
    time_limit: Annotated[
        float | None, typer.Option(help="seconds a run, compile time not counted")
    ] = 10.0,
    patience: Annotated[
        float, typer.Option(help="times the third fastest, and a second, for the rest")
    ] = 100.0,
    max_steps: Steps = 1_000_000,
    check: CheckName = None,
    seed: Seed = 0,
    seeds: Annotated[
        int, typer.Option(help="runs of each stochastic method, from one start")
    ] = 1,
    html: Annotated[str | None, typer.Option(metavar="FILE.html")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="a page on this machine, filled as they run")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="of --serve; any free one, without")
    ] = None,
    json: Json = False,
) -> int:
    """Race all applicable methods on a problem: live table, one HTML report."""
    from banach.cli.solving import race_command

    return race_command(
        problems, method, tol=tol, absolute=absolute, time_limit=time_limit,
        patience=patience, max_steps=max_steps, check=check, seed=seed, seeds=seeds,
        html=html, serve=serve, port=port, json=json,
    )  # fmt: skip


@app.command()
def solve(
    problem: Problem,
    method: Annotated[str | None, typer.Option(help="see banach methods")] = None,
    tol: Tol = 1e-6,
    absolute: Abs = False,
    digits: Annotated[
        int | None, typer.Option(help="correct digits of x, in place of a tolerance")
    ] = None,
    time_limit: Limit = None,
    max_steps: Steps = 100_000,
    check: CheckName = None,
    seed: Seed = 0,
    save: File = None,
    checkpoint: File = None,
    resume: File = None,
    json: Json = False,
) -> int:
    """Solve one problem; the exit code says what the answer is worth."""
    from banach.cli.solving import solve_command

    return solve_command(
        problem, method, tol=tol, absolute=absolute, digits=digits,
        time_limit=time_limit, max_steps=max_steps, check=check, seed=seed, save=save,
        checkpoint=checkpoint, resume=resume, json=json,
    )  # fmt: skip


@app.command()
def verify(
    file: Annotated[str, typer.Argument(metavar="RUN.json")],
    problem: Annotated[str | None, typer.Option(help="judge against this")] = None,
    tol: Annotated[float | None, typer.Option(help="relative tolerance")] = None,
    check: CheckName = None,
    seed: Seed = 1,
    trust: Annotated[
        bool, typer.Option("--trust", help="execute the Python file that RUN names")
    ] = False,
    json: Json = False,
) -> int:
    """Certify a saved answer again, in this fresh process."""
    from banach.cli.solving import verify_command

    return verify_command(file, problem, tol, check, seed, json, trust)


@app.command()
def reproduce(
    file: Annotated[str, typer.Argument(metavar="REPORT.json")],
    problem: Annotated[
        str | None, typer.Option(help="run on this; needed where no data are in it")
    ] = None,
    time_limit: Limit = None,
    json: Json = False,
) -> int:
    """Run again what result.report() wrote, and compare."""
    from banach.cli.solving import reproduce_command

    return reproduce_command(file, problem, time_limit, json)


@app.command()
def methods(
    problem: Annotated[
        str | None,
        typer.Option(help="a kind (smooth, ...), a built-in problem or file.py:object"),
    ] = None,
    family: Annotated[str | None, typer.Option(help="only this family")] = None,
    json: Json = False,
) -> int:
    """List the methods."""
    from banach.cli.listing import methods_command

    return methods_command(problem, family, json)


@app.command()
def problems(
    kind: Annotated[str | None, typer.Option(help="only this kind, e.g. GLM")] = None,
    json: Json = False,
) -> int:
    """List the built-in problems."""
    from banach.cli.listing import problems_command

    return problems_command(kind, json)


@app.command()
def checks(
    problem: Annotated[
        str | None,
        typer.Option(help="only those that judge this problem or file.py:object"),
    ] = None,
    json: Json = False,
) -> int:
    """List the checks."""
    from banach.cli.listing import checks_command

    return checks_command(problem, json)


@app.command()
def explain(name: str, json: Json = False) -> int:
    """Explain a method, check, kind, problem, term or part, or a composition."""
    from banach.cli.listing import explain_command

    return explain_command(name, json)


@app.command()
def cite(names: Annotated[list[str], typer.Argument(metavar="METHOD...")]) -> int:
    """Print the BibTeX of methods' papers."""
    from banach.cli.listing import cite_command

    return cite_command(names)


@app.command()
def doctor(json: Json = False) -> int:
    """Say what this installation can do, and what it lacks."""
    from banach.cli.doctor import doctor_command

    return doctor_command(json)


@claims_app.command("list")
def claims_list(json: Json = False) -> int:
    """List the claims that can be measured."""
    from banach.cli.claiming import list_command

    return list_command(json)


@claims_app.command("run")
def claims_run(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...")] = None,
    all_claims: Annotated[bool, typer.Option("--all", help="every claim")] = False,
    figures: Annotated[str | None, typer.Option(metavar="FOLDER")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="of fresh instances; the date, without")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="processes at once")] = 1,
    json: Json = False,
) -> int:
    """Measure claims again; one JSON line a claim with --json."""
    from banach.cli.claiming import run_command

    return run_command(names or [], all_claims, figures, seed, jobs, json)


# Typer carries its own copy of click since 0.26; before, this is click's class.
_UsageError: Any = typer.BadParameter.__mro__[1]


def run(argv: list[str]) -> int:
    """Run the command line and return its exit code."""
    command = typer.main.get_command(app)

    def work() -> int:
        try:
            return int(
                command.main(argv, prog_name="banach", standalone_mode=False) or 0
            )
        except _UsageError as e:
            e.show(file=sys.stderr)
            return console.USAGE
        except typer.Exit as e:
            return e.exit_code
        except typer.Abort:
            raise KeyboardInterrupt from None

    return console.guarded(work)
