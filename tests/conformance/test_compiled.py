"""Layers B and C: the compiled loop, on pairs with every family and every kind."""

import pytest
from laws import COMPILED
from listing import cases, first_of_a_family, one_a_kind

FIRST = first_of_a_family()
CASES = cases(one_a_kind(), quick=lambda *pair: pair in FIRST)


@pytest.mark.parametrize("law", COMPILED, ids=lambda f: f.__name__)
@pytest.mark.parametrize("case", CASES, indirect=True, scope="module")
def test_the_compiled_loop(case, law, tmp_path):
    law(case, tmp_path)
