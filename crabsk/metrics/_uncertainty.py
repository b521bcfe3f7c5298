"""Metrics of how informative predicted standard deviations are."""

from functools import partial
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm
from sklearn.utils import check_scalar

from ._per_target import (
    MultiOutput,
    average_targets,
    check_std,
    check_weight,
    per_target,
    shaped_as,
)


def gaussian_nll(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: MultiOutput = "uniform_average",
) -> float | np.ndarray:
    r"""Mean negative logarithm of the predicted normal densities.

    .. math:: \tfrac12 \log(2 \pi \sigma^2) + \frac{(y - \mu)^2}{2 \sigma^2}

    averaged over the labels; equation 2.34 of [1]_. It is a proper score: on average, the true
    distribution has the lowest value. A few confident mistakes can dominate it.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred : array-like of the same shape
        Predictions, in the unit of `y_true`.
    y_std : array-like of the same shape
        Standard deviations of the predictions, in the unit of `y_true`; above 0 for every label.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; a row of weight 0 counts as unlabelled.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one value for each target.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        In nats; lower is better, without a lower bound. Another unit of `y_true` shifts the value
        by the logarithm of the ratio of the units. NaN for a target without a label; the average
        ignores it.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight or standard
        deviation is negative, there is no label at all, or the standard deviation for a label
        is 0, because a point has no density. Give such predictions a minimum standard deviation,
        for instance the precision of the labels.

    Warns
    -----
    UndefinedMetricWarning
        If a target has no label.

    References
    ----------
    .. [1] C. E. Rasmussen, C. K. I. Williams. Gaussian Processes for Machine Learning.
       MIT Press (2006). https://gaussianprocess.org/gpml/

    Examples
    --------
    >>> from crabsk.metrics import gaussian_nll
    >>> round(gaussian_nll([1.0, 2.0], [1.0, 4.0], [1.0, 2.0]), 4)
    1.5155
    """
    raw = per_target(_gaussian_nll, y_true, y_pred, y_std, sample_weight=sample_weight)
    return average_targets(raw, multioutput)


def sharpness(
    y_std: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: MultiOutput = "uniform_average",
) -> float | np.ndarray:
    """Root mean predicted variance.

    The sharpness of Tran et al. [1]_, in the unit of the target; Kuleshov et al. [2]_ leave out
    the root. It does not use labels. Of two equally well calibrated models, the sharper one is more
    informative.

    Parameters
    ----------
    y_std : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Standard deviations of the predictions.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one value for each target.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        In the unit of `y_std`; lower is sharper.

    Raises
    ------
    ValueError
        If a standard deviation or weight is negative or not finite.

    References
    ----------
    .. [1] K. Tran et al. Methods for comparing uncertainty quantifications for material property
       predictions. Machine Learning: Science and Technology 1, 025006 (2020).
       https://doi.org/10.1088/2632-2153/ab7e1a
    .. [2] V. Kuleshov, N. Fenner, S. Ermon. Accurate Uncertainties for Deep Learning Using
       Calibrated Regression. ICML (2018). https://arxiv.org/abs/1807.00263

    Examples
    --------
    >>> from crabsk.metrics import sharpness
    >>> sharpness([1.0, 7.0])
    5.0
    """
    std = check_std(y_std)
    variance = np.average(std**2, axis=0, weights=check_weight(sample_weight, std))
    return average_targets(np.sqrt(variance), multioutput)


