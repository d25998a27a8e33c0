"""Tables and labels: read exactly, or refused with the line that mends them.

Every test runs on a small table class of its own, which offers the protocol and
nothing more, and on pandas and polars where they are installed.
"""

import ast
import copy
import importlib.util
import json
import pickle
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import dataframes, save
from banach.core.problem import Misuse

RNG = np.random.default_rng(3)
N = 24
AGE = RNG.integers(20, 60, N) - 40
SIZE = RNG.normal(size=N)
FIT = RNG.normal(size=N) > 0
DATA = {"age": AGE, "size": SIZE, "fit": FIT}
MATRIX = np.column_stack([AGE, SIZE, FIT]).astype(float)
Y = 0.02 * AGE + SIZE - FIT + 0.1 * RNG.normal(size=N)


class Column:
    """A column: a dtype, holes, labels of rows, and its way to NumPy."""

    def __init__(self, values, index=None):
        self.values, self._index = np.asarray(values), index

    @property
    def dtype(self):
        return self.values.dtype

    @property
    def index(self):
        return self._index

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)

    def to_numpy(self):
        return np.array(self.values)

    def isna(self):
        return np.array([v is None or v != v for v in self.values.tolist()])


class Table:
    """Columns by name."""

    def __init__(self, columns, index=None):
        self.held = {k: Column(v, index) for k, v in columns.items()}
        self._index = index

    @property
    def columns(self):
        return list(self.held)

    @property
    def dtypes(self):
        return [c.dtype for c in self.held.values()]

    @property
    def index(self):
        return self._index

    def __array__(self, dtype=None, copy=None):
        return np.column_stack([np.asarray(c) for c in self.held.values()])

    def __getitem__(self, key):
        if isinstance(key, list):
            return Table({k: self.held[k].values for k in key}, self.index)
        return self.held[key]


def made(library, columns, index=None):
    """A table of a library, row labels where it has such."""
    if library == "tiny":
        return Table(columns, index)
    module = pytest.importorskip(library)
    if library == "pandas":
        return module.DataFrame(columns, index=index)
    return module.DataFrame(columns)


def column(library, values, index=None):
    if library == "tiny":
        return Column(values, index)
    module = pytest.importorskip(library)
    return module.Series(values, index=index) if index else module.Series(values)


def run(line, library, **names):
    """The line of code of a message, executed; the names as it leaves them."""
    if library == "polars":
        names["pl"] = pytest.importorskip("polars")
    names["pd"] = pytest.importorskip("pandas") if library == "pandas" else None
    exec(line, names)
    return names


@pytest.fixture(params=["tiny", "pandas", "polars"])
def library(request):
    if request.param != "tiny":
        pytest.importorskip(request.param)
    return request.param


def test_numbers_and_truth_are_read_as_an_array_of_them(library):
    frame = made(library, DATA)
    told = bn.Ridge(frame, column(library, Y), 1.0, intercept=True)
    plain = bn.Ridge(MATRIX, Y, 1.0, intercept=True)
    np.testing.assert_array_equal(told.A, plain.A)
    np.testing.assert_array_equal(told.y, plain.y)
    assert told.columns == ("age", "size", "fit") and plain.columns == ()
    told.validate()
    narrow = {k: np.asarray(v, np.float32) for k, v in DATA.items()}
    assert bn.Ridge(made(library, narrow), Y.astype(np.float32)).A.dtype == np.float32
    half = bn.Ridge(MATRIX, Y, sample_weight=column(library, np.ones(N, int)))
    np.testing.assert_array_equal(half.weight, np.ones(N))


def test_coefficients_are_named_and_predictions_go_by_name(library):
    frame = made(library, DATA)
    result = bn.solve(bn.Ridge(frame, Y, 1.0, intercept=True)).require()
    coef = result.coef
    assert list(coef) == ["age", "size", "fit"] and len(coef) == 3
    np.testing.assert_array_equal(np.asarray(coef), result.x[:-1])
    assert coef["size"] == result.x[1] and result.intercept == result.x[3]
    assert coef.to_dict() == dict(coef)
    lines = repr(coef).splitlines()
    assert [line.split() for line in lines] == [
        [k, f"{v:.6g}"] for k, v in coef.items()
    ]
    with pytest.raises(KeyError, match="'age', 'size', 'fit'"):
        coef["weight"]
    swapped = made(library, {k: DATA[k][:5] for k in ("fit", "age", "size")})
    means = result.predict(swapped)
    np.testing.assert_allclose(means, MATRIX[:5] @ result.x[:3] + result.x[3], 1e-14)
    np.testing.assert_array_equal(means, result.problem.predict(result.x, MATRIX[:5]))
    again = pickle.loads(pickle.dumps(result))
    assert again.coef.to_dict() == coef.to_dict()
    if library == "pandas":
        pd = pytest.importorskip("pandas")
        assert pd.Series(coef).to_dict() == coef.to_dict()


