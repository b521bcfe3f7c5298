"""Real data that many tests share, and what every test starts from."""

import os

# Before scipy is imported: without it scikit-learn skips its check of array API input.
os.environ["SCIPY_ARRAY_API"] = "1"

import warnings

import numpy as np
import pytest
import torch
from hypothesis import settings

from crabsk.datasets import load_formation_enthalpy

# For `make test-slow`; every other run has hypothesis' own hundred examples.
settings.register_profile("long", max_examples=20_000)


@pytest.fixture(scope="session")
def formation_enthalpy():
    """The bundled formulas and enthalpies, 2135 of them."""
    return load_formation_enthalpy(return_X_y=True)


@pytest.fixture
def some_formulas(formation_enthalpy):
    """60 formulas and their enthalpies; a copy, so that a test may spoil it."""
    X, y = formation_enthalpy
    rows = np.random.default_rng(0).choice(len(X), 60, replace=False)
    return X[rows].copy(), y[rows].copy()


@pytest.fixture(autouse=True)
def _one_thread():
    """Leave the cores to the processes that run the tests side by side."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def peer():
    """Return elementembeddings with all that it defines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import elementembeddings.composition
        import elementembeddings.core
    return elementembeddings
