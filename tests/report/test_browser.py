"""The race page in a real headless chromium: keys, schemes, widths, no network."""

import math
import shutil

import pytest
from chromium_pipe import Chromium
from synthetic import METHODS, one_run, race

from banach.report.page import write_page

BINARY = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        BINARY is None, reason="no chromium on PATH: the page is not tried in a browser"
    ),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    one = Chromium(BINARY, tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_page(race(), tmp_path_factory.mktemp("page") / "race.html")


@pytest.fixture
def opened(browser, page):
    browser.open(page)
    yield browser
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]


def focus(browser, selector):
    assert browser.js(f"""(() => {{ const e = document.querySelector({selector!r});
        e.focus(); return document.activeElement === e; }})()""")


def column(browser, label):
    return browser.js(
        f"""[...document.querySelectorAll('.verdicts [data-label="{label}"]')]
        .map((cell) => cell.dataset.key)"""
    )


def curves(browser, chart=0):
    return browser.js(
        f"""document.querySelectorAll('.plot')[{chart}]
        .querySelectorAll('g[data-run] .curve').length"""
    )


def test_charts_draw_every_run(opened):
    assert curves(opened, 0) == 14
    assert curves(opened, 1) == 13  # scipy_cobyla calls no gradient
    assert "scipy_cobyla" in opened.js("document.querySelector('.absent').textContent")
    paths = opened.js("[...document.querySelectorAll('path')].map(p => p.outerHTML)")
    assert not any("NaN" in path or "undefined" in path for path in paths)
    looks = opened.js("""[...document.querySelector('.plot').querySelectorAll('.curve')]
        .map(p => p.getAttribute('class') + p.getAttribute('stroke-dasharray'))""")
    assert len(set(looks)) == 14


def test_curve_ends_where_the_numbers_say(opened):
    """The last point of lbfgs, read back from pixels through the axis' own ticks."""
    end = opened.js("""(() => {
        const plot = document.querySelector('.plot');
        const text = [...plot.querySelectorAll('text')];
        const at = (label) => text.find((t) => t.textContent === label)
            .getAttribute('x');
        const d = plot.querySelector('g[data-run="0"] .curve').getAttribute('d');
        const x = Number(d.split(/[ML]/).pop().split(' ')[0]);
        return (x - at('0.5')) / (at('1') - at('0.5')) * 0.5 + 0.5; })()""")
    assert end == pytest.approx(0.61 + 24 * 3e-4, abs=2e-3)


def test_compile_time_is_shaded_until_run_only(opened):
    bands = "document.querySelectorAll('.plot .band').length"
    assert opened.js(bands) == 13  # scipy_cobyla compiles nothing
    focus(opened, "input[type=radio]")
    opened.press("ArrowRight")
    assert opened.js("document.activeElement.value") == "run"
    assert opened.js(bands) == 0 and curves(opened) == 14


def test_sorting_by_keyboard(opened):
    focus(opened, ".verdicts th:nth-child(5) .sort")
    opened.press("Enter")
    up = column(opened, "ratio")
    assert up[-1] == "" and len(up) == 14
    assert [float(v) for v in up[:-1]] == sorted(float(v) for v in up[:-1])
    assert opened.js("document.activeElement.parentNode.ariaSort") == "ascending"
    opened.press("Space")
    assert column(opened, "ratio") == [*reversed(up[:-1]), ""]
    assert opened.js("document.activeElement.parentNode.ariaSort") == "descending"
    focus(opened, ".verdicts th:nth-child(1) .sort")
    opened.press("Enter")
    assert column(opened, "method") == sorted(s[0] for s in METHODS)
    assert opened.js("document.querySelectorAll('[aria-sort]').length") == 1


def test_verdict_opens_by_keyboard(opened):
    focus(opened, ".verdicts summary")
    opened.press("Enter")
    assert "fell below 1e-06" in opened.js(
        "document.querySelector('.verdicts details[open]').innerText"
    )


def test_chart_is_walked_by_keyboard(opened):
    tip = "document.querySelector('.tip').innerText"
    focus(opened, ".plot")
    assert "lbfgs (certified)" in opened.js(tip) and "step 24" in opened.js(tip)
    opened.press("ArrowLeft")
    assert "step 23" in opened.js(tip)
    opened.press("ArrowDown")
    assert "trust_region_newton" in opened.js(tip) and "hess 8" in opened.js(tip)
    dimmed = "document.querySelector('.plot').querySelectorAll('.dim').length"
    assert opened.js(dimmed) == 13
    opened.press("Tab")
    assert opened.js("document.querySelector('.tip').hidden")


def test_mouse_shows_the_nearest_point(opened):
    spot = opened.js("""(() => { const plot = document.querySelector('.plot');
        plot.scrollIntoView({ block: 'center' });
        const marks = plot.querySelectorAll('g[data-run="11"] .mark');
        const box = marks[marks.length - 1].getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]; })()""")
    opened.move(*spot)
    assert "scipy_cobyla" in opened.js("document.querySelector('.tip').innerText")


