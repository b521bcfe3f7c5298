"""How much a candidate promises: acquisition functions of one target."""

from math import pi, sqrt
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, ndtr
from sklearn.utils import check_random_state, check_scalar

from .._text import shown

# The density of a normal distribution underflows to 0 this many standard deviations away.
_UNDERFLOWN = 40.0


def expected_improvement(
    mean: ArrayLike, std: ArrayLike, best: float, *, maximize: bool = True
) -> np.ndarray:
    r"""Mean amount by which a candidate beats the best value so far.

    .. math:: (\mu - b)\, \Phi(z) + \sigma\, \varphi(z), \qquad z = (\mu - b) / \sigma

    with the best value :math:`b`; equation 15 of [1]_, there for a minimum.

    Parameters
    ----------
    mean : array-like of shape (n_samples,)
        Predictions, in the unit of the target.
    std : array-like of shape (n_samples,)
        Standard deviations of the predictions, in the unit of the target, 0 or more.
    best : float
        The best value so far, in the unit of the target.
    maximize : bool, default=True
        Whether a high target is good.

    Returns
    -------
    ndarray of shape (n_samples,)
        In the unit of the target, 0 or more; higher is better. For `std` 0, the improvement
        itself: ``max(mean - best, 0)`` if high is good.

    Raises
    ------
    ValueError
        If the shapes differ, `mean`, `std` or `best` is not finite, or `std` is negative. The
        message shows the first such row.

    Notes
    -----
    Hopeless candidates keep their order: the relative error stays below 1e-12 down to
    :math:`z = -35`. From about :math:`z = -38`, the result is too small for a float and is 0.

    References
    ----------
    .. [1] D. R. Jones, M. Schonlau, W. J. Welch. Efficient Global Optimization of Expensive
       Black-Box Functions. Journal of Global Optimization 13, 455 (1998).
       https://doi.org/10.1023/A:1008306431147

    Examples
    --------
    >>> from crabsk.discovery import expected_improvement
    >>> expected_improvement([1.0, 2.0, 2.0], [1.0, 1.0, 0.0], best=1.0).round(4)
    array([0.3989, 1.0833, 1.    ])
    """
    gain, deviation = _gain_and_std(mean, std, best, maximize)
    return expected_excess(gain, deviation)


def probability_of_improvement(
    mean: ArrayLike, std: ArrayLike, best: float, *, maximize: bool = True
) -> np.ndarray:
    r"""Probability that a candidate beats the best value so far.

    .. math:: \Phi((\mu - b) / \sigma)

    with the best value :math:`b` [1]_. It does not ask by how much the candidate is better. Add
    the least improvement that counts to `best`, or subtract it if low is good.

    Parameters
    ----------
    mean : array-like of shape (n_samples,)
        Predictions, in the unit of the target.
    std : array-like of shape (n_samples,)
        Standard deviations of the predictions, in the unit of the target, 0 or more.
    best : float
        The best value so far, in the unit of the target.
    maximize : bool, default=True
        Whether a high target is good.

    Returns
    -------
    ndarray of shape (n_samples,)
        Between 0 and 1; higher is better. For `std` 0, 1 if `mean` is better than `best`, else 0:
        a candidate that is known to equal the best is no improvement.

    Raises
    ------
    ValueError
        If the shapes differ, `mean`, `std` or `best` is not finite, or `std` is negative. The
        message shows the first such row.

    References
    ----------
    .. [1] H. J. Kushner. A New Method of Locating the Maximum Point of an Arbitrary Multipeak
       Curve in the Presence of Noise. Journal of Basic Engineering 86, 97 (1964).
       https://doi.org/10.1115/1.3653121

    Examples
    --------
    >>> from crabsk.discovery import probability_of_improvement
    >>> probability_of_improvement([1.0, 2.0, 2.0], [1.0, 1.0, 0.0], best=1.0).round(4)
    array([0.5   , 0.8413, 1.    ])
    """
    gain, deviation = _gain_and_std(mean, std, best, maximize)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        probability = ndtr(gain / deviation)
    return np.where(deviation > 0, probability, gain > 0)


