"""Keys that say which rows are the same material, for grouping and de-duplication."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ._doubts import ACRONYM_BEGINNINGS, LAYER_NUMBERS
from ._elements import ELEMENTS, N_ELEMENTS, PLACES_IN_FORMULAS
from ._errors import FormulaError
from ._formula import FormulaReader
from ._input import read_compositions


def reduced_formula(X: Any) -> np.ndarray:
    """Return one formula for each row of X; equal compositions give the same formula.

    Parameters
    ----------
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Rows, in any form that crabsk's estimators take; or `Compositions`.

    Returns
    -------
    ndarray of shape (n_samples,), dtype object
        Formulas without brackets, in order of electronegativity (Pauling's) as in pymatgen, with
        the smallest whole amounts. If these would need more than 10,000 atoms of the scarcest
        element, the amounts are given per atom of that element, with eight digits. Smaller
        differences are then lost.

    Raises
    ------
    ValueError
        If an item is not a formula.

    Examples
    --------
    >>> from crabsk.composition import reduced_formula
    >>> reduced_formula(["Fe4O6", "O3Fe2", "FeO1.5", "Si0.5Ge0.5"])
    array(['Fe2O3', 'Fe2O3', 'Fe2O3', 'SiGe'], dtype=object)
    """
    compositions = read_compositions(X)
    places = np.array(PLACES_IN_FORMULAS)[compositions.atomic_numbers - 1]
    order = np.argsort(compositions.row_of_token * N_ELEMENTS + places, kind="stable")
    symbols = [ELEMENTS[z - 1] for z in compositions.atomic_numbers[order].tolist()]
    amounts = compositions.reduced_amounts[order].tolist()
    texts = [s + _amount_text(n) for s, n in zip(symbols, amounts, strict=True)]
    keys = _joined(texts, compositions.offsets, "")
    read = FormulaReader().read
    for row, key in enumerate(keys):
        if key and not _reads_back(key, read):
            tokens = slice(compositions.offsets[row], compositions.offsets[row + 1])
            pairs = zip(symbols[tokens], amounts[tokens], strict=True)
            keys[row] = "".join(s + (_amount_text(n) or "1") for s, n in pairs)
    return keys


def chemical_system(X: Any) -> np.ndarray:
    """Return the set of elements of each row of X, such as ``"Fe-O"``.

    Use these as groups for `sklearn.model_selection.GroupKFold`: all compounds of the same elements
    then stay on one side of each split, and the score measures performance on chemical systems that
    the model has not seen.

    Parameters
    ----------
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Rows, in any form that crabsk's estimators take; or `Compositions`.

    Returns
    -------
    ndarray of shape (n_samples,), dtype object
        Symbols in alphabetical order, joined by hyphens, as pymatgen and the Materials Project
        write them.

    Raises
    ------
    ValueError
        If an item is not a formula.

    Examples
    --------
    >>> from crabsk.composition import chemical_system
    >>> chemical_system(["Fe2O3", "FeO", "NaCl"])
    array(['Fe-O', 'Fe-O', 'Cl-Na'], dtype=object)
    """
    compositions = read_compositions(X)
    places = np.argsort(np.argsort(ELEMENTS))[compositions.atomic_numbers - 1]
    order = np.argsort(compositions.row_of_token * N_ELEMENTS + places, kind="stable")
    symbols = [ELEMENTS[z - 1] for z in compositions.atomic_numbers[order].tolist()]
    return _joined(symbols, compositions.offsets, "-")


def _reads_back(key: str, read: Callable) -> bool:
    """Whether a key is no text that is refused, such as `YBCO`."""
    if "." not in key and key[:4] not in ACRONYM_BEGINNINGS and key[-4:] not in LAYER_NUMBERS:
        return True
    try:
        read(key)
    except FormulaError:
        return False
    return True


def _amount_text(amount: float) -> str:
    if amount == 1:
        return ""
    return f"{amount:.15g}" if amount.is_integer() else f"{amount:.8g}"


def _joined(texts: list[str], offsets: np.ndarray, separator: str) -> np.ndarray:
    bounds = offsets.tolist()
    keys = np.empty(len(bounds) - 1, dtype=object)
    keys[:] = [separator.join(texts[start:end]) for start, end in pairwise(bounds)]
    return keys
