"""Small estimators and real data that many tests share."""

import numpy as np
import pytest
import torch

from crabsk import CrabNetRegressor
from crabsk.datasets import load_formation_enthalpy


def tiny_crabnet(**settings) -> CrabNetRegressor:
    """Return a network that trains in a fraction of a second."""
    defaults = {
        "d_model": 16,
        "n_layers": 1,
        "n_heads": 2,
        "dim_feedforward": 32,
        "head_widths": (16,),
        "n_estimators": 1,
        "max_epochs": 3,
        "learning_rate": 1e-2,
        "dropout": 0.0,
        "random_state": 0,
    }
    return CrabNetRegressor(**{**defaults, **settings})


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
def _two_threads():
    """Hold torch to the same number of threads whatever a test leaves behind."""
    torch.set_num_threads(1)
