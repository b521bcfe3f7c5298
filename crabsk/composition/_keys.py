"""Keys that say which rows are the same material: for grouped cross-validation and de-duplication."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from ._elements import ELEMENTS
from ._input import read_compositions
from ._ragged import Compositions


def reduced_formula(X: Any, *, formula_column: Hashable = "auto") -> np.ndarray:
    """Return one formula for each row of X, the same for equal compositions.

    Parameters
    ----------
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Rows, in any form that crabsk's estimators take.
    formula_column : "auto", str or int, default="auto"
        Which column of a table holds the formulas.

    Returns
    -------
    ndarray of shape (n_samples,), dtype object
        Formulas in order of atomic number. Whole amounts are divided by their greatest common
        divisor, others by the smallest amount (written with eight digits).

    Raises
    ------
    ValueError
        If an item is not a formula.

    Examples
    --------
    >>> from crabsk.composition import reduced_formula
    >>> reduced_formula(["Fe4O6", "O3Fe2", "Si0.5Ge0.5"])
    array(['O3Fe2', 'O3Fe2', 'SiGe'], dtype=object)
    """
    compositions = read_compositions(X, formula_column)
    texts = [
        ELEMENTS[z - 1] + ("" if amount == 1 else f"{amount:.8g}")
        for z, amount in zip(
            compositions.atomic_numbers.tolist(),
            _reduced_amounts(compositions).tolist(),
            strict=True,
        )
    ]
    return _joined(texts, compositions.offsets, "")


def chemical_system(X: Any, *, formula_column: Hashable = "auto") -> np.ndarray:
    """Return the set of elements of each row of X, such as ``"O-Fe"``.

    As groups for `sklearn.model_selection.GroupKFold` it keeps all compounds of the same elements
    on one side of a split, so that a score tells how a model does on chemistry that it has not
    seen.

    Parameters
    ----------
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Rows, in any form that crabsk's estimators take.
    formula_column : "auto", str or int, default="auto"
        Which column of a table holds the formulas.

    Returns
    -------
    ndarray of shape (n_samples,), dtype object
        Symbols in order of atomic number, joined by hyphens.

    Raises
    ------
    ValueError
        If an item is not a formula.

    Examples
    --------
    >>> from crabsk.composition import chemical_system
    >>> chemical_system(["Fe2O3", "FeO", "NaCl"])
    array(['O-Fe', 'O-Fe', 'Na-Cl'], dtype=object)
    """
    compositions = read_compositions(X, formula_column)
    symbols = [ELEMENTS[z - 1] for z in compositions.atomic_numbers.tolist()]
    return _joined(symbols, compositions.offsets, "-")


def _reduced_amounts(compositions: Compositions) -> np.ndarray:
    """Divide whole amounts by their greatest common divisor, others by their minimum."""
    if not len(compositions.amounts):
        return compositions.amounts
    lengths, amounts = compositions.lengths, compositions.amounts
    # Every composition but the empty ones, which hold no tokens to divide.
    starts = compositions.offsets[:-1][lengths > 0]
    lengths = lengths[lengths > 0]
    whole = (amounts == np.rint(amounts)) & (amounts < 2**53)
    all_whole = np.logical_and.reduceat(whole, starts)
    divisors = np.minimum.reduceat(amounts, starts)
    common = np.gcd.reduceat(np.where(whole, amounts, 1).astype(np.int64), starts)
    divisors[all_whole] = common[all_whole]
    return amounts / np.repeat(divisors, lengths)


def _joined(texts: list[str], offsets: np.ndarray, separator: str) -> np.ndarray:
    bounds = offsets.tolist()
    keys = np.empty(len(bounds) - 1, dtype=object)
    keys[:] = [
        separator.join(texts[start:end]) for start, end in zip(bounds[:-1], bounds[1:], strict=True)
    ]
    return keys
