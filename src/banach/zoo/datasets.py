"""Real data sets, read from the files that scikit-learn ships, without importing it.

Importing scikit-learn costs about a second; its files parse in milliseconds.
"""

import gzip
import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """Features (n, p) and targets (n,), float64 and float64 or int64."""

    A: np.ndarray
    y: np.ndarray


def breast_cancer() -> Dataset:
    """569 tumours, 30 features; 1 benign, 0 malignant."""
    rows = _table("breast_cancer.csv", 31, header=True)
    return Dataset(rows[:, :-1], rows[:, -1].astype(np.int64))


def iris() -> Dataset:
    """150 flowers, 4 features, 3 species."""
    rows = _table("iris.csv", 5, header=True)
    return Dataset(rows[:, :-1], rows[:, -1].astype(np.int64))


def wine() -> Dataset:
    """178 wines, 13 features, 3 growers."""
    rows = _table("wine_data.csv", 14, header=True)
    return Dataset(rows[:, :-1], rows[:, -1].astype(np.int64))


def digits() -> Dataset:
    """1797 images of 8 x 8 pixels from 0 to 16, digits 0 to 9."""
    rows = _table("digits.csv.gz", 65)
    return Dataset(rows[:, :-1], rows[:, -1].astype(np.int64))


def diabetes() -> Dataset:
    """442 patients, 10 features, each centred and of norm 1, as scikit-learn has it."""
    raw = _table("diabetes_data_raw.csv.gz", 10)
    A = raw - raw.mean(axis=0)
    return Dataset(
        A / np.sqrt((A**2).sum(axis=0)), _table("diabetes_target.csv.gz", 1)[:, 0]
    )


def standardised(A: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and standard deviation 1; constant columns are only centred."""
    A = A - A.mean(axis=0)
    spread = A.std(axis=0)
    return A / np.where(spread > 0, spread, 1)


def _table(name: str, columns: int, header: bool = False) -> np.ndarray:
    raw = (_folder() / name).read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    if header:
        text = text.partition("\n")[2]
    values = np.array(text.replace(",", " ").split(), dtype=np.float64)
    if values.size == 0 or values.size % columns:
        raise _misuse(
            f"{name} of scikit-learn has {values.size} numbers, not rows of {columns}; "
            "reinstall scikit-learn, or give your own data to the problem's constructor"
        )
    return values.reshape(-1, columns)


def _folder() -> Path:
    spec = importlib.util.find_spec("sklearn")
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        folder = Path(place) / "datasets" / "data"
        if folder.is_dir():
            return folder
    raise _misuse(
        "the built-in data are files of scikit-learn, which is not installed; "
        "pip install scikit-learn, or give your own data to the problem's constructor"
    )


def _misuse(message: str) -> Exception:
    # Listing names must not wait for jax, which the core imports.
    from banach.core.problem import Misuse

    return Misuse(message)
