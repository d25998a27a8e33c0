"""Halpern: the proved rate is attained."""

import pytest
from reference import halpern as reference

from banach.methods.minimax.halpern import Halpern


@pytest.mark.parametrize("last", [3, 10, 40])
def test_the_rate_of_the_card_is_attained(last):
    """A kink at 1/(k+1): z_j = 1 - j/(k+1), so that F(z_k) = 1/(k+1)."""

    class Kinked:
        operator = staticmethod(lambda z: min(z, 1 / (last + 1)))
        resolvent = staticmethod(lambda v, t: v)

    class Known:
        cocoercive = radius = 1.0

    z = reference.iterates(Kinked, 1.0, last, step_size=2.0)[-1]
    assert z == pytest.approx(Halpern.card.rate(Known, last), rel=1e-12)