def upper_confidence_bound(
    mean: ArrayLike, std: ArrayLike, *, kappa: float = 2.0, maximize: bool = True
) -> np.ndarray:
    r"""Prediction plus some standard deviations: what a candidate may reach.

    .. math:: \mu + \kappa \sigma

    or, if low is good, :math:`-(\mu - \kappa \sigma)`. The rule of Algorithm 1 of [1]_, whose
    :math:`\beta_t` is :math:`\kappa^2`.

    Parameters
    ----------
    mean : array-like of shape (n_samples,)
        Predictions, in the unit of the target.
    std : array-like of shape (n_samples,)
        Standard deviations of the predictions, in the unit of the target, 0 or more.
    kappa : float, default=2.0
        How many standard deviations a candidate is given, 0 or more. At 0 only the predictions
        count.
    maximize : bool, default=True
        Whether a high target is good.

    Returns
    -------
    ndarray of shape (n_samples,)
        In the unit of the target; higher is better. If low is good, the bound with its sign
        changed.

    Raises
    ------
    ValueError
        If the shapes differ, `mean`, `std` or `kappa` is not finite, or `std` or `kappa` is
        negative. The message shows the first such row.

    References
    ----------
    .. [1] N. Srinivas, A. Krause, S. M. Kakade, M. Seeger. Gaussian Process Optimization in the
       Bandit Setting: No Regret and Experimental Design. ICML (2010).
       https://arxiv.org/abs/0912.3995

    Examples
    --------
    >>> from crabsk.discovery import upper_confidence_bound
    >>> upper_confidence_bound([1.0, 2.0], [1.0, 0.0])
    array([3., 2.])
    >>> upper_confidence_bound([1.0, 2.0], [1.0, 0.0], maximize=False)
    array([ 1., -2.])
    """
    if finite_number(kappa, "kappa") < 0:
        raise ValueError(f"kappa must not be negative, got {shown(kappa)}")
    gain, deviation = _gain_and_std(mean, std, 0.0, maximize)
    return gain + kappa * deviation


def probability_in_window(mean: ArrayLike, std: ArrayLike, low: float, high: float) -> np.ndarray:
    r"""Probability that the target of a candidate lies in a window.

    .. math:: \Phi((h - \mu) / \sigma) - \Phi((l - \mu) / \sigma)

    for the window from :math:`l` to :math:`h`: a band gap for a solar cell, an expansion that
    matches a substrate.

    Parameters
    ----------
    mean : array-like of shape (n_samples,)
        Predictions, in the unit of the target.
    std : array-like of shape (n_samples,)
        Standard deviations of the predictions, in the unit of the target, 0 or more.
    low : float
        Lower end of the window, in the unit of the target; ``-inf`` for none.
    high : float
        Upper end of the window, above `low`; ``inf`` for none.

    Returns
    -------
    ndarray of shape (n_samples,)
        Between 0 and 1; higher is better. For `std` 0, 1 if `mean` lies in the window, ends
        included, else 0.

    Raises
    ------
    ValueError
        If the shapes differ, `mean` or `std` is not finite, `std` is negative, or `low` is not
        below `high`. The message shows the first such row.

    Examples
    --------
    >>> from crabsk.discovery import probability_in_window
    >>> probability_in_window([1.5, 1.5, 3.0], [0.0, 0.5, 0.5], low=1.0, high=2.0).round(4)
    array([1.    , 0.6827, 0.0227])
    """
    check_scalar(low, "low", Real)
    check_scalar(high, "high", Real)
    if not low < high:
        raise ValueError(f"low must be below high, got {shown(low)} and {shown(high)}")
    centre, deviation = check_normal(mean, std, "n_samples")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        left, right = (low - centre) / deviation, (high - centre) / deviation
    # Near 1, ndtr cannot tell two ends apart. Mirrored, an upper tail is a lower one.
    left, right = np.where(left > 0, -right, left), np.where(left > 0, -left, right)
    inside = (low <= centre) & (centre <= high)
    return np.where(deviation > 0, ndtr(right) - ndtr(left), inside)


