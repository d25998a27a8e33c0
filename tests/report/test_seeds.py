"""Several seeds of a stochastic method: quartiles, tables, page and figure."""

import io
import json
import re

import matplotlib
import numpy as np
import pytest
from rich.console import Console
from synthetic import METHODS, one_run, race, several

from banach.report import words
from banach.report.bands import band, charted
from banach.report.figures import plot_race
from banach.report.page import render
from banach.report.table import html_table, plain_lines, rich_table


def both():
    return race(runs=[one_run(METHODS[0]), several()], seeds=[0, 1, 2, 3, 4])


def test_the_band_is_the_quartiles_at_every_row():
    run = several()
    got = band(run["seeds"], lambda one: one["trace"]["step"])
    base = dict(zip(run["trace"]["step"], run["trace"]["ratio"], strict=True))
    want = np.array([base[x] for x in got.x])
    # Five factors: the quartiles are the second, third and fourth.
    np.testing.assert_allclose(got.low, want)
    np.testing.assert_allclose(got.middle, 1.5 * want)
    np.testing.assert_allclose(got.high, 2.5 * want)
    assert got.x[0] == 0 and got.x[-1] == run["steps"] and len(got.x) <= 80


def test_runs_of_other_lengths_hold_their_last_ratio():
    def run(steps, ratio):
        return {"trace": {"step": steps, "ratio": ratio}}

    runs = [
        run([0, 1], [1.0, 0.1]),
        run([0, 2, 4], [1.0, 0.5, 0.2]),
        run([1, 3], [float("nan"), 0.3]),
    ]
    got = band(runs, lambda one: one["trace"]["step"])
    # From where all have a row; what is no number counts as infinite.
    assert got.x == [1, 2, 3, 4]
    assert got.middle == [1.0, 0.5, 0.3, 0.2]
    assert got.high[0] in (1.0, np.inf) and got.low[0] in (0.1, 1.0)
    assert band([run([], [])], lambda one: one["trace"]["step"]) is None


def test_tables_show_the_median_seconds_and_the_certified_seeds():
    stream = io.StringIO()
    Console(file=stream, width=160).print(rich_table(both()))
    text = stream.getvalue()
    assert "certified seeds" in text and "2/5" in text and "1/1" in text
    assert "0.52 (0.4 to 0.7)" in text
    line = plain_lines(several())
    assert line.endswith("seeds 2/5, run 0.52 (0.4 to 0.7) s")
    assert "seeds" not in plain_lines(one_run(METHODS[0]))
    html = html_table(both()["runs"])
    # Value, scale and check seconds are left to page and JSON; a small curve is there.
    assert html.count('<th scope="col"') == 10 and ">2/5<" in html
    # A race of single runs keeps its columns.
    assert html_table(race()["runs"]).count('<th scope="col"') == 9


def test_the_page_has_a_column_and_the_bands():
    text = render(both())
    assert re.search(r'data-key="0.4">2/5<', text)
    data = json.loads(
        re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text).group(1)
    )
    plain, stochastic = data[0]["runs"]
    assert plain["quartiles"] is None
    spans = stochastic["quartiles"]
    assert spans["seeds"] == "2/5"
    assert set(spans["calls"]) == {"grad"}
    assert len(spans["seconds"]["x"]) == len(spans["seconds"]["high"])
    low, middle, high = (spans["seconds"][k] for k in ("low", "middle", "high"))
    np.testing.assert_allclose(np.divide(middle, low), 1.5, rtol=1e-4)
    np.testing.assert_allclose(np.divide(high, low), 2.5, rtol=1e-4)
    assert "seeds" not in render(race()).split("<script")[0].split("</style>")[1]


def test_the_figure_draws_the_median_and_the_band():
    matplotlib.use("Agg")
    figure = plot_race(both(), against="step")
    axes = figure.axes[0]
    (line,) = [v for v in axes.lines if v.get_label().startswith("optax_adam")]
    assert line.get_label() == "optax_adam (2/5 seeds certified)"
    got = charted(several())["calls"]["grad"]
    assert len(axes.collections) == 1
    np.testing.assert_allclose(line.get_ydata(), got["middle"])
    from matplotlib import pyplot

    pyplot.close("all")


def test_words():
    assert words.seeds(several()) == "2/5"
    assert words.seeds_share(several()) == pytest.approx(0.4)
    assert words.seeds(one_run(METHODS[0])) == "1/1"
    assert words.run_seconds(several()) == "0.52 (0.4 to 0.7)"
