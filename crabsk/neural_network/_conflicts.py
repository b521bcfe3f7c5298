"""Samples that no model can fit: equal compositions with different targets."""

import numpy as np

from .._validation import CompositionTable
from ..composition import reduced_formula, warn_of_table
from ._nested_warnings import is_nested


class ConflictingTargetsWarning(UserWarning):
    """Samples with equal compositions (and equal extra features) have different targets.

    Examples
    --------
    >>> import warnings
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.neural_network import ConflictingTargetsWarning
    >>> model = CrabNetRegressor(max_epochs=1, n_estimators=1, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ConflictingTargetsWarning)
    ...     _ = model.fit(["Fe2O3", "Fe4O6", "NaCl"], [-1.7, -1.9, -2.1])
    """


def equal_samples(table: CompositionTable) -> np.ndarray:
    """Return a number for each sample, the same for equal compositions and extra features."""
    return table.compositions.unique(table.extra)[1]


def warn_of_conflicts(table: CompositionTable, y: np.ndarray) -> None:
    """Warn where equal samples carry different targets; no model can fit both."""
    if is_nested():
        return
    same = equal_samples(table)
    known: dict[int, tuple[int, np.ndarray]] = {}
    conflicts: list[tuple[int, int]] = []
    for row, (labels, key) in enumerate(zip(y, same.tolist(), strict=True)):
        first, earlier = known.get(key, (row, labels))
        # If either lacks a label, there is no conflict.
        if (np.abs(earlier - labels) > 0).any():
            conflicts.append((first, row))
        known[key] = first, np.where(np.isnan(earlier), labels, earlier)
    if conflicts:
        first, row = conflicts[0]
        formula = reduced_formula(table.compositions.take(np.array([row])))[0]
        warn_of_table(
            f"{len(conflicts)} of {len(y)} samples have the composition (and extra features) of "
            f"an earlier sample but another target, such as {formula} in rows {first} and {row}: "
            "aggregate them, or add a feature in which they differ. A grouped split keeps them in "
            "the same set, training or test (crabsk.composition.reduced_formula gives the groups)",
            ConflictingTargetsWarning,
        )


def pure_error(same: np.ndarray, values: np.ndarray, present: np.ndarray) -> float:
    """Return the share of the variance of targets that lies between equal samples.

    No model can explain it, because it gives equal samples one prediction. Samples that have no
    equal count as free of error, so that the share of all samples is rather larger.

    Parameters
    ----------
    same : ndarray of shape (n_samples,)
        What `equal_samples` returns.
    values : ndarray of shape (n_samples, n_outputs)
        Targets, each on a scale on which it has unit variance or so.
    present : bool ndarray of shape (n_samples, n_outputs)
        Where there are labels.

    Returns
    -------
    float
        From 0 to 1.

    References
    ----------
    .. [1] Draper, N. R. and Smith, H., "Applied regression analysis", third edition, Wiley 1998,
       section 2.1: the pure error of replicates.

    Examples
    --------
    Two pairs with standard deviations of 1 around means of 0 and 10:

    >>> import numpy as np
    >>> from crabsk.neural_network._conflicts import pure_error
    >>> values = np.array([[-1.0], [1.0], [9.0], [11.0]])
    >>> round(pure_error(np.array([0, 0, 1, 1]), values, np.ones((4, 1), bool)), 3)
    0.077
    """
    within = total = 0.0
    for column, labelled in zip(values.T.astype(np.float64), present.T, strict=True):
        groups = np.unique(same[labelled], return_inverse=True)[1]
        labels = column[labelled]
        sizes = np.bincount(groups)
        means = np.bincount(groups, labels) / sizes
        squares = np.bincount(groups, (labels - means[groups]) ** 2)
        # Unbiased: the variance around the known mean of a group is too small.
        repeated = sizes > 1
        within += float((squares * sizes)[repeated] @ (1 / (sizes[repeated] - 1)))
        total += float(((labels - labels.mean()) ** 2).sum()) if len(labels) else 0.0
    return min(1.0, within / total) if total > 0 else 0.0
