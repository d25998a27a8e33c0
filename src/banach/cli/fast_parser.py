"""solve, race and verify, read without typer: loading it costs a tenth of a solve.

Only what is plainly right is read here: known options with plain values. Anything else
(help, a word that is unknown, a number in another form, a missing argument) is left to
typer, which says what is wrong. `tests/cli/test_fast_parser.py` holds these tables
against the commands of `app.py`.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from banach.cli import console

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?", re.ASCII)
_INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)


class Command(NamedTuple):
    """A command of `banach.cli.solving`: its argument, its options, their defaults."""

    function: str
    argument: str
    many: bool  # whether the argument, and `method`, are lists
    options: dict[str, tuple[type, Any]]


_SHARED: dict[str, tuple[type, Any]] = {
    "check": (str, None),
    "json": (bool, False),
}
_RUN: dict[str, tuple[type, Any]] = _SHARED | {
    "method": (str, None),
    "tol": (float, 1e-6),
    "absolute": (bool, False),
    "seed": (int, 0),
}
COMMANDS = {
    "solve": Command(
        "solve_command", "problem", False,
        _RUN | {"digits": (int, None), "time_limit": (float, None),
                "max_steps": (int, 100_000),
                "save": (str, None), "checkpoint": (str, None), "resume": (str, None)},
    ),
    "race": Command(
        "race_command", "problems", True,
        _RUN | {"time_limit": (float, 10.0), "patience": (float, 100.0),
                "max_steps": (int, 1_000_000),
                "seeds": (int, 1), "html": (str, None),
                "serve": (bool, False), "port": (int, None)},
    ),
    "verify": Command(
        "verify_command", "file", False,
        _SHARED | {"problem": (str, None), "tol": (float, None), "seed": (int, 1),
                   "trust": (bool, False)},
    ),
}  # fmt: skip


def read(argv: list[str]) -> tuple[Command, dict[str, Any]] | None:
    """The command and all of its arguments, or None: typer has to read them."""
    command = COMMANDS.get(argv[0]) if argv else None
    if command is None:
        return None
    lists = {"method"} if command.many else set()
    given: dict[str, Any] = {}
    words: list[str] = []
    rest = iter(argv[1:])
    for word in rest:
        if not word.startswith("-"):
            words.append(word)
            continue
        option, equals, text = word.partition("=")
        name = option[2:].replace("-", "_")
        if option != "--" + name.replace("_", "-") or name not in command.options:
            return None
        kind = command.options[name][0]
        if kind is bool:
            value: Any = None if equals else True
        else:
            value = _value(kind, text if equals else next(rest, ""))
        if value is None or (name in given and name not in lists):
            return None
        given[name] = [*given.get(name, []), value] if name in lists else value
    if not words or "" in words or (len(words) > 1 and not command.many):
        return None
    given[command.argument] = words if command.many else words[0]
    defaults = {name: default for name, (_, default) in command.options.items()}
    return command, defaults | given


def _value(kind: type, text: str) -> Any:
    """The value that a word plainly is, or None."""
    if kind is str:
        return text if text and not text.startswith("-") else None
    form = _INTEGER if kind is int else _NUMBER
    return kind(text) if form.fullmatch(text) else None


def run(argv: list[str]) -> int | None:
    """Run a command and return its exit code; None where typer has to read it."""
    found = read(argv)
    if found is None:
        return None
    command, given = found

    def work() -> int:
        from banach.cli import solving

        called: Callable[..., int] = getattr(solving, command.function)
        return called(**given)

    return console.guarded(work)
