"""One value for each target from its labelled rows, and their average."""

import warnings
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array
from sklearn.utils.validation import _check_sample_weight

MultiOutput = Literal["uniform_average", "raw_values"]


def per_target(
    metric: Callable[..., Any],
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None,
) -> np.ndarray:
    """Apply a metric to the labelled rows of each target.

    To be called by public functions directly: its warning points at their caller.

    Parameters
    ----------
    metric : callable
        Takes 1-D arrays of labels, predictions and, if given, standard deviations, and a 1-D
        `sample_weight` above 0; returns a scalar, or an array of the same length for every target.
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred, y_std : array-like of the same shape
        Predictions.
    sample_weight : array-like of shape (n_samples,) or None
        Weights. A row of weight 0 counts as unlabelled.

    Returns
    -------
    ndarray of shape (..., n_outputs)
        The results of `metric`, target by target; NaN for targets without a label.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight or standard
        deviation is negative, or there is no label at all.

    Warns
    -----
    UndefinedMetricWarning
        If a target has no label.
    """
    true = as_columns(y_true, "y_true", ensure_all_finite="allow-nan")
    predictions = {"y_pred": as_columns(y_pred, "y_pred")}
    if y_std is not None:
        predictions["y_std"] = check_std(y_std)
    for name, predicted in predictions.items():
        if predicted.shape != true.shape:
            raise ValueError(
                f"{name} has {predicted.shape[0]} rows of {predicted.shape[1]} target(s), but "
                f"y_true has {true.shape[0]} of {true.shape[1]}"
            )
    weight = check_weight(sample_weight, true)
    labelled = ~np.isnan(true) & (weight > 0)[:, None]
    columns = [true, *predictions.values()]
    _complain_of_unlabelled(labelled)
    results = [
        metric(*(column[rows, k] for column in columns), sample_weight=weight[rows])
        if rows.any()
        else np.nan
        for k, rows in enumerate(labelled.T)
    ]
    return np.stack(np.broadcast_arrays(*results), axis=-1)


def average_targets(raw: np.ndarray, multioutput: MultiOutput) -> float | np.ndarray:
    """Return the values of the targets, or the mean of those that are not NaN."""
    if not (isinstance(multioutput, str) and multioutput in get_args(MultiOutput)):
        raise ValueError(f"multioutput must be one of {get_args(MultiOutput)}, got {multioutput!r}")
    if multioutput == "raw_values":
        return raw
    defined = raw[~np.isnan(raw)]
    return float(defined.mean()) if len(defined) else float("nan")


def shaped_as(y_true: ArrayLike, curves: np.ndarray) -> np.ndarray:
    """Return the curve itself where `y_true` is 1-D, else a column for each target."""
    return curves[:, 0] if np.ndim(y_true) == 1 else curves


def as_columns(values: ArrayLike, name: str, **checks: Any) -> np.ndarray:
    """Return values as floats of shape (n_samples, n_outputs), checked by `check_array`."""
    array = check_array(values, ensure_2d=False, dtype=np.float64, input_name=name, **checks)
    return array.reshape(len(array), -1)


def check_std(y_std: ArrayLike) -> np.ndarray:
    """Return standard deviations, shape (n_samples, n_outputs), finite and not negative."""
    return as_columns(y_std, "y_std", ensure_non_negative=True)


def check_weight(sample_weight: ArrayLike | None, columns: np.ndarray) -> np.ndarray:
    """Return weights, shape (n_samples,), finite, not negative and not all 0."""
    return _check_sample_weight(sample_weight, columns, dtype=np.float64, ensure_non_negative=True)


def _complain_of_unlabelled(labelled: np.ndarray) -> None:
    unlabelled = np.flatnonzero(~labelled.any(axis=0)).tolist()
    if len(unlabelled) == labelled.shape[1]:
        raise ValueError("y_true has no label with a weight above 0")
    if unlabelled:
        warnings.warn(
            f"target(s) {unlabelled} of y_true have no label with a weight above 0: their metric "
            "is NaN, and an average ignores them",
            UndefinedMetricWarning,
            stacklevel=4,
        )
