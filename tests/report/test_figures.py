"""Matplotlib figures show the numbers of the race."""

import matplotlib
import numpy as np
import pytest
from synthetic import race

from banach.report import figures
from banach.report.figures import plot_race, plot_result


@pytest.fixture(autouse=True)
def agg():
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def named(figure):
    return {
        line.get_label().split()[0]: line
        for line in figure.axes[0].lines
        if not line.get_label().startswith("_")
    }


def test_race_over_waiting_seconds():
    given = race()
    figure = plot_race(given)
    figure.canvas.draw()
    axes, lines = figure.axes[0], named(plot_race(given))
    assert axes.get_yscale() == "log" and len(lines) == 14
    run = given["runs"][0]
    x, y = lines["lbfgs"].get_data()
    np.testing.assert_allclose(x, [0.61 + s for s in run["trace"]["seconds"]])
    np.testing.assert_allclose(y, run["trace"]["ratio"])
    bands = sorted(patch.get_width() for patch in axes.patches)
    np.testing.assert_allclose(
        bands, sorted(r["seconds"]["compile"] for r in given["runs"])
    )
    assert np.isnan(lines["heavy_ball"].get_ydata()[-3:]).all()
    assert axes.get_ylim()[1] == pytest.approx(400)
    looks = {(v.get_color(), v.get_marker()) for v in lines.values()}
    assert len(looks) == 14


def test_race_over_calls_leaves_out_who_makes_none():
    figure = plot_race(race(), against="hess")
    lines = named(figure)
    assert set(lines) == {
        "trust_region_newton",
        "root_newton",
        "lazy_newton",
        "gradient_normalized_newton",
    }
    assert lines["lazy_newton"].get_xdata()[-1] == 4
    assert not figure.axes[0].patches
    with pytest.raises(ValueError, match=r"against='resolvent'.*value, grad, hess"):
        plot_race(race(), against="resolvent")


def test_result_marks_an_uncertified_end_hollow():
    runs = {run["method"]: run for run in race()["runs"]}
    for name, fill in (("lbfgs", figures.COLOURS[0]), ("gradient_descent", "none")):
        line = plot_result(runs[name], 1e-6).axes[0].lines[1]
        assert line.get_markerfacecolor() == fill
        assert line.get_ydata()[0] == runs[name]["trace"]["ratio"][-1]
    with pytest.raises(ValueError, match="lbfgs does not count it"):
        plot_result(runs["lbfgs"], 1e-6, against="hess")


def test_given_axes_are_drawn_on():
    from matplotlib import pyplot

    figure, pair = pyplot.subplots(1, 2)
    assert plot_race(race(), ax=pair[1]) is figure
    assert len(pair[0].lines) == 0 and len(pair[1].lines) > 14
