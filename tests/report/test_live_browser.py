"""The page of a race that runs, in a real browser: it fills, and keeps what one did."""

import shutil

import numpy as np
import pytest
from chromium_pipe import Chromium

import banach as bn
from banach.cli.serving import Page
from banach.racing.so_far import SoFar

BINARY = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        BINARY is None, reason="no chromium on PATH: the page is not tried in a browser"
    ),
]
rng = np.random.default_rng(2)
A, B = rng.normal(size=(60, 8)), rng.normal(size=60)
METHODS = ["halpern", "fista", "lbfgs", "sinkhorn"]

STATE = "document.getElementById('live').textContent"
LEAD = "document.querySelector('.lead').textContent"
ROWS = """[...document.querySelectorAll('.verdicts tbody tr')].map((row) =>
    [row.cells[0].dataset.key, row.cells[1].dataset.key])"""
CURVES = """[...document.querySelectorAll('.plot')].map(
    (plot) => plot.querySelectorAll('.curve').length)"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    one = Chromium(BINARY, tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


def followed(names=("mine",)):
    return SoFar(
        names, tol=1e-6, time_limit=5.0, patience=100.0, command="banach race mine"
    )


def raced(so_far, watch=lambda label, what: None, methods=METHODS, **options):
    """A race whose page is looked at between its steps, from the same thread."""
    so_far.began()

    def progress(label, what):
        so_far.update(label, what)
        watch(label, what)

    done = bn.race(
        bn.Lasso(A, B, 3.0), methods, name="mine", progress=progress,
        command="banach race mine", **({"max_steps": 400} | options),
    )  # fmt: skip
    so_far.ended(done)
    return done


def ended(what):
    return getattr(what, "status", "running") not in ("running",)


def test_it_fills_while_the_race_runs(browser):
    so_far, seen = followed(), []
    with Page(so_far) as page:
        browser.open(page.address)
        browser.until(LEAD, "This race waits for its turn.")
        browser.js("window.kept = 1")

        def watch(label, what):
            if what is None:
                browser.until(f"({ROWS}).some(([m, s]) => m === '{label}')")
                seen.append(("began", label, dict(browser.js(ROWS))[label]))
            elif ended(what) and hasattr(what, "steps"):
                browser.until(
                    f"Object.fromEntries({ROWS})['{label}']", str(what.status)
                )
                seen.append(("ended", label, browser.js(CURVES)[0]))

        done = raced(so_far, watch)
        # One row after the other, a curve each; who does not apply has left again.
        assert [s[:2] for s in seen if s[0] == "began"] == [
            ("began", m) for m in METHODS
        ]
        assert all(s[2] == "compiling" for s in seen if s[0] == "began")
        assert [s[2] for s in seen if s[0] == "ended"] == [1, 2, 3]
        browser.until(LEAD + ".slice(0, 6)", "2 of 3")
        order = [m for m, _ in browser.js(ROWS)]
        assert order[2:] == ["halpern"] and set(order[:2]) == {"fista", "lbfgs"}
        assert browser.js(LEAD) == str(done).splitlines()[0]
        browser.until(STATE + ".slice(0, 20)", "All races have ended")
        assert "sinkhorn" in browser.js(
            "document.querySelector('.refused').textContent"
        )
        assert browser.js(CURVES) == [3, 3]
        # It was never loaded anew, asked nobody else, and complained of nothing.
        assert browser.js("window.kept") == 1 and browser.complaints() == []
        assert {u.removeprefix(page.address) for u in browser.requests()} <= {
            "",
            "events",
        }
        # Loaded anew it is the same page.
        browser.open(page.address)
        assert [m for m, _ in browser.js(ROWS)] == order
        assert browser.js(CURVES) == [3, 3] and browser.complaints() == []


def test_a_curve_grows_while_its_method_runs(browser, monkeypatch):
    monkeypatch.setattr("banach.racing.so_far.PAUSE", 0.0)
    so_far, seen = followed(), []
    with Page(so_far) as page:
        browser.open(page.address)

        def watch(label, what):
            if getattr(what, "status", "") == "running" and len(seen) < 3:
                steps = "document.querySelector('[data-label=\"steps\"]')?.dataset.key"
                browser.until(f"Number({steps})", int(what.steps))
                seen.append(
                    browser.js("""[document.querySelector('.badge').className,
                    races[0].runs[0].trace.step.at(-1),
                    document.querySelector('.curve').getAttribute('d').length > 0]""")
                )

        raced(so_far, watch, ["halpern"], max_steps=40_000, tol=1e-10)
        ends = [end for _, end, _ in seen]
        assert len(seen) == 3 and ends == sorted(set(ends))
        assert all("live" in badge and drawn for badge, _, drawn in seen)
        browser.until(STATE + ".slice(0, 20)", "All races have ended")
        assert browser.complaints() == []


def test_what_a_reader_did_stays(browser):
    """Sorting, an open verdict, the focus, a hidden curve: through every update."""
    so_far, tries = followed(), []

    def focus(selector):
        browser.js(f"document.querySelector({selector!r}).focus()")

    with Page(so_far) as page:
        browser.open(page.address)

        def watch(label, what):
            if not (ended(what) and hasattr(what, "steps")):
                return
            browser.until(f"Object.fromEntries({ROWS})['{label}']", str(what.status))
            if label == "halpern":
                focus(".verdicts th:nth-child(1) .sort")
                browser.press("Enter")
                browser.press("Enter")  # descending
                focus(".legend button")
                browser.press("Space")
                focus(".verdicts summary")
                browser.press("Enter")
                tries.append(label)

        raced(so_far, watch)
        browser.until(STATE + ".slice(0, 20)", "All races have ended")
        assert tries == ["halpern"]
        assert [m for m, _ in browser.js(ROWS)] == ["lbfgs", "halpern", "fista"]
        open_ = "document.querySelector('.verdicts details[open]').closest('tr')"
        assert browser.js(f"{open_}.cells[0].dataset.key") == "halpern"
        assert browser.js(f"document.activeElement.closest('tr') === {open_}")
        assert browser.js(
            "document.querySelector('.legend button').ariaPressed"
        ) == "false" and browser.js(CURVES) == [2, 2]
        assert browser.js(
            "[...document.querySelectorAll('.legend button')].map((b) => b.textContent)"
        ) == ["halpern", "fista", "lbfgs", "show all", "hide all"]
        # The keyboard reaches and works everything, as in the report.
        focus(".verdicts th:nth-child(5) .sort")
        browser.press("Space")
        ratios = browser.js(
            """[...document.querySelectorAll('[data-label="ratio"]')]
            .map((c) => Number(c.dataset.key))"""
        )
        assert ratios == sorted(ratios)
        focus(".plot")
        browser.press("ArrowDown")
        assert "(certified)" in browser.js("document.querySelector('.tip').innerText")
        assert browser.complaints() == []


def test_every_tab_stop_is_named(browser):
    so_far = followed()
    with Page(so_far) as page:
        raced(so_far, methods=["fista"])
        browser.open(page.address)
        browser.until(STATE + ".slice(0, 20)", "All races have ended")
        stops = []
        for _ in range(60):
            browser.press("Tab")
            stops.append(
                browser.js("""(() => { const e = document.activeElement;
                const name = e.ariaLabel || e.innerText || e.textContent
                    || (e.labels && e.labels[0] && e.labels[0].innerText)
                    || (e.getAttribute('aria-labelledby') || '');
                return [e.tagName, name.trim(), getComputedStyle(e).outlineStyle];
                })()""")
            )
            if stops[-1][0] == "BODY":
                break
        stops = [s for s in stops if s[0] != "BODY"]
        assert stops[0][1] == "Skip to the results" and len(stops) >= 11 + 1 + 3 + 2
        assert all(name and outline == "solid" for _, name, outline in stops)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_words_of_a_running_page_are_read(browser, scheme):
    """Contrast of 4.5 at least, of every verdict's tone and the quiet words."""
    so_far = followed(("mine", "second"))
    so_far.began()
    so_far.update("fista", None)
    with Page(so_far) as page:
        browser.open(page.address, scheme=scheme)
        browser.until(STATE + ".slice(0, 5)", "Live:")
        found = browser.js("""(() => {
            const light = (text) => { const [r, g, b] = text.match(/[0-9.]+/g)
                .map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92
                : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
            const ground = light(getComputedStyle(document.body).backgroundColor);
            return ['#live', '.lead', '.badge.live', 'a:not(.skip)', '.none', '.sort']
                .map((s) => { const e = document.querySelector(s);
                const ink = light(getComputedStyle(e).color);
                return [s, (Math.max(ink, ground) + 0.05)
                    / (Math.min(ink, ground) + 0.05), ground]; }); })()""")
        assert all(ratio >= 4.5 for _, ratio, _ in found), found
        assert (found[0][2] < 0.1) is (scheme == "dark")
        assert browser.complaints() == []


def test_it_comes_back_after_a_lost_connection(browser):
    so_far = followed()
    with Page(so_far) as page:
        port = page.port
        browser.open(page.address)
        browser.until(STATE + ".slice(0, 5)", "Live:")
    browser.until(STATE + ".slice(0, 22)", "The connection is lost")
    so_far.began()
    so_far.update("fista", None)
    with Page(so_far, port):
        browser.until(f"({ROWS}).length", 1)
        browser.until(STATE + ".slice(0, 5)", "Live:")


def test_a_race_without_a_run_says_so(browser):
    so_far = followed()
    with Page(so_far) as page:
        browser.open(page.address)
        raced(so_far, methods=["sinkhorn"])
        browser.until(STATE + ".slice(0, 20)", "All races have ended")
        assert browser.js(LEAD).startswith("No method applies. sinkhorn needs")
        assert browser.js("document.querySelector('.none').textContent") == (
            "No method ran, so there is nothing to draw."
        )
        assert browser.complaints() == []
