"""CrabNet and its relatives, the composition-only materials models, as scikit-learn estimators.

Names are imported on first use (PEP 562). ``import crabsk`` is therefore instant, and the formula
parser does not need torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .automl import AutoClassifier, AutoRegressor
    from .calibration import CalibratedRegressorCV
    from .feature_extraction import CompositionTransformer, PretrainedTransformer
    from .neural_network import (
        CrabNetClassifier,
        CrabNetRegressor,
        ElemNetClassifier,
        ElemNetRegressor,
        RoostClassifier,
        RoostRegressor,
    )
    from .persistence import load_model, save_model

_HOME = {
    "AutoClassifier": "automl",
    "AutoRegressor": "automl",
    "CalibratedRegressorCV": "calibration",
    "CompositionTransformer": "feature_extraction",
    "CrabNetClassifier": "neural_network",
    "CrabNetRegressor": "neural_network",
    "ElemNetClassifier": "neural_network",
    "ElemNetRegressor": "neural_network",
    "PretrainedTransformer": "feature_extraction",
    "RoostClassifier": "neural_network",
    "RoostRegressor": "neural_network",
    "load_model": "persistence",
    "save_model": "persistence",
}
_SUBPACKAGES = (
    "automl",
    "calibration",
    "composition",
    "datasets",
    "discovery",
    "embeddings",
    "feature_extraction",
    "inspection",
    "metrics",
    "modules",
    "neural_network",
    "persistence",
    "pretrained",
)

__all__ = [
    "AutoClassifier",
    "AutoRegressor",
    "CalibratedRegressorCV",
    "CompositionTransformer",
    "CrabNetClassifier",
    "CrabNetRegressor",
    "ElemNetClassifier",
    "ElemNetRegressor",
    "PretrainedTransformer",
    "RoostClassifier",
    "RoostRegressor",
    "__version__",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_SUBPACKAGES})
