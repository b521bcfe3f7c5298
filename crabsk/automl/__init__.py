"""The best model that a time limit allows, and honest comparisons of models.

Names that are imported `as` themselves are for other parts of crabsk, not for users.
"""

from ._base import CandidateWarning
from ._classifier import AutoClassifier
from ._compare import compare_models
from ._plot import LeaderboardDisplay
from ._regressor import AutoRegressor
from ._storage import load as load
from ._storage import save as save

__all__ = [
    "AutoClassifier",
    "AutoRegressor",
    "CandidateWarning",
    "LeaderboardDisplay",
    "compare_models",
]