def confidence_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    n_points: int = 100,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute error of the remaining rows when the most uncertain ones are removed.

    The curve falls if large standard deviations go with large errors. It depends only on the order
    of the standard deviations and therefore does not measure calibration. It is also known as a
    sparsification plot [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred : array-like of the same shape
        Predictions, in the unit of `y_true`.
    y_std : array-like of the same shape
        Standard deviations, or any other measure of uncertainty that is not negative. Rows are
        removed in this order, largest first; each target has its own order.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; a row of weight 0 counts as unlabelled.
    n_points : int, default=100
        Number of points of the curve, 2 or more.

    Returns
    -------
    removed : ndarray of shape (n_points,)
        Shares of the labels (of their weight) that are removed, evenly spaced from 0 to below 1.
    error : ndarray of shape (n_points,) or (n_points, n_outputs)
        Mean absolute errors of the remaining labels, in the unit of `y_true`, with a column for
        each target if `y_true` has columns; NaN for a target without a label.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight or standard
        deviation is negative, there is no label at all, or `n_points` is below 2.

    Warns
    -----
    UndefinedMetricWarning
        If a target has no label.

    Notes
    -----
    Equally uncertain rows are removed together, each in part, so the order of the rows does not
    matter. If a share ends within a row, that row is removed in part.

    The curve of an oracle, which knows the errors, is
    ``confidence_curve(y_true, y_pred, abs(y_true - y_pred))``. [2]_ argues for another reference,
    which normal errors with the predicted standard deviations could reach.

    The rank correlation of errors and standard deviations is often reported as well:
    ``scipy.stats.spearmanr(abs(y_true - y_pred), y_std)``. How large it can be depends on the
    spread of the standard deviations in the test set [3]_.

    References
    ----------
    .. [1] E. Ilg et al. Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow.
       ECCV (2018). https://arxiv.org/abs/1802.07095
    .. [2] P. Pernot. Confidence curves for UQ validation: probabilistic reference vs. oracle
       (2022). https://arxiv.org/abs/2206.15272
    .. [3] M. H. Rasmussen, C. Duan, H. J. Kulik, J. H. Jensen. Uncertain of uncertainties? A
       comparison of uncertainty quantification metrics for chemical data sets. Journal of
       Cheminformatics 15, 121 (2023). https://doi.org/10.1186/s13321-023-00790-0

    Examples
    --------
    >>> from crabsk.metrics import confidence_curve
    >>> removed, error = confidence_curve(
    ...     y_true=[1.0, 2.0, 3.0, 4.0],
    ...     y_pred=[1.0, 3.0, 1.0, 1.0],
    ...     y_std=[0.1, 0.2, 0.3, 0.4],
    ...     n_points=4,
    ... )
    >>> removed
    array([0.  , 0.25, 0.5 , 0.75])
    >>> error
    array([1.5, 1. , 0.5, 0. ])
    """
    check_scalar(n_points, "n_points", Integral, min_val=2)
    removed = np.linspace(0, 1, n_points, endpoint=False)
    error = per_target(
        partial(_errors_of_kept, shares=1 - removed),
        y_true,
        y_pred,
        y_std,
        sample_weight=sample_weight,
    )
    return removed, shaped_as(y_true, error)


def _gaussian_nll(
    true: np.ndarray, pred: np.ndarray, std: np.ndarray, sample_weight: np.ndarray
) -> float:
    n_zero = int((std == 0).sum())
    if n_zero:
        raise ValueError(
            f"y_std is 0 for {n_zero} label(s): a point has no density. Give such predictions a "
            "minimum standard deviation, for instance the precision of the labels"
        )
    return np.average(-norm.logpdf(true, pred, std), weights=sample_weight)


def _errors_of_kept(
    true: np.ndarray,
    pred: np.ndarray,
    std: np.ndarray,
    sample_weight: np.ndarray,
    shares: np.ndarray,
) -> np.ndarray:
    """Return the mean absolute error of each share of the most certain rows."""
    _, rank = np.unique(std, return_inverse=True)
    weight = np.bincount(rank, sample_weight)
    error = np.bincount(rank, sample_weight * np.abs(true - pred))
    total_weight = np.insert(np.cumsum(weight), 0, 0.0)
    total_error = np.insert(np.cumsum(error), 0, 0.0)
    kept = shares * total_weight[-1]
    return np.interp(kept, total_weight, total_error) / kept
