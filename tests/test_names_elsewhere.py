"""Names of other libraries: every one leads to what it is called here."""

import inspect
import re

import pytest

import banach as bn
from banach import catalogue, names_elsewhere
from banach.bridge import optax, optimistix, scipy, sklearn
from banach.core.problem import Misuse
from banach.doors import defaults

NAMES = {
    "scipy": tuple(scipy.ALGORITHMS),
    "optax": optax.names(),
    "optimistix": optimistix.NAMES,
    "sklearn": tuple(sklearn.LADDERS),
}


@pytest.mark.parametrize("peer", NAMES)
def test_the_lists_are_those_of_the_bridges(peer):
    assert names_elsewhere.PEERS[peer] == NAMES[peer]
    assert list(names_elsewhere.PEERS) == list(NAMES)


ALL = [f"{peer}:{name}" for peer, names in NAMES.items() for name in names]


@pytest.mark.parametrize("full", ALL)
def test_every_algorithm_of_a_peer_is_found_by_its_bare_name(full):
    index = catalogue.load_index()
    bare = full.partition(":")[2]
    for spelled in (bare, bare.upper(), bare.replace("-", "").lower()):
        if spelled in index:
            continue
        with pytest.raises(catalogue.UnknownMethod) as error:
            catalogue.find(spelled)
        said = str(error.value)
        assert full in said or full.replace("optax", "scipy") in said, said


OTHERS = {
    "adam": "optax:adam", "BFGS": "bfgs or scipy:BFGS",
    "trf": "levenberg_marquardt", "hybr": "powell_hybrid",
    "LM": "levenberg_marquardt", "df-sane": "broyden", "ProximalGradient":
    "proximal_gradient", "adamw_": "optax:adamw", "L-BFGS": "lbfgs",
    "conjugate gradient": "conjugate_gradient",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_names_of_others_suggest_ours(name):
    with pytest.raises(Misuse, match=f"Did you mean {OTHERS[name]}[ ?]"):
        defaults.card_of(name)


def test_every_name_that_is_suggested_exists():
    for near in names_elsewhere._NEAREST.values():
        base, _, variant = near.partition(":")
        assert catalogue.find(base), near
        assert not variant or variant in NAMES[base], near


def test_sgd_of_a_whole_function_is_that_of_optax():
    problem = bn.Smooth(lambda x: x @ x, [1.0, 2.0])
    with pytest.raises(Misuse, match=r"bn\.FiniteSum.*of a whole function, (.*)") as e:
        bn.solve(problem, "sgd")
    named = re.search(r"of a whole function, (bn\.\w+\([^)]*\))", str(e.value))
    assert bn.solve(problem, eval(named.group(1), {"bn": bn}), tol=1e-3).certified


ATTRIBUTES = {
    "root": r"bn\.Root", "curve_fit": r"bn\.least_squares", "LBFGS": r"bn\.Lbfgs",
    "nnls": r"bn\.NonnegativeLeastSquares", "adam": "'optax:adam'",
    "LinearRegression": r"bn\.GLM", "lasso": r"bn\.Lasso", "minimise": r"bn\.minimize",
    "nonsense": r"see dir\(banach\)", "SLSQP": "'scipy:SLSQP'",
}  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_of_other_libraries_lead_to_ours(name):
    with pytest.raises(AttributeError, match=ATTRIBUTES[name]):
        getattr(bn, name)


def test_no_library_is_imported_for_words():
    assert "import" not in inspect.getsource(names_elsewhere).replace(
        "import difflib\nimport re\nfrom collections.abc import Iterable", ""
    )
