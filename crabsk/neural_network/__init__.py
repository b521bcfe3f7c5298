"""scikit-learn estimators that hold networks."""

from ._base import ConflictingTargetsWarning
from ._crabnet import CrabNetRegressor

__all__ = ["ConflictingTargetsWarning", "CrabNetRegressor"]