def test_legend_hides_in_both_charts(opened):
    focus(opened, ".legend button")
    opened.press("Space")
    assert opened.js("document.activeElement.ariaPressed") == "false"
    assert (curves(opened, 0), curves(opened, 1)) == (13, 12)
    opened.press("Space")
    assert (curves(opened, 0), curves(opened, 1)) == (14, 13)


@pytest.mark.parametrize(("kind", "count"), [("hess", 4), ("prox", 2), ("lmo", 1)])
def test_oracles_are_charted_apart(opened, kind, count):
    opened.js(f"""(() => {{ const s = document.querySelector('.controls select');
        s.value = '{kind}'; s.dispatchEvent(new Event('change')); }})()""")
    assert curves(opened, 1) == count


def test_data_behind_the_chart(opened):
    text = opened.js("""(async () => {
        document.querySelector('.data').open = true;
        const one = document.querySelectorAll('.data details')[12];
        one.open = true;
        await new Promise((done) => setTimeout(done, 100));
        return [...one.querySelectorAll('tbody tr')].map((row) => row.innerText);
        })()""")
    run = race()["runs"][12]
    assert run["method"] == "heavy_ball" and len(text) == len(run["trace"]["step"])
    assert text[-1].split("\t")[3] == "NaN" and text[0].split("\t")[3] == "0.4"


def test_every_tab_stop_is_named_and_visible(opened):
    seen = []
    for _ in range(80):
        opened.press("Tab")
        seen.append(
            opened.js("""(() => { const e = document.activeElement;
            const name = e.ariaLabel || e.innerText || e.textContent
                || (e.labels && e.labels[0] && e.labels[0].innerText)
                || (e.getAttribute('aria-labelledby') || '');
            return [e.tagName, name.trim(), getComputedStyle(e).outlineStyle]; })()""")
        )
        if seen[-1][0] == "BODY":
            break
    seen = [stop for stop in seen if stop[0] != "BODY"]
    assert seen[0][1] == "Skip to the results"
    # 11 sort buttons, 14 verdicts, 16 legend buttons, 2 charts and their controls.
    assert len(seen) >= 11 + 14 + 16 + 2 + 4
    assert all(name and outline == "solid" for _, name, outline in seen)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_colour_schemes(browser, page, scheme, dark):
    browser.open(page, scheme=scheme)
    ground, ink, curve = (
        [int(v) for v in colour[4:-1].split(",")]
        for colour in browser.js("""(() => {
            const style = (e) => getComputedStyle(document.querySelector(e));
            return [style('body').backgroundColor, style('body').color,
                style('.curve').stroke]; })()""")
    )
    assert (sum(ground) < sum(ink)) is dark
    assert abs(sum(curve) - sum(ground)) > 150
    assert browser.complaints() == []


@pytest.mark.parametrize("width", [320, 400, 800, 1280])
def test_no_sideways_scrolling(browser, page, width):
    browser.open(page, width=width)
    browser.js(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
    )
    browser.js("new Promise((done) => setTimeout(done, 200))")
    assert browser.js("document.documentElement.scrollWidth") <= width
    overrun = browser.js("""[...document.querySelectorAll('.plot text')].filter((t) => {
        const a = t.getBoundingClientRect();
        const b = t.ownerSVGElement.getBoundingClientRect();
        return a.left < b.left - 0.5 || a.right > b.right + 0.5; })
        .map((t) => t.textContent)""")
    assert overrun == []
    if width <= 400:
        hidden = browser.js("""[...document.querySelectorAll('.verdicts td')].filter(
            (c) => c.getBoundingClientRect().right > innerWidth).length""")
        assert hidden == 0


def test_print_opens_the_reasons(opened):
    closed = "document.querySelectorAll('.verdicts details:not([open])').length"
    assert opened.js(closed) == 14
    opened.call("Page.printToPDF")
    assert opened.js("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.js(closed) == 0
    assert opened.js("window.dispatchEvent(new Event('afterprint'))")
    assert opened.js(closed) == 14


def test_hostile_and_hollow_races(browser, tmp_path):
    """A name that is a script, a trace of NaN alone, no trace, no run at all."""
    name = (
        "</script><script>document.title = 'run'</script><img src=x onerror=alert(1)>"
    )
    lost, empty, zero = (one_run(METHODS[i]) for i in (0, 1, 2))
    lost["method"] = name
    lost["trace"]["ratio"] = [math.nan] * len(lost["trace"]["step"])
    empty["trace"] = {"step": [], "seconds": [], "ratio": [], "calls": {}}
    zero["trace"]["ratio"][-1] = 0.0
    path = write_page(
        [race(runs=[lost, empty, zero]), race(runs=[], refused=[])], tmp_path / "a.html"
    )
    browser.open(path)
    assert browser.complaints() == [] and browser.requests() == [path.as_uri()]
    assert browser.js("document.title") == "Races on 2 problems"
    assert browser.js("document.querySelectorAll('img').length") == 0
    assert name in browser.js("document.querySelector('.legend').innerText")
    assert "NaN" not in browser.js(
        "[...document.querySelectorAll('path')].map((p) => p.outerHTML).join()"
    )
    focus(browser, ".plot")
    browser.press("ArrowDown")
    browser.press("ArrowDown")
    assert browser.complaints() == []
