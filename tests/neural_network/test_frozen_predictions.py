"""Tiny networks of each kind predict what they did when their figures were frozen.

A change that means to leave the mathematics alone must leave these figures alone. One that means
to change it writes them anew: ``python tests/neural_network/test_frozen_predictions.py``.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crabsk import (
    CrabNetClassifier,
    CrabNetRegressor,
    ElemNetClassifier,
    ElemNetRegressor,
    RoostClassifier,
    RoostRegressor,
)
from crabsk.datasets import load_formation_enthalpy

PATH = Path(__file__).with_suffix(".json")
TRAINING = {"n_estimators": 2, "max_epochs": 4, "learning_rate": 5e-3, "random_state": 0}
CRABNET = {"d_model": 16, "n_layers": 2, **TRAINING}
ROOST = {
    "element_width": 16,
    "n_layers": 1,
    "gate_width": 16,
    "message_width": 16,
    "trunk_widths": (32, 16),
    "head_widths": (16,),
    **TRAINING,
}
ELEMNET = {"widths": ((32, 32), (16,)), "dropout": (0.1,), **TRAINING}


def samples():
    """Return forty compounds and a property; what else the networks take is made of them."""
    X, y = load_formation_enthalpy(return_X_y=True)
    return X[::12][:40], y[::12][:40]


X, Y = samples()
TABLE = pd.DataFrame({"formula": X, "T": np.linspace(300, 900, 40)})
STEELS = [
    f"Fe{90 - 0.5 * i:.1f}Cr{8 + 0.3 * i:.1f}C{0.1 + 0.02 * i:.2f}Ni{2 + 0.2 * i:.1f}"
    for i in range(24)
]
STRENGTH = 1000 + 30 * np.sin(np.arange(24)) + 5 * np.arange(24)
WITH_GAPS = np.column_stack([Y, np.where(np.arange(40) % 3 == 0, np.nan, Y**2)])
CASES = {
    "CrabNet": (CrabNetRegressor(**CRABNET), X, Y),
    "CrabNet on steels": (CrabNetRegressor(**CRABNET), STEELS, STRENGTH),
    "CrabNet with a column": (CrabNetRegressor(**CRABNET), TABLE, Y),
    "CrabNet without cbfv": (CrabNetRegressor(**CRABNET, cbfv=None), X, Y),
    "CrabNet of the paper": (
        CrabNetRegressor(**CRABNET, architecture="paper", cbfv=None, loss="robust_l1"),
        STEELS, STRENGTH,
    ),
    "CrabNet with experts": (CrabNetRegressor(**CRABNET, n_experts=3), X, WITH_GAPS),
    "CrabNet stopped early": (
        CrabNetRegressor(**{**CRABNET, "max_epochs": 30}, n_iter_no_change=2), X, Y,
    ),
    "CrabNet for classes": (CrabNetClassifier(**CRABNET), X, np.median(Y) > Y),
    "Roost": (RoostRegressor(**ROOST), X, Y),
    "Roost for classes": (
        RoostClassifier(**ROOST), X, np.digitize(Y, np.quantile(Y, [0.3, 0.6])),
    ),
    "ElemNet": (ElemNetRegressor(**ELEMNET, target_transform="yeo-johnson"), X, Y),
    "ElemNet for classes": (ElemNetClassifier(**ELEMNET), X, np.median(Y) > Y),
}  # fmt: skip


def predictions(name):
    """Return what a network says of five of its samples."""
    model, samples, targets = CASES[name]
    model.fit(samples, targets)
    if hasattr(model, "predict_proba"):
        return model.predict_proba(samples)[:5].tolist()
    found = [np.ravel(part[:5]).tolist() for part in model.predict(samples, return_std=True)]
    if name == "CrabNet":
        found.append(model.predict(samples, return_std=True, mc_dropout=5)[1][:5].tolist())
    return found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::crabsk.neural_network.ConflictingTargetsWarning")
def test_predictions_are_those_frozen(name):
    # Processors round otherwise, and a training carries that on.
    np.testing.assert_allclose(predictions(name), json.loads(PATH.read_text())[name], rtol=1e-2)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    figures = {name: predictions(name) for name in CASES}
    PATH.write_text(json.dumps(figures, indent=1) + "\n")
