"""The core: types, the outer loop, and pytree arithmetic."""

from banach.core import tree as tree
