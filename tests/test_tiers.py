"""Which tests the default tier leaves out."""

from types import SimpleNamespace

import tiers


def test_every_listed_function_exists():
    """After a test is renamed or removed: `python tests/shards.py --retier`."""
    for names in tiers.listed().values():
        for name in names:
            path, _, function = name.partition("::")
            source = (tiers.ROOT / path).read_text(encoding="utf-8")
            assert f"def {function}(" in source, name


def test_the_first_case_stays_where_it_is_quick(tmp_path):
    junit = tmp_path / "a.xml"
    cases = {"test_a[1]": 0.1, "test_a[2]": 9, "test_b": 9, "test_c[1]": 9,
             "test_d": tiers.LIMIT}  # fmt: skip
    rows = "".join(
        f'<testcase classname="tests.parts.test_x" name="{k}" time="{v}"/>'
        for k, v in cases.items()
    )
    junit.write_text(f"<testsuites><testsuite>{rows}</testsuite></testsuites>")
    slow = tiers.chosen(tiers.times(junit))
    at = "tests/parts/test_x.py::test_"
    assert slow == {"none": [at + "b", at + "c"], "first": [at + "a"]}


def test_cases_are_marked_as_listed(monkeypatch):
    at = "tests/parts/test_x.py::"
    slow = {"none": [at + "test_b"], "first": [at + "test_a"]}
    monkeypatch.setattr(tiers, "listed", lambda: slow)
    marked = []
    path = tiers.ROOT / "tests/parts/test_x.py"
    items = [
        SimpleNamespace(
            path=path,
            name=f"{name}[{i}]",
            originalname=name,
            add_marker=lambda mark, at=(name, i): marked.append(at),
        )
        for name in ("test_a", "test_b", "test_c")
        for i in range(2)
    ]
    tiers.mark(items)
    assert marked == [("test_a", 1), ("test_b", 0), ("test_b", 1)]
