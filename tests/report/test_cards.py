"""What notebooks show: verdict first, escaped, for any theme, with a curve in words."""

import math
import re
from html import unescape
from xml.etree import ElementTree

import jax.numpy as jnp
import numpy as np
import pytest
from synthetic import METHODS, one_run

import banach as bn
from banach.report.curve import MOST, curve, spark
from banach.report.table import GROUND, badge, html_table

rng = np.random.default_rng(3)
A, B = rng.normal(size=(40, 6)), rng.normal(size=40)


@pytest.fixture(scope="module")
def lasso():
    return bn.solve(bn.Lasso(A, B, 2.0), "fista")


@pytest.fixture(scope="module")
def short():
    return bn.solve(bn.Lasso(A, B, 2.0), "fista", tol=1e-12, max_steps=5)


def parsed(card):
    """The fragment as a tree: it is well formed, self-contained and themeless."""
    assert not re.search(
        r"<(script|link|style|pre|iframe|img)\b|url\(|https?:|on\w+=", card
    )
    colours = set(re.findall(r"(?<![\w-])color:([^;\"]+)", card))
    grounds = set(re.findall(r"background:([^;\"]+)", card))
    assert colours <= {"#fff"} and grounds <= {*GROUND.values(), "none"}
    return ElementTree.fromstring(card)


def text_of(card):
    return unescape(" ".join(parsed(card).itertext()))


def test_a_result_shows_its_verdict_first(lasso, short):
    told = text_of(lasso._repr_html_())
    assert re.match(r"\W+certified\s+f\(x\)-f\* <= ", told)
    assert "convex: by construction" in told and "fista" in told and "next" not in told
    told = text_of(short._repr_html_())
    assert re.match(r"\W+NOT CERTIFIED \(budget\)\s+f\(x\)-f\* <= ", told)
    assert short.reason in told and short.hint in told


def test_the_curve_says_in_words_what_it_shows(lasso):
    picture = parsed(lasso._repr_html_()).find(".//svg")
    assert picture.get("role") == "img"
    words = picture.get("aria-label")
    assert words == picture.find("title").text
    assert words.endswith("at or below the tolerance 1e-6") and "at step 0 " in words
    assert {"currentColor", "none"} == {
        v for e in picture.iter() for k, v in e.items() if k in ("stroke", "fill")
    }


def test_the_curve_falls_through_the_tolerance():
    """The end of the path lies under the dashed line, its start above it."""
    drawn = ElementTree.fromstring(curve([0, 5, 9], [1.0, 1e-3, 1e-8], 1e-6))
    paths = [e.get("d") for e in drawn.iter("path")]
    dashed = next(e for e in drawn.iter("path") if e.get("stroke-dasharray"))
    level = float(re.match(r"M\S+ (\S+)H", dashed.get("d"))[1])
    points = [tuple(map(float, p.split())) for p in paths[-1][1:].split("L")]
    assert len(points) == 3 and points[0][1] < points[1][1] < level < points[2][1]
    # A logarithmic axis: 3 decades and 5 decades are drawn as 3 to 5.
    falls = points[1][1] - points[0][1], points[2][1] - points[1][1]
    assert falls[1] / falls[0] == pytest.approx(5 / 3, rel=0.02)


@pytest.mark.parametrize("draw", [curve, spark])
def test_curves_of_odd_traces(draw):
    assert draw([], [], 1e-6) == draw([0], [1.0], 1e-6) == ""
    assert draw([0, 1], [math.nan, math.inf], 1e-6) == ""
    for ratios in ([1.0, 0.0], [0.0, 0.0], [1e-9, 1e300], [None, 1.0, 2.0]):
        drawn = draw(range(len(ratios)), ratios, 1e-6)
        assert "nan" not in drawn and "inf" not in drawn
        ElementTree.fromstring(drawn)
    long = draw(range(5000), np.geomspace(1, 1e-9, 5000), 1e-6)
    assert long.count("L") == MOST - 1


def contrast(a, b):
    def light(hexed):
        parts = [int(hexed[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((light(a), light(b)))
    return (high + 0.05) / (low + 0.05)


def test_a_badge_is_read_on_any_page():
    assert all(contrast("#ffffff", ground) >= 4.5 for ground in GROUND.values())
    assert "certified" in badge("certified") and GROUND["bad"] in badge("refuted")


def test_a_race_says_what_it_found_and_draws_each_run():
    race = bn.race(bn.Lasso(A, B, 2.0), ["fista", "lbfgs", "sinkhorn"])
    card = race._repr_html_()
    told = text_of(card)
    assert str(race).splitlines()[0] in re.sub(r"\s+", " ", told)
    assert "2 of 2 methods certified" in told and 'Use bn.solve(problem, "' in told
    assert len(parsed(card).findall(".//tbody/tr//svg")) == 2
    assert "1 method does not apply" in told and "bn.Transport" in told


def test_a_table_escapes_and_keeps_its_caption():
    run = one_run(METHODS[0]) | {"method": "<b>", "reason": '"<script>'}
    table = html_table([run], "<i>")
    assert not re.search(r"<(b|i|script)>", table)
    assert parsed(table).find("caption").text == "<i>"


def test_names_of_a_fit_are_escaped():
    result = bn.solve(bn.Ridge(A[:, :2], B, 0, columns=["<b>&", "age"]), tol=1e-10)
    u = bn.uncertainty(result)
    card = u._repr_html_()
    rows = parsed(card).findall(".//tbody/tr")
    assert [r.find("th").text for r in rows] == ["<b>&", "age"]
    assert rows[1].findall("td")[1].text == f"{np.asarray(u.standard_errors)[1]:.4g}"
    assert all(c in text_of(card) for c in u.conditions)
    assert re.match(r"\W+certified\s+95% intervals", text_of(card))


def test_a_stack_names_the_lanes_to_look_at():
    stack = bn.LogisticRegression.stack(
        rng.normal(size=(20, 15, 2)), rng.integers(0, 2, (20, 15)), 1.0
    )
    done = bn.solve_many(stack)
    assert "20 of 20 problems certified" in text_of(done._repr_html_())
    left = bn.solve_many(stack, max_steps=1)
    told = text_of(left._repr_html_())
    count = int((~left.certified).sum())
    assert count > 12 and f"{20 - count} of 20 problems certified" in told
    first = int(np.flatnonzero(~left.certified)[0])
    assert f"lane {first}" in told and left[first].reason in told
    assert f"{count - 12} more" in told and "results[~results.certified]" in told


def test_a_result_without_rows_or_problem_has_a_card(lasso):
    import pickle

    bare = bn.solve(bn.Lasso(A, B, 2.0), "fista", rows=0)
    assert "<svg" not in bare._repr_html_() and "certified" in text_of(
        bare._repr_html_()
    )
    smooth = bn.solve(bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2)), "lbfgs")
    again = pickle.loads(pickle.dumps(smooth))
    assert "certified" in text_of(again._repr_html_())
