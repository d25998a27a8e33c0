"""How: one method a file, a folder a family. `bn.methods()` lists them."""

import sys
import types
from typing import Any


class _Methods(types.ModuleType):
    """The package, which answers as `banach methods` does when it is called."""

    def __call__(self, problem: str | None = None, family: str | None = None) -> Any:
        from banach.doors import listings

        return listings.methods(problem, family)


sys.modules[__name__].__class__ = _Methods
