"""Terminal, log and notebook tables say the same, and cut nothing."""

import io
import re
from html import unescape

from rich.console import Console
from synthetic import METHODS, race

from banach.report import words
from banach.report.table import _COLUMNS, cells, html_table, plain_lines, rich_table


def printed(width):
    stream = io.StringIO()
    Console(file=stream, width=width).print(rich_table(race()))
    return stream.getvalue()


def test_rich_table_names_every_run_best_first():
    lines = printed(140).splitlines()
    order = [m for line in lines for m in [s[0] for s in METHODS] if f"{m} " in line]
    assert order[0] == "accelerated_gradient" and order[-1] == "frank_wolfe"
    assert sorted(order) == sorted(spec[0] for spec in METHODS)
    assert "\x1b" not in "".join(lines)


def test_narrow_terminal_folds_and_cuts_nothing():
    text = printed(80)
    assert max(map(len, text.splitlines())) <= 80
    assert all(f" {s[2]}" in text for s in METHODS)
    # The sign of "budget" is the only ellipsis: no cell was shortened with one.
    assert text.count("…") == sum(s[2] == "budget" for s in METHODS)


def test_plain_lines_align():
    lines = [plain_lines(run) for run in race()["runs"]]
    for word in ("ratio", "tol", "steps", "first", "run  ", "check"):
        assert len({line.index(f" {word} ") for line in lines}) == 1, word
    assert all("\n" not in line for line in lines)
    assert re.search(r"^lbfgs +certified +ratio +2.64e-10 tol 1e-6 ", lines[0])
    assert lines[0].endswith("value=32 grad=32")


def test_plain_line_of_a_strange_name_stays_one_line():
    run = race()["runs"][0] | {"method": "two\nlines"}
    assert plain_lines(run).startswith("two lines ")


def test_html_table_escapes():
    run = race()["runs"][0] | {"method": "<b>", "reason": '"<script>'}
    text = html_table([run], caption="<i>")
    assert not re.search(r"<(b|i|script)>", text)
    assert unescape(text).count("<b>") == 1 and unescape(text).count("<i>") == 1
    assert text.count("<tr") == 2


def test_numbers():
    shown = [words.number(v) for v in (1e-6, 1234.5, 300.0, 0.0, 12, True, None)]
    assert shown == ["1e-6", "1.23e3", "300", "0", "12", "yes", "none"]
    assert words.number(float("nan")) == "NaN"
    assert words.number(float("-inf")) == "-infinite"


def test_summary_names_the_quickest():
    text = words.summary(race())
    assert text.startswith("8 of 14 methods certified to 1e-6.")
    assert "accelerated_gradient, 0.36 s" in text and "lazy_newton, 0.006 s" in text
    none = race(runs=[r for r in race()["runs"] if r["status"] == "budget"])
    said = words.summary(none)
    assert said.startswith("0 of 2 methods certified to 1e-6. Nearest: optax_adam, ")
    assert said.endswith("(budget). Next: Allow more steps, or try lbfgs.")


def test_first_seconds_are_those_of_the_first_answer_though_it_ran_again():
    run = race()["runs"][0]
    run["seconds"] = {"compile": 1.25, "run": 0.002, "check": 0.0}
    assert "first    1.252 s  run    0.002 s" in plain_lines(run)
    run["seconds"]["first"] = 0.008  # by a program that is quick to make
    assert "first    0.008 s  run    0.002 s" in plain_lines(run)
    columns = dict(zip(_COLUMNS, cells(run), strict=True))
    assert (columns["first s"], columns["run s"]) == ("0.008", "0.002")
