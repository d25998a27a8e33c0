"""The race page as text: nothing fetched, everything escaped, every run present."""

import base64
import hashlib
import itertools
import json
import math
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from synthetic import METHODS, one_run, race

from banach.report.page import embed, render, write_page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Reader(HTMLParser):
    """Elements with attributes, ids, headings, and whether the tags balance."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.wrong = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(tag)

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def data_of(text):
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text)
    return json.loads(found.group(1), parse_constant=lambda name: pytest.fail(name))


def style_of(text):
    return re.search(r"<style>(.*?)</style>", text, re.S).group(1)


def test_structure():
    page = Reader(render(race()))
    assert page.wrong == [] and page.stack == []
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.of("h1")) == len(page.of("main")) == 1
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    references = [
        a[key] for _, a in page.elements for key in ("aria-labelledby",) if key in a
    ]
    assert references and set(references) <= set(ids)
    assert page.of("a")[0] == {"class": "skip", "href": "#main"}
    levels = [int(t[1]) for t, _ in page.elements if re.fullmatch("h[1-6]", t)]
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_nothing_is_fetched():
    text = render(race())
    page = Reader(text)
    for _, attrs in page.elements:
        for key in ("src", "href", "srcset", "action", "data"):
            assert attrs.get(key, "#").startswith(("#", "data:"))
    assert "url(" not in style_of(text) and "@import" not in text
    # The one address in the file is the name of the SVG namespace.
    assert re.findall(r"https?://[^\s\"'<]+", text) == ["http://www.w3.org/2000/svg"]


def test_policy_allows_exactly_the_page_script():
    text = render(race())
    script = re.search(r"<script>(.*?)</script>", text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(a["content"] for a in Reader(text).of("meta") if "http-equiv" in a)
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_every_run_and_refusal_appears():
    given = race()
    text = render(given)
    page = Reader(text)
    rows = [a["data-key"] for a in page.of("th") if a.get("data-label") == "method"]
    assert sorted(rows) == sorted(spec[0] for spec in METHODS)
    assert [run["method"] for run in data_of(text)[0]["runs"]] == [
        m[0] for m in METHODS
    ]
    plain = unescape(text)
    for run in given["runs"]:
        assert plain.count(run["reason"]) >= 1 and plain.count(run["title"]) >= 1
    for item in given["refused"]:
        assert item["reason"] in plain
    for part in (given["command"], given["check"], "by construction", "0.10.2"):
        assert part in plain


def test_hostile_text_stays_text():
    run = one_run(METHODS[0])
    run |= dict.fromkeys(("method", "family", "title", "status", "reason"), HOSTILE)
    run["calls"] = {HOSTILE: 3}
    run["trace"]["calls"] = {HOSTILE: run["trace"]["step"]}
    run["certificate"] |= dict.fromkeys(("quantity", "grade"), HOSTILE)
    given = race(
        runs=[run],
        refused=[{"method": HOSTILE, "reason": HOSTILE}],
        command=HOSTILE,
        check=HOSTILE,
        machine={HOSTILE: HOSTILE},
    )
    given["problem"] |= dict.fromkeys(("title", "objective", "name"), HOSTILE)
    given["problem"]["facts"] = {HOSTILE: [HOSTILE, HOSTILE]}
    text = render(given)
    page = Reader(text)
    assert page.wrong == [] and page.of("img") == [] and len(page.of("script")) == 2
    assert not any(k.startswith("on") for _, a in page.elements for k in a)
    assert data_of(text)[0]["runs"][0]["method"] == HOSTILE
    assert any(a.get("data-key") == HOSTILE for a in page.of("th"))


def test_embedded_numbers():
    value = {"a": [math.nan, math.inf, -math.inf, 1 / 3, 7], "b": "<&>\u2028"}
    text = embed(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {
        "a": [None, None, None, 0.333333, 7],
        "b": "<&>\u2028",
    }


def test_nan_sorts_last_and_reads_as_nan():
    text = render(race())
    heavy = next(r for r in data_of(text)[0]["runs"] if r["method"] == "heavy_ball")
    assert heavy["trace"]["ratio"][-3:] == [None, None, None]
    cells = re.findall(r'data-label="ratio" data-key="([^"]*)">([^<]*)<', text)
    assert ("", "NaN") in cells and len(cells) == 14
    assert all(math.isfinite(float(key)) for key, shown in cells if shown != "NaN")


def test_several_races_have_one_page(tmp_path):
    other = race(runs=[], refused=[])
    other["problem"] = {**other["problem"], "title": "Lasso on diabetes"}
    both = {"schema_version": 1, "races": [race(), other]}
    path = write_page(both, tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    assert text == render([race(), other])
    assert {"#race-0", "#race-1"} <= {a["href"] for a in Reader(text).of("a")}
    assert [len(one["runs"]) for one in data_of(text)] == [14, 0]


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="schema 2"):
        render(race(schema_version=2))
    with pytest.raises(ValueError, match="at least one race"):
        render([])


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_contrast(scheme):
    """WCAG: 4.5 for text on page and panel, 3 for the curves."""
    blocks = re.findall(r":root \{(.*?)\}", style_of(render(race())), re.S)[scheme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", blocks))
    for name in ("ink", "quiet", "link", "good", "open", "bad"):
        for ground in ("ground", "panel"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for i in range(7):
        assert contrast(colours[f"c{i}"], colours["ground"]) >= 3.0, i
