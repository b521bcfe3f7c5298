"""Estimators that train in a fraction of a second."""

from typing import Any

from crabsk import (
    CrabNetClassifier,
    CrabNetRegressor,
    ElemNetClassifier,
    ElemNetRegressor,
    RoostClassifier,
    RoostRegressor,
)

CRABNET = {"d_model": 16, "n_layers": 1, "dropout": 0.0}
ROOST = {
    "element_width": 16,
    "n_layers": 1,
    "n_heads": 2,
    "gate_width": 16,
    "message_width": 16,
    "trunk_widths": (32, 16),
    "head_widths": (16,),
}
ELEMNET = {"widths": ((32, 32), (16,)), "dropout": ()}
ARCHITECTURE = {
    CrabNetRegressor: CRABNET,
    CrabNetClassifier: CRABNET,
    RoostRegressor: ROOST,
    RoostClassifier: ROOST,
    ElemNetRegressor: ELEMNET,
    ElemNetClassifier: ELEMNET,
}
REGRESSORS = [CrabNetRegressor, RoostRegressor, ElemNetRegressor]
CLASSIFIERS = [CrabNetClassifier, RoostClassifier, ElemNetClassifier]
TRAINING = {"n_estimators": 1, "max_epochs": 3, "learning_rate": 1e-2, "random_state": 0}


def tiny(cls: type, **settings: Any) -> Any:
    """Return an estimator that trains in a fraction of a second."""
    return cls(**{**ARCHITECTURE[cls], **TRAINING, **settings})


def tiny_crabnet(**settings: Any) -> CrabNetRegressor:
    """Return a CrabNet that trains in a fraction of a second."""
    return tiny(CrabNetRegressor, **settings)
