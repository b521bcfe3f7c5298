"""Samples that no model can fit: equal compositions with different targets."""

import numpy as np
from scipy.special import chdtri
from scipy.stats import rankdata

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
    """Return the share of the variance of the targets that lies within groups of equal samples.

    No model can explain this share, because a model gives all samples of a group the same
    prediction. Variances are computed from ranks, so that a single wrong label has little effect.
    The variance within groups [1]_ is taken at the lower end of its 95 % confidence interval, so
    that the result is small if there are only a few groups. A sample that is equal to no other
    counts as free of error.

    Parameters
    ----------
    same : ndarray of shape (n_samples,)
        What `equal_samples` returns.
    values : ndarray of shape (n_samples, n_targets * n_columns)
        Targets. Classes that exclude each other are one target, with a column for each class.
    present : bool ndarray of shape (n_samples, n_targets)
        True where there is a label. Sample weights are not used.

    Returns
    -------
    float
        From 0 to 1, for the target with the lowest share.

    References
    ----------
    .. [1] Draper, N. R. and Smith, H., "Applied regression analysis", third edition, Wiley 1998,
       section 2.1: the pure error of replicates.

    Examples
    --------
    A hundred pairs of equal samples. The labels of pair k are k and k + 30:

    >>> import numpy as np
    >>> from crabsk.neural_network import pure_error
    >>> same = np.repeat(np.arange(100), 2)
    >>> labels = same + np.tile([0.0, 30.0], 100)
    >>> round(pure_error(same, labels[:, None], np.ones((200, 1), dtype=bool)), 2)
    0.33
    """
    targets = np.split(values, present.shape[1], axis=1)
    shares = [
        _share_within(same[labelled], target[labelled])
        for target, labelled in zip(targets, present.T, strict=True)
    ]
    return min(shares)


def _share_within(same: np.ndarray, columns: np.ndarray) -> float:
    groups = np.unique(same, return_inverse=True)[1]
    sizes = np.bincount(groups)
    n_free = len(groups) - len(sizes)
    if not n_free:
        return 0.0
    within = total = 0.0
    for ranks in rankdata(columns, axis=0).T:
        means = np.bincount(groups, ranks) / sizes
        squares = np.bincount(groups, (ranks - means[groups]) ** 2)
        # Around the mean of a group, its samples scatter less than around the true one.
        repeated = sizes > 1
        within += float((squares * sizes)[repeated] @ (1 / (sizes[repeated] - 1)))
        total += float(((ranks - ranks.mean()) ** 2).sum())
    lowest = n_free / chdtri(n_free, 0.05)
    return min(1.0, float(lowest) * within / total) if total else 0.0
