"""The problems that every method meets: `BEDS`, by name, from every file here."""

import importlib
from pathlib import Path

from bed import Bed

BEDS: dict[str, Bed] = {
    found.name: found
    for file in sorted(Path(__file__).parent.glob("[!_]*.py"))
    for found in importlib.import_module(f"beds.{file.stem}").BEDS
}