def thompson_draws(members: ArrayLike, *, n_draws: int = 1, random_state: Any = None) -> np.ndarray:
    r"""Draw functions that are as uncertain as an ensemble.

    Thompson sampling [1]_ takes the best candidate of each draw. A candidate is then taken with
    the probability that it is the best of all. The draws are

    .. math:: \bar m + \sum_k g_k \frac{m_k - \bar m}{\sqrt{K - 1}}, \qquad g \sim N(0, I)

    for :math:`K` members :math:`m_k` of mean :math:`\bar m`. Over many draws, their mean and
    their covariance between samples are those of the members.

    Parameters
    ----------
    members : array-like of shape (n_members, n_samples)
        What each member of an ensemble predicts, in the unit of the target; 2 members or more.
    n_draws : int, default=1
        Number of functions.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws. The same integer gives the same functions, for other samples, too: a
        stream of candidates can be drawn chunk by chunk.

    Returns
    -------
    ndarray of shape (n_draws, n_samples)
        The functions at the samples, in the unit of the target. With the same integer seed, more
        draws begin with the same ones.

    Raises
    ------
    ValueError
        If there are fewer than 2 members, a prediction is not finite, or `n_draws` is below 1.

    References
    ----------
    .. [1] W. R. Thompson. On the likelihood that one unknown probability exceeds another in view
       of the evidence of two samples. Biometrika 25, 285 (1933).
       https://doi.org/10.1093/biomet/25.3-4.285

    Examples
    --------
    >>> from crabsk.discovery import thompson_draws
    >>> members = [[1.0, 2.0, 5.0], [3.0, 2.0, 4.0]]
    >>> draws = thompson_draws(members, n_draws=4, random_state=0)
    >>> draws.shape
    (4, 3)
    >>> chunk = thompson_draws([[5.0], [4.0]], n_draws=4, random_state=0)
    >>> bool((chunk == draws[:, 2:]).all())
    True
    """
    predictions = as_numbers(members, "members", "n_members", "n_samples")
    refuse_rows(predictions, ~np.isfinite(predictions), "members must be finite")
    n_members = len(predictions)
    if n_members < 2:
        raise ValueError(f"members must have 2 rows or more, one for each member, got {n_members}")
    check_scalar(n_draws, "n_draws", Integral, min_val=1)
    weights = check_random_state(random_state).standard_normal((n_draws, n_members))
    # Sums member by member, not matrix products: those round differently in each chunk size.
    mean = sum(predictions) / n_members
    draws = np.tile(mean, (n_draws, 1))
    for weight, prediction in zip(weights.T, predictions, strict=True):
        draws += np.multiply.outer(weight, (prediction - mean) / sqrt(n_members - 1))
    return draws


def expected_excess(gain: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the mean of ``max(Y, 0)`` for normal Y with mean `gain`; the shapes broadcast.

    It is ``max(gain, 0)`` plus the same for the tail beyond 0, whichever side of 0 `gain` lies.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # fmin: 0 / 0 becomes any finite number, to be multiplied by a standard deviation of 0.
        distance = np.fmin(np.abs(gain) / std, _UNDERFLOWN)
    density = np.exp(-0.5 * distance**2) / sqrt(2 * pi)
    # The scaled erfc: density - distance * ndtr(-distance) would be a difference of equals.
    tail = density * (1 - distance * sqrt(pi / 2) * erfcx(distance / sqrt(2)))
    return np.maximum(gain, 0) + std * tail


def check_normal(mean: ArrayLike, std: ArrayLike, *axes: str) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations as arrays: finite, of one shape, `std` not negative."""
    centre, deviation = as_numbers(mean, "mean", *axes), as_numbers(std, "std", *axes)
    if centre.shape != deviation.shape:
        raise ValueError(f"mean has the shape {centre.shape}, but std has {deviation.shape}")
    refuse_rows(centre, ~np.isfinite(centre), "mean must be finite")
    bad = ~(np.isfinite(deviation) & (deviation >= 0))
    refuse_rows(deviation, bad, "std must be finite and not negative")
    return centre, deviation


def as_numbers(values: ArrayLike, name: str, *axes: str) -> np.ndarray:
    """Return an array of floats that has the axes, which are named for the message."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != len(axes):
        shape = ", ".join(axes) + ("," if len(axes) == 1 else "")
        raise ValueError(f"{name} must be of shape ({shape}), got {array.shape}")
    return array


def refuse_rows(values: np.ndarray, bad: np.ndarray, message: str) -> None:
    """Raise a ValueError that shows the first row that holds something bad, if there is one."""
    rows = np.flatnonzero(bad if bad.ndim == 1 else bad.any(axis=1))
    if len(rows):
        raise ValueError(
            f"{message}: row {rows[0]} is {shown(values[rows[0]].tolist())} "
            f"({len(rows)} such row(s) in all)"
        )


def finite_number(value: Any, name: str) -> float:
    """Return `value` if it is a finite number."""
    check_scalar(value, name, Real)
    if not np.isfinite(value):
        raise ValueError(f"{name} must be finite, got {shown(value)}")
    return float(value)


def _gain_and_std(
    mean: ArrayLike, std: ArrayLike, best: float, maximize: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much each mean is better than `best`, and the standard deviations."""
    check_scalar(maximize, "maximize", (bool, np.bool_))
    centre, deviation = check_normal(mean, std, "n_samples")
    gain = centre - finite_number(best, "best")
    return (gain if maximize else -gain), deviation