BAD_NEW = {
    "missing": (("age", "fit"), "lacks the columns 'size'"),
    "extra": (("age", "fit", "size", "day"), r"columns 'day'.*new\[list\("),
}


@pytest.mark.parametrize("case", BAD_NEW)
def test_other_columns_are_refused(library, case):
    names, words = BAD_NEW[case]
    model = bn.Ridge(made(library, DATA), Y, 1.0)
    new = made(library, {k: DATA.get(k, SIZE) for k in names})
    with pytest.raises(Misuse, match=words):
        model.predict(np.zeros(3), new)
    if case == "extra":
        line = "out = " + re.search(r"new\[.*\]", _said(model, new)).group()
        names = run(line, library, new=new, problem=model)
        np.testing.assert_array_equal(model.predict(np.ones(3), names["out"]),
                                      MATRIX @ np.ones(3))  # fmt: skip


def _said(model, new):
    with pytest.raises(Misuse) as caught:
        model.predict(np.zeros(3), new)
    return str(caught.value)


def test_new_rows_of_another_form_are_refused():
    named = bn.Ridge(made("tiny", DATA), Y, 1.0)
    plain = bn.Ridge(MATRIX, Y, 1.0)
    with pytest.raises(Misuse, match=r"new\.to_numpy\(\)"):
        plain.predict(np.zeros(3), made("tiny", DATA))
    with pytest.raises(Misuse, match=r"\[None, :\]"):
        named.predict(np.zeros(3), MATRIX[0])
    with pytest.raises(Misuse, match="2 columns and the model 3"):
        named.predict(np.zeros(3), MATRIX[:, :2])
    with pytest.raises(Misuse, match=r"\(2,\).*\(3,\)"):
        named.predict(np.zeros(2), MATRIX)
    with pytest.raises(Misuse, match="no probabilities"):
        named.predict_proba(np.zeros(3), MATRIX)


