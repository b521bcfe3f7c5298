"""By what standard deviations are too small, from errors on samples that were not seen."""

import numpy as np
from scipy.stats import norm

# Share of errors that calibrated standard deviations are to cover, by a normal interval.
COVERAGE = 0.9


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
    return float(found / norm.ppf((1 + COVERAGE) / 2))
