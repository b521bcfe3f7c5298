"""scikit-learn's regression metrics for targets with missing labels, and their scorers."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import make_scorer, mean_absolute_error, r2_score, root_mean_squared_error

from ._per_target import MultiOutput, average_targets, per_target


def masked_mean_absolute_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: MultiOutput = "uniform_average",
) -> float | np.ndarray:
    """Mean absolute error over the labels that are present.

    `sklearn.metrics.mean_absolute_error` of each target on its labelled rows. All targets have the
    same weight in the average, however many labels they have.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred : array-like of the same shape
        Predictions, in the unit of `y_true`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; a row of weight 0 counts as unlabelled.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one value for each target.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        In the unit of `y_true`; 0 is best. NaN for a target without a label; the average ignores
        it.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight is negative, or
        there is no label at all.

    Warns
    -----
    UndefinedMetricWarning
        If a target has no label.

    See Also
    --------
    masked_neg_mean_absolute_error_scorer : For ``scoring=``.

    Examples
    --------
    >>> from crabsk.metrics import masked_mean_absolute_error
    >>> nan = float("nan")
    >>> y_true = [[1.0, 10.0], [2.0, nan], [3.0, 30.0]]
    >>> y_pred = [[1.5, 11.0], [2.0, 20.0], [2.0, 33.0]]
    >>> masked_mean_absolute_error(y_true, y_pred)
    1.25
    >>> masked_mean_absolute_error(y_true, y_pred, multioutput="raw_values")
    array([0.5, 2. ])
    """
    raw = per_target(mean_absolute_error, y_true, y_pred, sample_weight=sample_weight)
    return average_targets(raw, multioutput)


def masked_root_mean_squared_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: MultiOutput = "uniform_average",
) -> float | np.ndarray:
    """Root mean squared error over the labels that are present.

    `sklearn.metrics.root_mean_squared_error` of each target on its labelled rows. All targets have
    the same weight in the average, however many labels they have.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred : array-like of the same shape
        Predictions, in the unit of `y_true`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; a row of weight 0 counts as unlabelled.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one value for each target.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        In the unit of `y_true`; 0 is best. NaN for a target without a label; the average ignores
        it.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight is negative, or
        there is no label at all.

    Warns
    -----
    UndefinedMetricWarning
        If a target has no label.

    See Also
    --------
    masked_neg_root_mean_squared_error_scorer : For ``scoring=``.

    Examples
    --------
    >>> from crabsk.metrics import masked_root_mean_squared_error
    >>> nan = float("nan")
    >>> y_true = [[1.0, nan], [2.0, 20.0]]
    >>> y_pred = [[2.0, 10.0], [9.0, 25.0]]
    >>> masked_root_mean_squared_error(y_true, y_pred, multioutput="raw_values")
    array([5., 5.])
    """
    raw = per_target(root_mean_squared_error, y_true, y_pred, sample_weight=sample_weight)
    return average_targets(raw, multioutput)


def masked_r2_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: MultiOutput = "uniform_average",
) -> float | np.ndarray:
    """Coefficient of determination over the labels that are present.

    `sklearn.metrics.r2_score` of each target on its labelled rows. All targets have the same weight
    in the average, however many labels they have.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred : array-like of the same shape
        Predictions, in the unit of `y_true`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; a row of weight 0 counts as unlabelled.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one value for each target.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        Without unit; 1 is best. NaN for a target with fewer than two labels; the average ignores
        it.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight is negative, or
        there is no label at all.

    Warns
    -----
    UndefinedMetricWarning
        If a target has fewer than two labels.

    See Also
    --------
    masked_r2_scorer : For ``scoring=``.

    Notes
    -----
    scikit-learn needs two rows, but also counts rows of weight 0. If only one row has a weight
    above 0, scikit-learn returns 0 or 1, and this function returns NaN.

    Examples
    --------
    >>> from crabsk.metrics import masked_r2_score
    >>> nan = float("nan")
    >>> y_true = [[1.0, 10.0], [2.0, nan], [3.0, 30.0]]
    >>> y_pred = [[1.0, 20.0], [2.0, 90.0], [3.0, 20.0]]
    >>> masked_r2_score(y_true, y_pred, multioutput="raw_values")
    array([1., 0.])
    """
    raw = per_target(r2_score, y_true, y_pred, sample_weight=sample_weight)
    return average_targets(raw, multioutput)


masked_neg_mean_absolute_error_scorer = make_scorer(
    masked_mean_absolute_error, greater_is_better=False
)
masked_neg_root_mean_squared_error_scorer = make_scorer(
    masked_root_mean_squared_error, greater_is_better=False
)
masked_r2_scorer = make_scorer(masked_r2_score)
