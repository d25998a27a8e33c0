"""What the end of the suite's log says."""

import shards

BAD = """
def test_good():
    assert True

def test_bad():
    assert [1] == [2], "the first line" + chr(10) + "and the second"
"""


def test_what_failed_is_named_beside_the_counts(tmp_path, capfd):
    (tmp_path / "test_one.py").write_text(BAD)
    assert shards.main(["-x"], tests=tmp_path) == 1
    *_, named, counted = capfd.readouterr().out.splitlines()
    assert counted == "1 passed, 1 failed, 0 skipped"
    assert named.startswith("FAILED") and "::test_bad: " in named
    assert "the first line" in named and "the second" not in named
