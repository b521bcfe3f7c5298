"""Samples that no model can fit: equal compositions with different targets."""

import warnings

import numpy as np

from .._validation import CompositionTable


class ConflictingTargetsWarning(UserWarning):
    """Equal compositions (with equal extra features) carry different targets.

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
    compositions = table.compositions
    fractions = np.round(compositions.fractions, 9)
    keys = [
        (
            compositions.atomic_numbers[start:end].tobytes(),
            fractions[start:end].tobytes(),
            extra.tobytes(),
        )
        for start, end, extra in zip(
            compositions.offsets[:-1], compositions.offsets[1:], table.extra, strict=True
        )
    ]
    known: dict[tuple, np.ndarray] = {}
    conflicting = 0
    for labels, key in zip(y, keys, strict=True):
        earlier = known.get(key, labels)
        # A label that either lacks is no conflict.
        conflicting += bool((np.abs(earlier - labels) > 0).any())
        known[key] = np.where(np.isnan(earlier), labels, earlier)
    if conflicting:
        warnings.warn(
            f"{conflicting} of {len(keys)} samples have the composition (and extra features) of "
            "an earlier sample but another target: aggregate them, add the feature that tells "
            "them apart, or use a grouped split (crabsk.composition.reduced_formula gives groups)",
            ConflictingTargetsWarning,
            stacklevel=4,
        )
