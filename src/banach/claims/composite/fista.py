"""FISTA is as simple as ISTA and much faster.

Reduced: deblurring of 64 x 64 digits (theirs 256 x 256), and 1,000 iterations of
ISTA, which reach less than 100 of FISTA; not the 10,000 after which they compare.
"""

from banach.claims import instances
from banach.claims.composite import _instances
from banach.claims.course import at_most, ours, proved, reported


@proved("Beck and Teboulle 2009, theorem 4.4", at_most(1.0))
def rate():
    """F(x_k) - F* over 2 L R^2 / (k + 1)^2, the largest of 1,000 steps."""
    bound = lambda square, k: 2 * square / (k + 1) ** 2  # noqa: E731
    return _instances.against({"FISTA": (_instances.fista, bound)})


@reported("Beck and Teboulle 2009, section 5, 100 against 1,000", at_most(0.1))
def deblurring():
    """Steps of FISTA for the value of 1,000 steps of ISTA, over those of ISTA."""
    return _instances.prices(instances.deblurring(5), _instances.fista)


@ours("a user's question", at_most(0.5))
def sparse_regression():
    """The same on the Lasso, where few coefficients are soon all that moves."""
    return _instances.prices(instances.lassos(), _instances.fista)
