"""scikit-learn estimators that hold networks."""

from ._conflicts import ConflictingTargetsWarning
from ._crabnet import CrabNetClassifier, CrabNetRegressor
from ._elemnet import ElemNetClassifier, ElemNetRegressor
from ._roost import RoostClassifier, RoostRegressor

__all__ = [
    "ConflictingTargetsWarning",
    "CrabNetClassifier",
    "CrabNetRegressor",
    "ElemNetClassifier",
    "ElemNetRegressor",
    "RoostClassifier",
    "RoostRegressor",
]
