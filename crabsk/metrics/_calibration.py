"""Metrics that compare the spread of the errors with the predicted standard deviations.

A prediction and its standard deviation are read as a normal distribution. A standard deviation of
0 is read as its limit, a point: right if the prediction equals the label, otherwise wrong.
"""

from functools import partial
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf
from sklearn.utils import check_scalar

from ._per_target import MultiOutput, average_targets, per_target, shaped_as


def coverage(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike,
    *,
    level: float = 0.9,
    sample_weight: ArrayLike | None = None,
    multioutput: MultiOutput = "uniform_average",
) -> float | np.ndarray:
    """Share of the labels inside the central interval of the predicted normal distribution.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred : array-like of the same shape
        Predictions, in the unit of `y_true`.
    y_std : array-like of the same shape
        Standard deviations of the predictions, in the unit of `y_true`. With 0, the interval
        contains only the prediction.
    level : float, default=0.9
        Probability of the interval, between 0 and 1, both excluded. The interval includes its ends.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; a row of weight 0 counts as unlabelled.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one value for each target.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        Between 0 and 1; best if equal to `level`. Below it, the predictions are overconfident.
        NaN for a target without a label; the average ignores it.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight or standard
        deviation is negative, there is no label at all, or `level` is out of range.

    Warns
    -----
    UndefinedMetricWarning
        If a target has no label.

    See Also
    --------
    coverage_curve : The coverage at every level.

    Notes
    -----
    For intervals given by two ends, from quantile regression or conformal prediction, see
    `mapie.metrics.regression.regression_coverage_score`.

    Examples
    --------
    One error is one standard deviation, the other is three:

    >>> from crabsk.metrics import coverage
    >>> coverage([1.0, 3.0], [0.0, 0.0], [1.0, 1.0], level=0.9)
    0.5
    """
    check_scalar(level, "level", Real, min_val=0, max_val=1, include_boundaries="neither")
    share = partial(_share_inside, level=level)
    raw = per_target(share, y_true, y_pred, y_std, sample_weight=sample_weight)
    return average_targets(raw, multioutput)


def coverage_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    n_points: int = 101,
) -> tuple[np.ndarray, np.ndarray]:
    """Share of the labels inside the central intervals, for intervals of every probability.

    For calibrated predictions the curve is the diagonal. For overconfident ones it lies below.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred : array-like of the same shape
        Predictions, in the unit of `y_true`.
    y_std : array-like of the same shape
        Standard deviations of the predictions, in the unit of `y_true`. With 0, every interval
        below level 1 contains only the prediction.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; a row of weight 0 counts as unlabelled.
    n_points : int, default=101
        Number of points of the curve, 2 or more.

    Returns
    -------
    expected : ndarray of shape (n_points,)
        Probabilities of the intervals, evenly spaced from 0 to 1.
    observed : ndarray of shape (n_points,) or (n_points, n_outputs)
        Shares of the labels inside, with a column for each target if `y_true` has columns; NaN for
        a target without a label.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight or standard
        deviation is negative, there is no label at all, or `n_points` is below 2.

    Warns
    -----
    UndefinedMetricWarning
        If a target has no label.

    See Also
    --------
    miscalibration_area : The area between the curve and the diagonal.

    Notes
    -----
    The intervals are central, which is the default of Uncertainty Toolbox [1]_. The calibration
    plot of [2]_ (figure 3) uses one-sided intervals, from minus infinity to a quantile. It
    therefore also shows whether the predictions are too high or too low.

    References
    ----------
    .. [1] Y. Chung et al. Uncertainty Toolbox: an Open-Source Library for Assessing, Visualizing,
       and Improving Uncertainty Quantification (2021). https://arxiv.org/abs/2109.10254
    .. [2] V. Kuleshov, N. Fenner, S. Ermon. Accurate Uncertainties for Deep Learning Using
       Calibrated Regression. ICML (2018). https://arxiv.org/abs/1807.00263

    Examples
    --------
    >>> from crabsk.metrics import coverage_curve
    >>> expected, observed = coverage_curve([1.0, 3.0], [0.0, 0.0], [1.0, 1.0], n_points=5)
    >>> expected
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    >>> observed
    array([0. , 0. , 0. , 0.5, 1. ])
    """
    check_scalar(n_points, "n_points", Integral, min_val=2)
    expected = np.linspace(0, 1, n_points)
    observed = per_target(
        partial(_shares_inside, levels=expected),
        y_true,
        y_pred,
        y_std,
        sample_weight=sample_weight,
    )
    return expected, shaped_as(y_true, observed)


