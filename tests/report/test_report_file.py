"""The one file about a run: what is in it, what is not, and that it runs again."""

import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.report.failure import as_report, described

rng = np.random.default_rng(11)
A, B = rng.normal(size=(30, 5)), rng.normal(size=30)

AGAIN = """
import sys, json, numpy as np, banach as bn

file, out = sys.argv[1:]
result = bn.reproduce(file)
verdict = bn.verify(file)
print(json.dumps([result.status, result.steps, result.reason, verdict.status]))
np.save(out, result.x)
"""


def failing(**options):
    """A run that ends uncertified, of float32 data and a start of its own."""
    problem = bn.Lasso(A.astype("float32"), B.astype("float32"), 2.0)
    options = {"tol": 1e-10, "max_steps": 40, "seed": 7} | options
    return bn.solve(problem, "lbfgs", start=np.ones(5, "float32"), **options)


def test_with_data_it_runs_again_in_a_fresh_process(tmp_path):
    result = failing()
    assert not result.certified
    file = result.report(tmp_path / "fails.json", data=True)
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, str(file), str(tmp_path / "x.npy")],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, steps, reason, verdict = json.loads(done.stdout)
    assert (status, steps, reason) == (result.status, result.steps, result.reason)
    assert verdict == "budget"
    x = np.load(tmp_path / "x.npy")
    assert x.dtype == np.float32 and np.array_equal(x, result.x)
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".json"] == ["fails.json"]
    said = json.loads(file.read_text())
    assert said["kind"] == "banach run" and said["report"]["attach"] == []
    assert bn.load(file).intact and "banach reproduce FILE" in said["report"]["again"]


@pytest.mark.parametrize("method", [None, "sgd", "scipy:L-BFGS-B", "anderson"])
def test_each_way_of_naming_a_method_runs_again(method, tmp_path):
    result = bn.solve(bn.Ridge(A, B, 2.0), method, tol=1e-14, max_steps=9, seed=3)
    file = result.report(tmp_path / "run.json", data=True)
    again = bn.reproduce(file)
    assert (again.label, again.status, again.steps) == (
        result.label,
        result.status,
        result.steps,
    )
    assert np.array_equal(again.x, result.x)


def test_a_tolerance_in_natural_units_and_a_check_come_back(tmp_path):
    result = bn.solve(
        bn.Ridge(A, B, 2.0), "gradient_descent", check="stationarity",
        tol=bn.Absolute(1e-12), max_steps=5,
    )  # fmt: skip
    again = bn.reproduce(result.report(tmp_path / "run.json", data=True))
    assert again.absolute and again.tol == 1e-12 and again.steps == 5
    assert again.check.name == result.check.name == "stationarity"


def test_without_consent_no_number_of_the_data_is_in_it(tmp_path):
    names = ["salary", "weight", "c", "d", "e"]
    y = np.where(B > 0, "sick", "well")
    problem = bn.LogisticRegression(A, y, 0.5, columns=names)
    start = rng.normal(size=6)
    result = bn.solve(problem, "lbfgs", start=start, tol=1e-12, max_steps=2)
    file = result.report(tmp_path / "run.json")
    text = file.read_text()
    said = json.loads(text)
    for secret in ("salary", "weight", "sick", 'well"', 'point"', 'problem": {"module'):
        assert secret not in text
    inner = np.sort(A.ravel())[1:-1]
    held = {float(v) for v in np.concatenate([inner, start, result.x.ravel()])}
    assert not held & set(numbers(said))
    assert said["kind"] == "report of a banach run" and said["status"] == result.status
    arrays = {a["name"]: a for a in said["report"]["problem"]["arrays"]}
    assert arrays[".A"]["shape"] == [30, 5] and arrays[".A"]["least"] == A.min()
    assert arrays[".A"]["condition"] == pytest.approx(np.linalg.cond(A))
    assert said["problem_id"] == result.problem_id
    assert any(
        "data=True" in v and result.problem_id in v for v in said["report"]["attach"]
    )
    assert any(v.startswith("the start: float64[6]") for v in said["report"]["attach"])
    assert len(said["trace"]["step"]) == len(result.trace)
    # Its reader is told; with the data and the start it is the same run.
    with pytest.raises(bn.Misuse, match="without the data"):
        bn.reproduce(file)
    with pytest.raises(bn.Misuse, match="a report without the data"):
        bn.verify(file)
    again = bn.reproduce(file, problem=problem, start=start)
    assert np.array_equal(again.x, result.x)
    with pytest.warns(UserWarning, match="had a start"):
        bn.reproduce(file, problem=problem)


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for v in value:
            yield from numbers(v)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def test_another_problem_is_told(tmp_path):
    file = failing().report(tmp_path / "run.json")
    other = bn.Lasso((2 * A).astype("float32"), B.astype("float32"), 2.0)
    with pytest.warns(UserWarning, match="not the problem of"):
        bn.reproduce(file, problem=other, start=np.ones(5, "float32"))


