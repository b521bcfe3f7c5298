"""What the tests of features are about: some formulas, a small table, and features of both."""

import numpy as np

from crabsk.datasets import load_formation_enthalpy
from crabsk.feature_extraction import CompositionTransformer

FORMULAS = [
    str(formula)
    for formula in load_formation_enthalpy(return_X_y=True)[0][::10]
    if "Po" not in formula
]
TOY = {"H": [1.0, 0.0], "O": [4.0, 2.0], "Fe": [9.0, 2.0]}


def transformed(X, **settings) -> np.ndarray:
    return CompositionTransformer(**settings).fit_transform(X)