def miscalibration_area(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    y_std: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: MultiOutput = "uniform_average",
) -> float | np.ndarray:
    r"""Area between the curve of observed coverage and the diagonal.

    .. math:: \int_0^1 | \hat F(p) - p | \, \mathrm{d} p

    where :math:`\hat F(p)` is the share of the labels inside the central interval of probability
    :math:`p` of the predicted normal distribution.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels, NaN where missing.
    y_pred : array-like of the same shape
        Predictions, in the unit of `y_true`.
    y_std : array-like of the same shape
        Standard deviations of the predictions, in the unit of `y_true`. With 0, every interval
        below level 1 contains only the prediction.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; a row of weight 0 counts as unlabelled.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one value for each target.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        Between 0 (calibrated) and 0.5 (every label predicted exactly, or none within any interval).
        NaN for a target without a label; the average ignores it.

    Raises
    ------
    ValueError
        If the shapes differ, something is infinite, a prediction is NaN, a weight or standard
        deviation is negative, or there is no label at all.

    Warns
    -----
    UndefinedMetricWarning
        If a target has no label.

    See Also
    --------
    coverage_curve : The curve.

    Notes
    -----
    The name and the area come from Tran et al. [1]_, based on the calibration plots of Kuleshov et
    al. [2]_. Both use one-sided intervals, up to a quantile. Central intervals are the default of
    Uncertainty Toolbox [3]_, which joins 100 points of the curve by lines. Here the curve remains a
    step function, and the integral is exact.

    The area is not 0 even for calibrated predictions: with n labels it is about
    :math:`0.31 / \sqrt n`.

    References
    ----------
    .. [1] K. Tran et al. Methods for comparing uncertainty quantifications for material property
       predictions. Machine Learning: Science and Technology 1, 025006 (2020).
       https://doi.org/10.1088/2632-2153/ab7e1a
    .. [2] V. Kuleshov, N. Fenner, S. Ermon. Accurate Uncertainties for Deep Learning Using
       Calibrated Regression. ICML (2018). https://arxiv.org/abs/1807.00263
    .. [3] Y. Chung et al. Uncertainty Toolbox: an Open-Source Library for Assessing, Visualizing,
       and Improving Uncertainty Quantification (2021). https://arxiv.org/abs/2109.10254

    Examples
    --------
    Correct standard deviations, and the same ones halved:

    >>> import numpy as np
    >>> from crabsk.metrics import miscalibration_area
    >>> y_true = np.random.default_rng(0).normal(size=10_000)
    >>> y_pred, y_std = np.zeros(10_000), np.ones(10_000)
    >>> round(miscalibration_area(y_true, y_pred, y_std), 2)
    0.0
    >>> round(miscalibration_area(y_true, y_pred, y_std / 2), 2)
    0.21
    """
    raw = per_target(_miscalibration_area, y_true, y_pred, y_std, sample_weight=sample_weight)
    return average_targets(raw, multioutput)


def _share_inside(
    true: np.ndarray, pred: np.ndarray, std: np.ndarray, sample_weight: np.ndarray, level: float
) -> float:
    return np.average(_central_level(true, pred, std) <= level, weights=sample_weight)


def _shares_inside(
    true: np.ndarray,
    pred: np.ndarray,
    std: np.ndarray,
    sample_weight: np.ndarray,
    levels: np.ndarray,
) -> np.ndarray:
    steps, shares = _coverage_steps(true, pred, std, sample_weight)
    return shares[np.searchsorted(steps, levels, side="right")]


def _miscalibration_area(
    true: np.ndarray, pred: np.ndarray, std: np.ndarray, sample_weight: np.ndarray
) -> float:
    steps, shares = _coverage_steps(true, pred, std, sample_weight)
    # Between two steps the share is constant: |p - share| has (p - share) |p - share| / 2 as
    # its antiderivative.
    above = np.append(steps, 1.0) - shares
    below = np.insert(steps, 0, 0.0) - shares
    return (above * np.abs(above) - below * np.abs(below)).sum() / 2


def _coverage_steps(
    true: np.ndarray, pred: np.ndarray, std: np.ndarray, sample_weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the levels (n,) at which coverage rises and the shares (n + 1,) between them."""
    level = _central_level(true, pred, std)
    order = np.argsort(level)
    covered = np.insert(np.cumsum(sample_weight[order]), 0, 0.0)
    return level[order], covered / covered[-1]


def _central_level(true: np.ndarray, pred: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the probability of the smallest central interval that holds the label."""
    error = np.abs(true - pred)
    limit = np.where(error > 0, np.inf, 0.0)
    with np.errstate(over="ignore"):
        return erf(np.divide(error, std, out=limit, where=std > 0) / np.sqrt(2))