def test_text_is_refused_with_the_line_that_encodes_it(library):
    frame = made(library, DATA | {"city": ["Rome", "Oslo"] * (N // 2)})
    with pytest.raises(Misuse, match="columns of text or categories, 'city'") as caught:
        bn.Ridge(frame, Y)
    if library == "tiny":
        return
    line = re.search(r"A = .*", str(caught.value)).group()
    encoded = bn.Ridge(run(line, library, A=frame)["A"], Y)
    # One of the two levels is the other's complement, and is left out.
    *own, level = encoded.columns
    assert own == ["age", "size", "fit"] and level in ("city_Oslo", "city_Rome")
    there = [f"city_{city}" == level for city in ["Rome", "Oslo"] * (N // 2)]
    np.testing.assert_array_equal(encoded.A[:, 3], there)


def test_categories_of_numbers_are_no_numbers():
    pd = pytest.importorskip("pandas")
    frame = made("pandas", DATA).astype({"age": "category"})
    with pytest.raises(Misuse, match=r"get_dummies\(A, columns=\['age'\]"):
        bn.Ridge(frame, Y)
    with pytest.raises(Misuse, match="text or categories"):
        bn.Ridge(MATRIX, pd.Series(AGE, dtype="category"))
    labels = pd.Series(FIT + 3, dtype="category")
    assert bn.LogisticRegression(MATRIX, labels).classes == (3, 4)


def test_dates_and_objects_are_refused_with_their_lines():
    pd = pytest.importorskip("pandas")
    days = pd.date_range("2024-02-27", periods=N)
    objects = [*map(float, SIZE)]
    for column_, line, want in [
        (days, r"A\['c'\] = .*", np.arange(N) * 86400.0),
        (days - days[0], r"A\['c'\] = .*", np.arange(N) * 86400.0),
        (pd.Series(objects, dtype=object), "A = .*", SIZE),
    ]:
        frame = pd.DataFrame({"size": SIZE, "c": column_})
        with pytest.raises(Misuse, match="'c'") as caught:
            bn.Ridge(frame, Y)
        mended = run(re.search(line, str(caught.value)).group(), "pandas", A=frame)
        np.testing.assert_array_equal(bn.Ridge(mended["A"], Y).A[:, 1], want)


def test_dates_of_polars_are_refused_with_their_lines():
    pl = pytest.importorskip("polars")
    days = np.datetime64("2024-02-27", "ms") + np.arange(N) * 86_400_000
    for values, want in [
        (pl.Series(days), np.arange(N) * 86400.0),
        (pl.Series(days - days[0]), np.arange(N) * 86400.0),
        (pl.Series(AGE).cast(pl.Decimal(10, 2)), AGE),
    ]:
        frame = pl.DataFrame({"size": SIZE, "c": values})
        with pytest.raises(Misuse, match="'c'") as caught:
            bn.Ridge(frame, Y)
        mended = run(re.search("A = .*", str(caught.value)).group(), "polars", A=frame)
        np.testing.assert_array_equal(bn.Ridge(mended["A"], Y).A[:, 1], want)
    with pytest.raises(Misuse, match=r"A\.collect\(\)"):
        bn.Ridge(frame.lazy(), Y)


def test_missing_cells_are_named(library):
    size = SIZE.copy()
    size[[4, 9]] = np.nan
    labels = [f"r{i}" for i in range(N)] if library != "polars" else None
    frame = made(library, DATA | {"size": size}, labels)
    row = "4" if labels is None else "'r4'"
    words = f"2 missing values, first at row {row}, column 'size'; row "
    with pytest.raises(Misuse, match=words) as caught:
        bn.Ridge(frame, Y)
    if library != "tiny":
        keep = re.search(r"keep = .*?(?=, then)", str(caught.value)).group()
        keep = run(keep, library, A=frame)["keep"]
        kept = frame[keep] if library == "pandas" else frame.filter(keep)
        assert bn.Ridge(kept, Y[np.asarray(keep)]).A.shape == (N - 2, 3)
    with pytest.raises(Misuse, match="2 missing values, first at row 4, 9"):
        bn.Ridge(MATRIX, column(library, size))


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_nullable_columns_are_read_and_their_holes_named(dtype):
    pd = pytest.importorskip("pandas")
    whole = pd.Series(FIT.astype(int)).astype(dtype)
    frame = pd.DataFrame({"fit": whole, "size": SIZE})
    np.testing.assert_array_equal(bn.Ridge(frame, Y).A[:, 0], FIT)
    frame.loc[7, "fit"] = pd.NA
    with pytest.raises(Misuse, match="1 missing value, first at row 7, column 'fit'"):
        bn.Ridge(frame, Y)


def test_nulls_of_polars_are_named():
    pl = pytest.importorskip("polars")
    for values in ([1, None], [0.5, None], [True, None], [None, None]):
        with pytest.raises(Misuse, match="row 1, column 'a'|row 0, column 'a'"):
            bn.Ridge(pl.DataFrame({"a": values}), [1.0, 2.0])
    with pytest.raises(Misuse, match=r"row 1, .*y\.is_not_null\(\)"):
        bn.LogisticRegression(MATRIX[:2], pl.Series("y", ["a", None]))


ABSENT = {
    "None": ["no", None], "NaN": ["no", np.nan], "NaT": ["no", np.datetime64("NaT")],
    "object": np.array(["no", np.nan], object), "only None": [None, None],
}  # fmt: skip


@pytest.mark.parametrize("case", ABSENT)
def test_missing_labels_are_named(case):
    with pytest.raises(Misuse, match=r"missing values?, first at index \[[01]\]"):
        bn.LogisticRegression(MATRIX[:2], ABSENT[case])


NO_LABELS = {
    "bytes": np.where(SIZE > 0, b"yes", b"no"),
    "list of bytes": [b"yes" if v > 0 else b"no" for v in SIZE],
    "objects of bytes": np.where(SIZE > 0, b"yes", b"no").astype(object),
    "text and bytes": ["yes" if v > 0 else b"no" for v in SIZE],
    "text and numbers": ["yes" if v > 0 else 0 for v in SIZE],
    "objects of both": np.array(["yes" if v > 0 else 0 for v in SIZE], object),
    "text and truth": np.array(["yes" if v > 0 else False for v in SIZE], object),
    "pairs": np.fromiter(((1, 2) if v > 0 else (3, 4) for v in SIZE), object),
    "days": np.where(SIZE > 0, np.datetime64("2020-01-01"), np.datetime64("2021")),
    "floats in objects": np.where(SIZE > 0, 1.0, 2.0).astype(object),
}


@pytest.mark.parametrize("case", NO_LABELS)
@pytest.mark.parametrize("name", ["LogisticRegression", "SoftmaxRegression"])
def test_labels_of_another_sort_name_the_line_that_makes_them_such(name, case):
    y, state = NO_LABELS[case], getattr(bn, name)
    with pytest.raises(Misuse, match="text or whole numbers") as e:
        state(MATRIX, y)
    line = re.search(r"pass (.*)$", str(e.value)).group(1)
    model = state(MATRIX, eval(line, {"np": np, "y": y}))
    turned = model.y.astype(float) if name == "LogisticRegression" else model.y
    up = np.asarray([v == y[int(np.argmax(SIZE))] for v in y])
    assert len(np.unique(turned[SIZE > 0])) == 1 == len(np.unique(turned[SIZE <= 0]))
    assert up.sum() == (SIZE > 0).sum()


@pytest.mark.parametrize("labels", [{"no", "yes"}, {0: "no"}, iter(["no", "yes"])])
def test_labels_that_are_no_list_are_refused(labels):
    with pytest.raises(Misuse, match="pass a list of labels, one a row"):
        bn.LogisticRegression(MATRIX[:2], labels)


def test_missing_text_is_named():
    text = np.array(["no", None], np.dtypes.StringDType(na_object=None))
    with pytest.raises(Misuse, match=r"1 missing value, first at index \[1\]"):
        bn.LogisticRegression(MATRIX[:2], text)


def test_missing_days_are_no_labels():
    days = np.array(["2020-01-01", "NaT"], "M8[D]")
    with pytest.raises(Misuse, match=r"1 missing value, first at index \[1\]"):
        bn.LogisticRegression(MATRIX[:2], days)


@pytest.mark.parametrize("case", ["turned", "one side", "by place"])
def test_labels_that_name_several_rows_have_a_cure_that_works(case):
    pandas = pytest.importorskip("pandas")
    rows = [0, 0, *range(2, N)]
    frame = pandas.DataFrame(DATA, index=rows)
    y = pandas.Series(Y, index=rows[::-1] if case == "turned" else range(N))
    if case == "by place":
        frame, y = frame.reset_index(drop=True), pandas.Series(Y, index=rows)
    with pytest.raises(Misuse, match="the label 0 names several rows") as e:
        bn.Ridge(frame, y, l2=1.0)
    assert ".loc" not in str(e.value) and "join" not in str(e.value)
    line = re.search(r"pass (y\.\S*)", str(e.value)).group(1)
    model = bn.Ridge(frame, run(f"y = {line}", "pandas", y=y)["y"], l2=1.0)
    np.testing.assert_array_equal(model.y, Y)
    y.index = frame.index
    np.testing.assert_array_equal(bn.Ridge(frame, y, l2=1.0).y, Y)


def test_labels_that_are_missing_on_both_sides_are_the_same():
    pandas = pytest.importorskip("pandas")
    rows = [np.nan, "a", *range(2, N)]
    frame = pandas.DataFrame(DATA, index=rows)
    y = pandas.Series(Y, index=[np.nan, "b", *range(2, N)])
    with pytest.raises(Misuse, match="first at row 1: 'a' and 'b'"):
        bn.Ridge(frame, y, l2=1.0)


@pytest.mark.parametrize("what", ["y", "sample_weight", "offset"])
@pytest.mark.parametrize("library", ["tiny", "pandas"])
def test_rows_in_another_order_are_refused(library, what):
    rows = [f"r{i}" for i in range(N)]
    frame = made(library, DATA, rows)
    turned = column(library, Y[::-1] ** 2, rows[::-1])
    given = {"b": Y} | {"b" if what == "y" else what: turned}
    with pytest.raises(
        Misuse, match=rf"{what}.*row 0: 'r0' and 'r23'.*other order"
    ) as e:
        bn.Ridge(frame, l2=1.0, **given)
    if library == "pandas":
        line = re.search(rf"{what} = [^;]*", str(e.value)).group()
        mended = run(line, library, A=frame, **{what: turned})[what]
        key = "b" if what == "y" else what
        model = bn.Ridge(frame, l2=1.0, **(given | {key: mended}))
        stored = {"y": model.y, "sample_weight": model.weight, "offset": model.offset}
        np.testing.assert_array_equal(stored[what], Y**2)
    same = bn.Ridge(frame, column(library, Y, rows), sample_weight=np.ones(N))
    np.testing.assert_array_equal(same.y, Y)
    with pytest.raises(Misuse, match="not the same rows"):
        bn.Ridge(frame, column(library, Y, [f"s{i}" for i in range(N)]))


def test_a_table_in_the_place_of_a_column_is_refused(library):
    with pytest.raises(Misuse, match=r"pass one column, y\['age'\]"):
        bn.Ridge(MATRIX, made(library, DATA))
    with pytest.raises(Misuse, match=r"pass one column, y\['age'\]"):
        bn.LogisticRegression(MATRIX, made(library, DATA))


NAMES = {
    "twice": (["a", "a", "b"], "two columns 'a'"),
    "too few": (["a", "b"], "2 names and A has 3 columns"),
    "numbers": ([1.5, 2.0, 3.0], "text or whole numbers"),
    "text": ("abc", "text or whole numbers"),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_of_columns_are_one_each(case):
    names, words = NAMES[case]
    with pytest.raises(Misuse, match=words):
        bn.Ridge(MATRIX, Y, columns=names)
    assert bn.Ridge(MATRIX, Y, columns=range(3)).columns == ()
    assert bn.Ridge(MATRIX, Y, columns=np.array([2, 0, 1])).columns == (2, 0, 1)
    with pytest.raises(Misuse, match="names of its own"):
        bn.Ridge(made("tiny", DATA), Y, columns=["a", "b", "c"])


SIDE = SIZE + 0.4 * FIT > 0
LABELS = {
    "text": np.where(SIDE, "yes", "no"),
    "list": ["yes" if s else "no" for s in SIDE],
    "objects": np.where(SIDE, "yes", "no").astype(object),
    "truth": SIDE,
    "truths": list(map(bool, SIDE)),
    "signs": np.where(SIDE, 1, -1),
    "bits": SIDE.astype(int),
    "whole": np.where(SIDE, 20, 3),
    "JAX's": jnp.asarray(SIDE),
    "small": np.where(SIDE, 2, 1).astype(np.uint8),
}
MODELS = {
    "LogisticRegression": {},
    "SparseLogisticRegression": {"lam": 0.1},
    "SoftmaxRegression": {},
    "SquaredHingeClassifier": {},
}


@pytest.mark.parametrize("name", MODELS)
def test_labels_of_any_type_come_back(name):
    state = getattr(bn, name)
    first = state(MATRIX, LABELS["text"], **MODELS[name])
    x = np.asarray(bn.solve(first).require().x)
    for kind, labels in LABELS.items():
        model = state(MATRIX, labels, **MODELS[name])
        model.validate()
        # The greater label is the second class, whatever its type.
        np.testing.assert_array_equal(model.y, first.y)
        got = model.predict(x, MATRIX)
        given = np.asarray(list(labels)).dtype.kind
        assert got.dtype.kind == given.replace("u", "i"), kind
        assert np.mean(got == np.asarray(labels)) > 0.9, kind
        assert model.labels() == tuple(np.unique(labels).tolist()), kind
        if name == "SquaredHingeClassifier":
            continue
        chance = model.predict_proba(x, MATRIX)
        np.testing.assert_allclose(chance.sum(axis=1), 1, rtol=1e-14)
        second = got == model.labels()[1]
        np.testing.assert_array_equal(chance.argmax(axis=1) == 1, second)
    if name == "SquaredHingeClassifier":
        with pytest.raises(Misuse, match="SquaredHingeLoss gives no probabilities"):
            first.predict_proba(x, MATRIX)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_labels_come_back(library):
    module = pytest.importorskip(library)
    text = LABELS["text"].tolist()
    typed = [module.Series(text), module.Series(LABELS["truth"])]
    if library == "pandas":
        typed += [module.Series(text, dtype=d) for d in ("category", "string", object)]
        typed += [module.Categorical(text), module.Series(SIDE + 1, dtype="Int64")]
    else:
        typed += [module.Series(text, dtype=module.Categorical)]
        typed += [module.Series(text, dtype=module.Enum(["yes", "no"]))]
    for labels in typed:
        model = bn.LogisticRegression(MATRIX, labels)
        np.testing.assert_array_equal(model.y, np.where(SIDE, 1.0, -1.0))
        assert model.classes in (("no", "yes"), (False, True), (1, 2))


def test_probabilities_of_extreme_margins_are_exact():
    model = bn.LogisticRegression(np.ones((2, 1)), [0, 1], intercept=False)
    chance = model.predict_proba(np.ones(1), np.array([[40.0], [-800.0]]))
    np.testing.assert_allclose(chance[0, 0], np.exp(-40.0), rtol=1e-12)
    np.testing.assert_array_equal(chance[1], [1.0, 0.0])
    three = bn.SoftmaxRegression(np.ones((3, 1)), list("abc"), intercept=False)
    chance = three.predict_proba(np.array([[900.0, 0.0, 899.0]]), np.ones((1, 1)))
    np.testing.assert_allclose(
        chance[0], [1 / (1 + np.exp(-1)), 0, 1 / (1 + np.exp(1))], rtol=1e-14
    )


def test_many_classes_name_rows_and_columns_of_the_coefficients():
    labels = np.array(["low", "mid", "top"])[np.digitize(SIZE, [-0.4, 0.4])]
    model = bn.SoftmaxRegression(made("tiny", DATA), labels)
    result = bn.solve(model).require()
    assert list(result.coef["size"]) == ["low", "mid", "top"]
    assert result.coef["size"]["top"] == result.x[1, 2]
    assert result.coef.to_dict()["fit"]["low"] == result.x[2, 0]
    np.testing.assert_array_equal(np.asarray(result.coef), result.x[:-1])
    np.testing.assert_array_equal(np.asarray(result.intercept), result.x[-1])
    assert repr(result.coef).splitlines()[0].split() == ["low", "mid", "top"]
    assert np.mean(result.predict(made("tiny", DATA)) == labels) > 0.8


def test_means_of_counts_and_offsets():
    counts = np.round(np.exp(0.5 + SIZE / 4))
    exposure = np.linspace(-0.2, 0.2, N)
    model = bn.PoissonRegression(MATRIX, counts, 1.0, offset=exposure)
    x = np.array([0.01, 0.2, -0.1, 0.4])
    want = np.exp(MATRIX @ x[:3] + x[3] + exposure)
    np.testing.assert_allclose(model.predict(x, MATRIX, offset=exposure), want, 1e-14)
    with pytest.raises(Misuse, match="offset of the new rows|that of the new rows"):
        model.predict(x, MATRIX)
    with pytest.raises(Misuse, match="drop offset="):
        bn.Ridge(MATRIX, Y).predict(x[:3], MATRIX, offset=exposure)


def test_a_run_read_back_answers_as_the_fresh_one(tmp_path):
    state = bn.LogisticRegression(made("tiny", DATA), LABELS["text"])
    fresh = bn.solve(state).require()
    fresh.save(tmp_path / "run.json")
    back = bn.load(tmp_path / "run.json")
    assert list(back.coef) == list(fresh.coef) == list(DATA)
    assert dict(back.coef) == dict(fresh.coef) and back.intercept == fresh.intercept
    new = made("tiny", DATA)
    np.testing.assert_array_equal(back.predict(new), fresh.predict(new))
    chances = back.predict_proba(new)
    np.testing.assert_array_equal(chances, fresh.predict_proba(new))
    for word in ("status", "certified", "steps", "nit", "success", "certificate"):
        with pytest.raises(AttributeError, match=r"bn\.verify\(file\) judges"):
            getattr(back, word)
    with pytest.raises(AttributeError, match=r"here it is \.coef"):
        back.coef_
    with pytest.raises(AttributeError, match=r"no field 'nonsense'; it has problem, x"):
        back.nonsense
    assert not hasattr(back, "score") and copy.copy(back).x is back.x


def test_a_run_read_back_without_coefficients_says_so(tmp_path):
    bn.solve("beale").save(tmp_path / "run.json")
    back = bn.load(tmp_path / "run.json")
    with pytest.raises(AttributeError, match="Smooth has no coef"):
        back.coef
    with pytest.raises(Misuse, match="Smooth predicts nothing"):
        back.predict(MATRIX)


def test_saved_runs_keep_names_and_labels(tmp_path):
    model = bn.LogisticRegression(made("tiny", DATA), LABELS["text"])
    result = bn.solve(model).require()
    path = tmp_path / "run.json"
    result.save(path)
    back = bn.load(path)
    assert back.problem.columns == ("age", "size", "fit")
    assert back.problem.labels() == ("no", "yes")
    new = made("tiny", {k: DATA[k] for k in ("size", "fit", "age")})
    np.testing.assert_array_equal(back.problem.predict(back.x, new),
                                  result.predict(new))  # fmt: skip
    assert bn.verify(path).certified
    said = [v.split() for v in str(result).splitlines() if "classes" in v]
    assert said == ["classes 'no' where z < 0, 'yes' where z > 0".split()]
    for names in (["age", "size"], ["age", "age", "fit"], ["age", 1.5, "fit"], None):
        saved = json.loads(path.read_text())
        coded = None if names is None else {"tuple": names}
        saved["problem"]["module"]["fields"]["columns"] = coded
        path.with_name("edited.json").write_text(json.dumps(save.seal(saved)))
        with pytest.raises(Misuse):
            bn.load(path.with_name("edited.json"))
    saved = json.loads(path.read_text())
    renamed = {"tuple": ["size", "age", "fit"]}
    saved["problem"]["module"]["fields"]["columns"] = renamed
    path.with_name("edited.json").write_text(json.dumps(saved))
    assert bn.verify(path.with_name("edited.json")).status == "refuted"


def test_stacks_keep_names(library):
    frame = made(library, DATA)
    targets = np.stack([Y, 2 * Y])
    many = bn.Ridge.stack(frame, targets, 1.0)
    listed = bn.stack([bn.Ridge(frame, t, 1.0) for t in targets])
    assert many.treedef == listed.treedef
    assert many[1].columns == ("age", "size", "fit")
    results = bn.solve_many(many)
    assert list(results[1].coef) == ["age", "size", "fit"]
    np.testing.assert_allclose(results[1].coef["size"], 2 * results[0].coef["size"])
    named = bn.Ridge.stack(MATRIX, targets, 1.0, columns=["age", "size", "fit"])
    assert named.treedef == many.treedef
    plain = bn.GLM.stack(MATRIX, targets, bn.SquaredLoss(), columns=["x", "y", "z"])
    assert plain[1].columns == ("x", "y", "z")
    with pytest.raises(Misuse, match=r"y.*\.to_numpy\(\)\.T|b.*\.to_numpy\(\)\.T"):
        bn.Ridge.stack(frame, frame, 1.0)


FORMS = {
    "column": (lambda: Column(Y), r"A\.to_frame\(\)"),
    "dict": (lambda: dict(DATA), r"columns=\[\*A\]"),
    "bunch": (lambda: {"data": MATRIX, "target": Y}, r"pass A\['data'\]"),
    "records": (lambda: np.zeros(N, [("a", "f8"), ("b", "i4")]),
                r"a, b; pass numpy\.lib\.recfunctions"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORMS)
def test_other_forms_of_a_table_name_the_cure(case):
    make, words = FORMS[case]
    with pytest.raises(Misuse, match=words):
        bn.Ridge(make(), Y)
    with pytest.raises(Misuse, match=r"pass y\[:, 0\]"):
        bn.Ridge(MATRIX, Y[:, None])


def test_columns_of_several_numbers_a_row_are_refused():
    pl = pytest.importorskip("polars")
    for held in ([{"u": 1}, {"u": 2}], [[1.0], [2.0]]):
        with pytest.raises(Misuse, match=r"columns of objects, 'a'.*A\.drop"):
            bn.Ridge(pl.DataFrame({"a": held}), [1.0, 2.0])


def test_a_memmap_is_an_array(tmp_path):
    held = np.memmap(tmp_path / "A.dat", np.float64, "w+", shape=MATRIX.shape)
    held[:] = MATRIX
    model = bn.Ridge(held, Y, 1.0)
    assert type(model.A) is np.ndarray
    np.testing.assert_array_equal(model.A, MATRIX)


def test_other_kinds_read_tables_as_arrays(library):
    frame, y = made(library, {"a": [2.0, 1.0], "b": [1, 3]}), column(library, [1, 2])
    x = bn.solve(bn.Linear(frame, y), tol=1e-10).require().x
    np.testing.assert_allclose(x, np.linalg.solve([[2, 1], [1, 3]], [1, 2]), 1e-8)
    r = bn.solve(bn.least_squares(lambda c, A, b: A @ c - b, np.zeros(2), (frame, y)))
    np.testing.assert_allclose(r.require().x, x, rtol=1e-5)
    start = bn.Smooth(lambda v: jnp.sum(v**2), column(library, [1.0, 2.0]))
    np.testing.assert_array_equal(start.x0, [1.0, 2.0])


def test_a_network_predicts_at_new_rows():
    model = bn.ConvexRelu(
        MATRIX[:6, 1:], LABELS["text"][:6], 0.1, loss=bn.LogisticLoss()
    )
    x = np.asarray(RNG.normal(size=model.space().shape))
    network = model.to_network(x)
    z = np.asarray(network(MATRIX[6:, 1:]))
    want = np.where(z > 0, "yes", "no")
    np.testing.assert_array_equal(model.predict(x, MATRIX[6:, 1:]), want)


def test_what_has_no_coefficients_says_so():
    result = bn.minimize(lambda x: jnp.sum((x - 1) ** 2), np.zeros(2))
    assert not hasattr(result, "coef")
    with pytest.raises(AttributeError, match=r"Smooth has no intercept.*result\.x"):
        result.intercept
    with pytest.raises(Misuse, match="predicts nothing"):
        result.predict(MATRIX)


def test_whole_numbers_beside_floats_are_exact(library):
    big = {"a": np.array([2**53 + 1, 1]), "b": np.array([0.5, 1.0])}
    with pytest.raises(Misuse, match=r"A\['a'\].*9007199254740993.*round"):
        bn.Ridge(made(library, big), [1.0, 2.0])
    fine = made(library, big | {"a": np.array([2**60, 1])})
    assert bn.Ridge(fine, [1.0, 2.0]).A[0, 0] == 2.0**60


def test_no_library_of_tables_is_imported():
    source = Path(dataframes.__file__).parents[1]
    for file in source.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names]
                names.append(getattr(node, "module", None) or "")
                roots = {n.partition(".")[0] for n in names}
                assert not roots & {"pandas", "polars", "pyarrow", "xarray"}, file


@pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
def test_tables_of_pyarrow():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({k: pa.array(v) for k, v in DATA.items()})
    model = bn.Ridge(table, pa.array(Y), 1.0)
    np.testing.assert_array_equal(model.A, MATRIX)
    assert model.columns == ("age", "size", "fit")
    x = np.arange(3.0)
    np.testing.assert_array_equal(
        model.predict(x, table.select(["fit", "size", "age"])), MATRIX @ x
    )
    with pytest.raises(Misuse, match=r"row 1, column 'a'.*to_pandas"):
        bn.Ridge(pa.table({"a": [1, None]}), [1.0, 2.0])
    with pytest.raises(Misuse, match=r"'c'.*to_pandas"):
        bn.Ridge(pa.table({"c": ["u", "v"]}), [1.0, 2.0])


def test_ordered_categories_keep_their_order():
    pd = pytest.importorskip("pandas")
    x = np.array([[0.0], [1.0], [2.0], [3.0], [1.5], [2.5]])
    said = ["no event", "no event", "event", "event", "event", "no event"]
    plain = bn.LogisticRegression(x, pd.Series(said), l2=1.0)
    order = pd.Categorical(said, categories=["no event", "rare", "event"], ordered=True)
    ordered = bn.LogisticRegression(x, pd.Series(order), l2=1.0)
    assert plain.labels() == ("event", "no event")
    assert ordered.labels() == ("no event", "event")
    a, b = (bn.solve(p, tol=1e-10).x for p in (plain, ordered))
    np.testing.assert_allclose(a, -b, atol=1e-6)


def test_cures_for_levels_name_what_a_model_needs():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"age": [1.0, 2, 3, 4], "site": ["a", "b", "c", "a"]})
    y = np.array([1.0, 2, 3, 5])
    with pytest.raises(bn.Misuse, match="drop_first=True"):
        bn.Ridge(table, y, l2=0.1)
    wide = pd.get_dummies(table, columns=["site"], dtype=float, drop_first=True)
    problem = bn.Ridge(wide, y, l2=0.1)
    result = bn.solve(problem)
    new = pd.get_dummies(table.head(1), columns=["site"], dtype=float)[["age"]]
    with pytest.raises(bn.Misuse, match="fill_value=0") as told:
        result.predict(new)
    assert "reindex(columns=list(problem.columns)" in str(told.value)
    with pytest.raises(bn.Misuse) as told:
        result.predict(wide.head(1).drop(columns="age"))
    assert "fill_value" not in str(told.value)
