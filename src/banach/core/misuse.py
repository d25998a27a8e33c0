"""The one class of error for a wrong call."""


class Misuse(ValueError):
    """Bad input: the message says what was given, what is needed, what to do.

    Example:
        >>> try:
        ...     bn.Ridge(np.eye(2), np.ones(3))
        ... except bn.Misuse as error:
        ...     print(str(error)[:40])
        ...
        y has shape (3,) but A has 2 rows; give
    """
