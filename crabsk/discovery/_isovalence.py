"""Whether elements can take the places of others with the same oxidation states."""

from functools import cache
from math import prod
from typing import cast

import numpy as np
import pandas as pd

from ..composition import ATOMIC_NUMBERS, N_ELEMENTS
from ._neutrality import Side, import_smact

_TOLERANCE = 0.01
"""Charge per atom, in elementary charges, that counts as none: amounts of dopants are rounded."""

_AT_ONCE = 2**22
"""Most sums of charges that are made at once."""


def may_replace(old: np.ndarray, new: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return whether new elements may take the places of old ones.

    They must share oxidation states. Where states of the old ones can make the charges cancel,
    states that they share must do so, too.

    Parameters
    ----------
    old, new, amounts : ndarray of shape (n_compositions, n_elements)
        Atomic numbers, those in a column at the same place, and how much there is of them.

    Returns
    -------
    ndarray of shape (n_compositions,), dtype bool
    """
    kind_of, _, kinds = _states()
    common = np.array([[not a.isdisjoint(b) for b in kinds] for a in kinds])
    allowed = (common[kind_of[old], kind_of[new]] | (old == new)).all(axis=1)
    allowed[allowed] &= _can_balance(old[allowed], new[allowed], amounts[allowed]) | ~_can_balance(
        old[allowed], old[allowed], amounts[allowed]
    )
    return allowed


def _can_balance(old: np.ndarray, new: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return whether oxidation states that old and new elements share make the charges cancel.

    By SMACT's second rule, elements in a positive state must be less electronegative than those in
    a negative state, among the old ones and among the new ones.
    """
    kind_of, electronegativity, kinds = _states()
    order = np.argsort(electronegativity[old], axis=1)
    old, new, amounts = (np.take_along_axis(of, order, axis=1) for of in (old, new, amounts))
    splits = _may_split(electronegativity[old]) & _may_split(electronegativity[new])
    shares = amounts / amounts.sum(axis=1, keepdims=True)
    n = old.shape[1]
    facts = np.hstack([kind_of[old], kind_of[new], splits]).astype(np.uint8)
    balanced = np.zeros(len(old), dtype=bool)
    if not len(old):
        return balanced
    keys = pd.Series(facts.view(f"V{facts.shape[1]}")[:, 0].tolist(), dtype=object)
    with_key = cast(dict[bytes, np.ndarray], keys.groupby(keys).indices)
    for key, rows in with_key.items():
        both = [kinds[a] & kinds[b] for a, b in zip(key[:n], key[n : 2 * n], strict=True)]
        for n_positive in np.flatnonzero(np.frombuffer(key[2 * n :], dtype=np.uint8)) + 1:
            sides = [
                tuple(s for s in states if (s > 0) == (column < n_positive))
                for column, states in enumerate(both)
            ]
            if all(sides):
                balanced[rows] |= _any_cancels(shares[rows], sides)
    return balanced


@cache
def _states() -> tuple[np.ndarray, np.ndarray, list[frozenset[int]]]:
    """Return the kind of each element and its electronegativity, and the states of each kind.

    The states are those of a tenth or more of the element's ions in the ICSD. The first kind,
    without any state, is that of elements of which SMACT knows too little.
    """
    smact = import_smact()
    common = smact.utils.oxidation.ICSD24OxStatesFilter().filter(commonality="medium")
    kinds = [frozenset[int]()]
    kind_of = np.zeros(N_ELEMENTS + 1, dtype=int)
    electronegativity = np.full(N_ELEMENTS + 1, np.nan)
    for symbol, states in zip(common["element"], common["oxidation_state"], strict=True):
        value = smact.Element(symbol).pauling_eneg
        if value is None:
            continue
        its = frozenset(map(int, states.split()))
        if its not in kinds:
            kinds.append(its)
        kind_of[ATOMIC_NUMBERS[symbol]] = kinds.index(its)
        electronegativity[ATOMIC_NUMBERS[symbol]] = value
    return kind_of, electronegativity, kinds


def _may_split(electronegativity: np.ndarray) -> np.ndarray:
    """Return whether columns up to each one but the last may be positive and others negative."""
    highest = np.maximum.accumulate(electronegativity, axis=1)[:, :-1]
    lowest = np.minimum.accumulate(electronegativity[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return highest < lowest


def _any_cancels(shares: np.ndarray, sides: list[Side]) -> np.ndarray:
    """Return whether one oxidation state of each element makes the charges of a row cancel."""
    cancels = _may_cancel(shares, sides)
    rows = np.flatnonzero(cancels)
    half = len(sides) // 2
    at_once = max(1, _AT_ONCE // prod(map(len, sides[half:])))
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        cancels[some] = _cancel(shares[some, :half], shares[some, half:], sides)
    return cancels


def _may_cancel(shares: np.ndarray, sides: list[Side]) -> np.ndarray:
    """Return whether zero lies between the least and the largest charge of each row."""
    least, most = (np.array([how(side) for side in sides]) for how in (min, max))
    return (shares @ least < _TOLERANCE) & (shares @ most > -_TOLERANCE)


def _cancel(first: np.ndarray, second: np.ndarray, sides: list[Side]) -> np.ndarray:
    """Return whether one oxidation state of each element makes the charges of a row cancel.

    Half of the elements have one list of sums, the others have another, and a number must be in the
    one whose negative is in the other. All rows are looked up on one line, each far from the next.
    """
    apart = 4 * max(abs(state) for side in sides for state in side) * np.arange(len(first))[:, None]
    wanted = apart - _charges(first, sides[: first.shape[1]])
    there = np.sort(_charges(second, sides[first.shape[1] :]), axis=1)
    line = (apart + there).ravel()
    nearest = line[np.minimum(np.searchsorted(line, wanted - _TOLERANCE), len(line) - 1)]
    return (np.abs(nearest - wanted) < _TOLERANCE).any(axis=1)


def _charges(shares: np.ndarray, sides: list[Side]) -> np.ndarray:
    """Return the sum of charges per atom for each choice of states, shape (n_rows, n_choices)."""
    sums = np.zeros((len(shares), 1))
    for share, side in zip(shares.T, sides, strict=True):
        more = share[:, None, None] * np.array(side)
        sums = (sums[:, :, None] + more).reshape(len(shares), -1)
    return sums
