"""scikit-learn estimators that hold networks.

Names that are imported `as` themselves are for other parts of crabsk, not for users.
"""

from ._base import BaseCompositionNetwork as BaseCompositionNetwork
from ._checkpoint import hash_of as hash_of
from ._conflicts import ConflictingTargetsWarning
from ._conflicts import equal_samples as equal_samples
from ._conflicts import pure_error as pure_error
from ._conflicts import warn_of_conflicts as warn_of_conflicts
from ._crabnet_classification import CrabNetClassifier
from ._crabnet_regression import CrabNetRegressor
from ._devices import resolve_device as resolve_device
from ._elemnet_classification import ElemNetClassifier
from ._elemnet_regression import ElemNetRegressor
from ._nested_warnings import nested as nested
from ._nested_warnings import quiet as quiet
from ._prediction import MemberOutputs as MemberOutputs
from ._progress import bar_of as bar_of
from ._regression import total_std as total_std
from ._roost_classification import RoostClassifier
from ._roost_regression import RoostRegressor
from ._saving import SAVEABLE as SAVEABLE
from ._saving import read_estimator as read_estimator
from ._saving import warn_of_other_version as warn_of_other_version
from ._saving import write_estimator as write_estimator
from ._trace_warning import TraceWarning
from ._unseen_elements import UnseenElementsWarning
from ._unseen_elements import warn_of_unseen_elements as warn_of_unseen_elements

__all__ = [
    "ConflictingTargetsWarning",
    "CrabNetClassifier",
    "CrabNetRegressor",
    "ElemNetClassifier",
    "ElemNetRegressor",
    "RoostClassifier",
    "RoostRegressor",
    "TraceWarning",
    "UnseenElementsWarning",
]
