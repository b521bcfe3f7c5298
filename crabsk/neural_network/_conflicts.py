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


def warn_of_conflicts(table: CompositionTable, y: np.ndarray) -> None:
    """Warn where equal samples carry different targets; no model can fit both."""
    if is_nested():
        return
    _, same = table.compositions.unique(table.extra)
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
