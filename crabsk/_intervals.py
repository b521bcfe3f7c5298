"""By what standard deviations are too small, from errors on samples that were not seen."""

import warnings

import numpy as np
from scipy.stats import norm

# Share of errors that calibrated standard deviations are to cover, by a normal interval.
COVERAGE = 0.9
_HALF_WIDTH = norm.ppf((1 + COVERAGE) / 2)
# Compositions below which there is no such quantile.
_FEWEST = 9
# The mean square error of all clones is taken for no less than this share of that of two.
_SMALLEST_SHARE = 0.25


def interval_factor(
    errors: np.ndarray, stds: np.ndarray, weights: np.ndarray, n_compositions: int
) -> float:
    """Return by what to multiply standard deviations for normal intervals that cover 90 %.

    Parameters
    ----------
    errors, stds, weights : ndarray of shape (n_samples,)
        Absolute errors of samples that were not seen, standard deviations, and what each counts.
    n_compositions : int
        How many compositions the samples are of, for the correction of a finite number.

    Returns
    -------
    float
        The factor; 0 if nine in ten samples have no error.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors == 0, 0.0, errors / stds)
    ratios[np.isnan(ratios)] = np.inf
    share = min(1.0, (n_compositions + 1) * COVERAGE / n_compositions)
    # Rounding must not take the quantile of 18 in 19 one further.
    found = np.quantile(ratios, share * (1 - 1e-9), weights=weights, method="inverted_cdf")
    return float(found / _HALF_WIDTH)


def beyond(errors: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return how much larger errors are than intervals of 90 % that these variances make.

    To cover an error, standard deviations that are added in square must cover the rest.
    """
    return np.sqrt(np.maximum(errors**2 - _HALF_WIDTH**2 * variances, 0.0))


def calibration_factor(
    y: np.ndarray,
    means: np.ndarray,
    stds: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    n_clones: int,
    of_elements: np.ndarray | None = None,
) -> np.ndarray:
    """Return what standard deviations must be multiplied by to fit the errors made.

    The formulas stand in the notes of `CalibratedRegressorCV`. Few errors are far larger than
    normal ones would be, so that the root of the mean square, the choice of highest likelihood,
    would cover far too many. Fewer than nine compositions cannot tell a quantile of 90 %, and the
    largest error is covered.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_outputs)
        Targets.
    means, stds : ndarray of shape (2, n_samples, n_outputs)
        What two clones say of each sample that they have not seen.
    weights : ndarray of the same shape as y
        0 where there is no label.
    groups : ndarray of shape (n_samples,)
        Which samples are of one composition: these have the same number.
    n_clones : int
        How many will predict together.
    of_elements : ndarray of the same shape as y, optional
        Variances that are added, and that no factor multiplies.

    Warns
    -----
    UserWarning
        If a target has labels of fewer than nine compositions.
    """
    errors = np.abs(y - means.mean(axis=0))
    # Of a prediction that is no number.
    errors = np.where(np.isnan(errors), np.inf, errors)
    own, scatter = (stds**2).mean(axis=0), means.var(axis=0, ddof=1)
    factors = np.ones(y.shape[1])
    left = errors if of_elements is None else beyond(errors, of_elements)
    for k in range(y.shape[1]):
        labelled = weights[:, k] > 0
        _, group, size = np.unique(groups[labelled], return_inverse=True, return_counts=True)
        if len(size) < _FEWEST:
            warnings.warn(
                f"calibration has {len(size)} compositions with a label of target {k} to learn "
                "from, and needs nine: its intervals will be too narrow",
                UserWarning,
                stacklevel=4,
            )
        factors[k] = _factor(
            errors[labelled, k],
            left[labelled, k],
            own[labelled, k],
            scatter[labelled, k],
            weights[labelled, k] / size[group],
            len(size),
            n_clones,
        )
    return factors


def _factor(
    errors: np.ndarray,
    left: np.ndarray,
    own: np.ndarray,
    scatter: np.ndarray,
    weights: np.ndarray,
    n_compositions: int,
    n_clones: int,
) -> float:
    """Return the factor of one target from errors of two clones, their variances and scatter.

    `left` is what no other variance accounts for of the errors.
    """
    if not len(errors):
        return 1.0
    found = interval_factor(left, np.sqrt(own), weights, n_compositions)
    if not found:
        return 1.0
    known = np.isfinite(errors) & np.isfinite(own) & np.isfinite(scatter)
    if not known.any():
        return found
    error, variance, spread = (
        np.average(part[known], weights=weights[known]) for part in (errors**2, own, scatter)
    )
    # What the mean of all clones errs less than that of two.
    gain = spread * (1 / 2 - 1 / n_clones) / error if error > 0 else 0.0
    total = np.sqrt(1 + spread / variance) if variance > 0 else 1.0
    better = np.sqrt(max(1 - gain, _SMALLEST_SHARE))
    return float(found * better / total)
