"""The one class of error for a wrong call."""


class Misuse(ValueError):
    """Bad input: the message says what was given, what is needed, what to do."""
