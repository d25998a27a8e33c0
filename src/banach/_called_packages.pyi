"""Written by tests/typing/public_stub.py --write; a test holds it."""

from types import ModuleType

from banach.core.problem import Problem
from banach.doors.listings import Listing

__all__ = ["checks", "methods"]

class Methods(ModuleType):
    def __call__(
        self, problem: Problem | str | None = None, family: str | None = None
    ) -> Listing: ...

class Checks(ModuleType):
    def __call__(self, problem: Problem | str | None = None) -> Listing: ...

methods: Methods
checks: Checks
