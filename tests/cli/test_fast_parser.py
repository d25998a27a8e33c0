"""What is read without typer is what typer reads; the rest is left to it."""

import inspect
import typing

import pytest

from banach.cli import app, fast_parser, solving

PLAIN = [
    ["solve", "ridge:diabetes"],
    ["solve", "--json", "ridge:diabetes", "--tol", "1e-3", "--max-steps=7"],
    ["solve", "a.py:b", "--method", "lbfgs", "--time-limit", "2", "--absolute"],
    ["solve", "a b", "--save", "x y.json", "--seed", "3", "--check=gap"],
    ["solve", "a", "--checkpoint=c.json", "--resume", "c.json", "--tol", "1."],
    ["race", "a", "--method", "lbfgs", "b", "--method", "fista", "--html", "p.html"],
    ["race", "a", "--seeds", "5", "--max-steps", "10", "--time-limit=1.5e0"],
    ["race", "a", "--serve", "--port", "8080"],
    ["verify", "run.json", "--trust", "--tol", "1e-9", "--problem", "lasso:diabetes"],
]
LEFT = [
    [],
    ["methods"],
    ["claims", "run", "fista"],
    ["solve"],
    ["solve", "--help"],
    ["solve", "a", "b"],
    ["solve", ""],
    ["solve", "a", "-h"],
    ["solve", "a", "--"],
    ["solve", "--", "a"],
    ["solve", "a", "--tolerance", "1"],
    ["solve", "a", "--max_steps", "3"],
    ["solve", "a", "--tol"],
    ["solve", "a", "--tol", "x"],
    ["solve", "a", "--tol", "nan"],
    ["solve", "a", "--tol", "-1"],
    ["solve", "a", "--tol="],
    ["solve", "a", "--max-steps", "1.5"],
    ["solve", "a", "--max-steps", "1e3"],
    ["solve", "a", "--seed", "٣"],
    ["solve", "a", "--method", "--json"],
    ["solve", "a", "--save="],
    ["solve", "a", "--json=yes"],
    ["solve", "a", "--no-json"],
    ["solve", "a", "--seed", "1", "--seed", "2"],
    ["verify", "a.json", "--time-limit", "2"],
]


def by_typer(argv, monkeypatch):
    """What the command of `running` is called with, after typer has read the words."""
    seen = {}
    for command in fast_parser.COMMANDS.values():
        own = inspect.signature(getattr(solving, command.function))

        def record(*args, own=own, command=command, **given):
            bound = own.bind(*args, **given).arguments
            seen[command.function] = bound | bound.pop("o", {})
            return 0

        monkeypatch.setattr(solving, command.function, record)
    assert app.run(argv) == 0
    return seen


@pytest.mark.parametrize("argv", PLAIN, ids=" ".join)
def test_plain_words_are_read_as_typer_reads_them(argv, monkeypatch):
    command, given = fast_parser.read(argv)
    expected = by_typer(argv, monkeypatch)[command.function]
    assert given == expected
    assert {k: type(v) for k, v in given.items()} == {
        k: type(v) for k, v in expected.items()
    }


@pytest.mark.parametrize("argv", LEFT, ids=" ".join)
def test_anything_else_is_left_to_typer(argv):
    assert fast_parser.read(argv) is None and fast_parser.run(argv) is None


@pytest.mark.parametrize("name", fast_parser.COMMANDS)
def test_the_tables_are_those_of_the_commands(name):
    command, told = fast_parser.COMMANDS[name], getattr(app, name)
    hints = typing.get_type_hints(told)
    parameters = inspect.signature(told).parameters
    assert set(parameters) == {command.argument, *command.options}
    for option, (kind, default) in command.options.items():
        hint = hints[option]
        kinds = {hint} | set(typing.get_args(hint))
        kinds |= {inner for k in kinds for inner in typing.get_args(k)}
        assert kind in kinds, option
        assert parameters[option].default == default, option
        assert (list[str] in kinds) == (command.many and option == "method")
    assert (hints[command.argument] == list[str]) == command.many


def test_exit_codes_are_the_same_by_both_ways(monkeypatch, capsys):
    from banach.cli import console

    def raises(error):
        def command(*args, **given):
            raise error

        monkeypatch.setattr(solving, "solve_command", command)
        return fast_parser.run(["solve", "a"]), app.run(["solve", "a"])

    assert raises(console.Usage("a cure")) == (2, 2)
    assert raises(KeyboardInterrupt()) == (130, 130)
    assert raises(FileNotFoundError(2, "no such file", "x")) == (2, 2)
    assert raises(RuntimeError("broken")) == (1, 1)
    said = capsys.readouterr().err.splitlines()
    assert said.count("banach: a cure") == 2
    assert "banach: interrupted" in said
    assert said.count("banach: no such file: x") == 2
    assert sum("internal error" in line for line in said) == 2
