"""Metrics that scikit-learn lacks: for predicted uncertainties and for missing labels.

They are called like those of `sklearn.metrics`. ``y_true`` and its predictions have shape
(n_samples,) or (n_samples, n_outputs), in any unit. A NaN in ``y_true`` is a missing label and is
ignored. Pass the scorers as ``scoring=`` to `GridSearchCV` and similar tools:

* `masked_neg_mean_absolute_error_scorer`: minus `masked_mean_absolute_error`
* `masked_neg_root_mean_squared_error_scorer`: minus `masked_root_mean_squared_error`
* `masked_r2_scorer`: `masked_r2_score`
"""

from ._calibration import coverage, coverage_curve, miscalibration_area
from ._masked import (
    masked_mean_absolute_error,
    masked_neg_mean_absolute_error_scorer,
    masked_neg_root_mean_squared_error_scorer,
    masked_r2_score,
    masked_r2_scorer,
    masked_root_mean_squared_error,
)
from ._uncertainty import confidence_curve, gaussian_nll, sharpness

__all__ = [
    "confidence_curve",
    "coverage",
    "coverage_curve",
    "gaussian_nll",
    "masked_mean_absolute_error",
    "masked_neg_mean_absolute_error_scorer",
    "masked_neg_root_mean_squared_error_scorer",
    "masked_r2_score",
    "masked_r2_scorer",
    "masked_root_mean_squared_error",
    "miscalibration_area",
    "sharpness",
]