def test_no_folder_host_or_user_is_in_it(tmp_path, monkeypatch):
    home = tmp_path / "home of eve" / "secret_place"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    (home / "mine.py").write_text(
        "import jax.numpy as jnp, numpy as np, banach as bn\n"
        "easy = bn.Smooth(lambda x: jnp.sum((x - 1) ** 4), np.zeros(3))\n"
    )
    result = bn.solve(f"{home}/mine.py:easy", "lbfgs", tol=1e-14, max_steps=4)
    said = {
        "status": "failed",
        "message": f"see {home}/log.txt, /srv/data/a b/x.log or C:\\Users\\eve\\y.log",
    }
    result = result.replaced(peer=said)
    for data in (False, True):
        text = result.report(home / "r.json", data=data).read_text()
        for word in ("secret_place", "home of eve", str(tmp_path), "/srv", "Users"):
            assert word not in text
        report = json.loads(text)["report"]
        assert (
            any(v.startswith("mine.py, whose object 'easy'") for v in report["attach"])
            is data
        )
        assert json.loads(text)["peer"]["message"].startswith("see log.txt, ")
    assert "nodename" not in text and "hostname" not in text


def test_a_function_is_named_and_asked_for(tmp_path):
    problem = bn.Smooth(lambda x: jnp.sum((x - 1) ** 4), np.zeros(3))
    result = bn.solve(problem, "lbfgs", tol=1e-14, max_steps=4)
    file = result.report(tmp_path / "run.json", data=True)
    (attach,) = json.loads(file.read_text())["report"]["attach"]
    assert "the code that states the problem" in attach and "<lambda>" in attach
    again = bn.reproduce(file, problem=problem)
    assert again.steps == 4 and np.array_equal(again.x, result.x)


def test_a_built_in_problem_needs_no_consent(tmp_path):
    result = bn.solve("lasso:diabetes", "fista", max_steps=6)
    file = result.report(tmp_path / "run.json")
    said = json.loads(file.read_text())
    assert said["problem"] == {"zoo": "lasso:diabetes"} and not said["report"]["attach"]
    assert np.array_equal(bn.reproduce(file).x, result.x)


def test_a_lane_and_a_pickled_result_say_what_they_lack(tmp_path):
    import pickle

    lane = bn.solve_many([bn.Ridge(A, B, 1.0), bn.Ridge(A, -B, 1.0)], max_steps=2)[1]
    attach = as_report(lane, data=True)["report"]["attach"]
    assert any("bn.solve_many" in v for v in attach)
    smooth = bn.solve(bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2)), "lbfgs")
    bare = pickle.loads(pickle.dumps(smooth))
    attach = as_report(bare, data=True)["report"]["attach"]
    assert any("pickled without its functions" in v for v in attach)


def test_an_edited_report_is_refused(tmp_path):
    file = failing().report(tmp_path / "run.json", data=True)
    file.write_text(file.read_text().replace('"max_steps": 40', '"max_steps": 41'))
    with pytest.raises(bn.Misuse, match="edited"):
        bn.reproduce(file)
    assert bn.verify(file).status == "refuted"
    plain = failing().save(tmp_path / "plain.json")
    with pytest.raises(bn.Misuse, match="not a report"):
        bn.reproduce(plain)


def test_bad_arguments(tmp_path, monkeypatch):
    result = failing()
    with pytest.raises(bn.Misuse, match="data must be True or False"):
        result.report(tmp_path / "a.json", data="yes")
    with pytest.raises(bn.Misuse, match="JSON"):
        result.report(tmp_path / "a.txt")
    monkeypatch.chdir(tmp_path)
    path = result.report()
    assert path.name.startswith("banach-report-") and path.is_file()


def test_arrays_in_numbers():
    said = described(".A", np.array([[1.0, 0.0], [0.0, -4.0]]))
    assert said["condition"] == 4 and said["rank"] == 2 and said["zeros"] == 2
    assert (said["least"], said["greatest"], said["least_nonzero"]) == (-4, 1, 1)
    assert said["column_norms"] == [1, 4]
    odd = described(".b", np.array([np.nan, np.inf, 2.0, 3.0]))
    assert odd["not_finite"] == 2 and odd["least"] == 2
    low = described(".A", np.ones((3, 2)))
    assert low["rank"] == 1
    assert described(".n", np.zeros((0, 2)))["shape"] == [0, 2]
    # Of two entries the range would be the data.
    assert set(described(".w", np.ones(2))) == {"name", "shape", "dtype"}
