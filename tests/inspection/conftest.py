"""Fitted estimators to look into."""

import os

# Before matplotlib is imported, and for the doctests as well: draw without a screen.
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
from tiny import tiny, tiny_crabnet

from crabsk import CrabNetClassifier


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def formulas():
    """One to four elements, and one composition twice."""
    return ["Fe", "NaCl", "Al2O3", "CaTiO3", "Al4O6", "K2Al2O4", "LiNaKO2"]


@pytest.fixture(scope="session")
def learnt(formation_enthalpy):
    """200 formulas and their enthalpies."""
    X, y = formation_enthalpy
    rows = np.random.default_rng(1).choice(len(X), 200, replace=False)
    return X[rows], y[rows]


@pytest.fixture(scope="session")
def model(learnt):
    """An ensemble of three CrabNets of two layers."""
    X, y = learnt
    return tiny_crabnet(n_estimators=3, n_layers=2, dropout=0.1).fit(X, y)


@pytest.fixture(scope="session")
def classifier(learnt):
    """The same for three classes."""
    X, y = learnt
    names = np.array(["strong", "well", "weak"], dtype=object)
    classes = names[np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))]
    return tiny(CrabNetClassifier, n_estimators=2).fit(X, classes)
