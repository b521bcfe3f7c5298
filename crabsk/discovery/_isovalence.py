"""Whether elements can take the places of others with the same oxidation states."""

from functools import cache
from math import prod
from typing import cast

import numpy as np
import pandas as pd

from ..composition import ATOMIC_NUMBERS, N_ELEMENTS
from ._neutrality import Side, import_smact

_COMMON = 5.0
"""Least percentage of an element's ions in the ICSD that makes an oxidation state common."""

_UNIT = 10**9
"""Charges per atom are counted in whole parts of this, so that sums and comparisons are exact."""

_ROUNDED = _UNIT // 100
"""Largest charge per atom of a balanced composition: amounts of dopants are rounded."""

_SAME = _UNIT // 10**6
"""Charges per atom that differ by no more are equal: amounts are fractions in binary."""

_UNBALANCED = np.iinfo(np.int64).max // 2
"""Stands for a charge where no states are possible, or none near balance."""

_AT_ONCE = 2**22
"""Most sums of charges that are made at once."""


def may_replace(old: np.ndarray, new: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return whether new elements may take the places of old ones.

    They must share oxidation states. Where states of the old ones balance the charges, states that
    are shared must do so as well.

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
    old, new, amounts = old[allowed], new[allowed], amounts[allowed]
    before, after = _least_charge(old, old, amounts), _least_charge(old, new, amounts)
    allowed[allowed] = (after <= before + _SAME) | (before > _ROUNDED)
    return allowed


def _least_charge(old: np.ndarray, new: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return the charge that is left at least if states that old and new elements share balance.

    By SMACT's second rule, elements in a positive state must be less electronegative than those in
    a negative state, among the old ones and among the new ones.

    Returns
    -------
    ndarray of shape (n_compositions,), dtype int64
        Per atom, in parts of `_UNIT`. Much more than `_ROUNDED` may be `_UNBALANCED`.
    """
    least = np.full(len(old), _UNBALANCED)
    if not len(old):
        return least
    kind_of, electronegativity, kinds = _states()
    order = np.argsort(electronegativity[old], axis=1)
    old, new, amounts = (np.take_along_axis(of, order, axis=1) for of in (old, new, amounts))
    splits = _may_split(electronegativity[old]) & _may_split(electronegativity[new])
    shares = np.rint(amounts / amounts.sum(axis=1, keepdims=True) * _UNIT).astype(np.int64)
    n = old.shape[1]
    facts = np.hstack([kind_of[old], kind_of[new], splits]).astype(np.uint8)
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
                least[rows] = np.minimum(least[rows], _least_sum(shares[rows], sides))
    return least


@cache
def _states() -> tuple[np.ndarray, np.ndarray, list[frozenset[int]]]:
    """Return the kind of each element and its electronegativity, and the states of each kind.

    The first kind, without any state, is that of elements without an electronegativity in SMACT.
    """
    smact = import_smact("isovalent")
    common = smact.utils.oxidation.ICSD24OxStatesFilter().filter(commonality=_COMMON)
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


def _least_sum(shares: np.ndarray, sides: list[Side]) -> np.ndarray:
    """Return the charge nearest to zero that one oxidation state of each element gives."""
    least = np.full(len(shares), _UNBALANCED)
    lowest, highest = (shares @ np.array([how(side) for side in sides]) for how in (min, max))
    rows = np.flatnonzero((lowest <= 2 * _ROUNDED) & (highest >= -2 * _ROUNDED))
    choices = [len(side) for side in sides]
    half = min(
        range(1, len(sides)), key=lambda n: max(prod(choices[:n]), prod(choices[n:])), default=0
    )
    at_once = max(1, _AT_ONCE // max(prod(choices[:half]), prod(choices[half:])))
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        first = _charges(shares[some, :half], sides[:half])
        second = _charges(shares[some, half:], sides[half:])
        least[some] = _nearest(-first, second).min(axis=1)
    return least


def _charges(shares: np.ndarray, sides: list[Side]) -> np.ndarray:
    """Return the sum of charges for each choice of states, shape (n_rows, n_choices)."""
    sums = np.zeros((len(shares), 1), dtype=np.int64)
    for share, side in zip(shares.T, sides, strict=True):
        more = share[:, None, None] * np.array(side)
        sums = (sums[:, :, None] + more).reshape(len(shares), -1)
    return sums


def _nearest(wanted: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return how far each number of a row of `wanted` is from the nearest in that row of `there`.

    All rows are looked up on one line, each further from the next than any two numbers of a row.
    """
    apart = 3 * max(np.abs(wanted).max(), np.abs(there).max()) + 1
    places = apart * np.arange(len(there))[:, None]
    line = (np.sort(there, axis=1) + places).ravel()
    asked = wanted + places
    above = np.searchsorted(line, asked)
    return np.minimum(
        np.abs(line[np.minimum(above, len(line) - 1)] - asked),
        np.abs(line[np.maximum(above - 1, 0)] - asked),
    )
