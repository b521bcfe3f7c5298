"""SMACT's rules: which amounts of some elements make a charge-neutral composition."""

from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from math import prod
from typing import Any, cast

import numpy as np
import pandas as pd

from ..composition import ELEMENTS, N_ELEMENTS

_CACHED = 2**24
"""Points that are remembered, in 4 bytes each: those of the sets of elements met last."""

_TOLERANCE = 1e-6
"""Charge per atom, in elementary charges, that counts as none: amounts may be fractions."""

_AT_ONCE = 2**22
"""Most sums of charges that are made at once."""

Side = tuple[int, ...]
"""Oxidation states of an element, all positive or all negative."""


class ChargeRule:
    """Finds the amounts for which one oxidation state of each element makes the charges cancel.

    SMACT's elements are put in order of electronegativity. By its second rule the first ones of
    a set are positive, then, and all others negative; where the one side ends and the other begins,
    the electronegativity must rise. Most elements share their states with others, so that most
    sets of elements share the answer with others, which is looked up by a *key*.

    Parameters
    ----------
    atomic_numbers : ndarray of shape (n,)
        Elements to choose from.
    n_elements : int
        Most elements in a composition.
    max_amount : int
        Amounts are 1 to this.

    Attributes
    ----------
    atomic_numbers : ndarray of shape (n_known,)
        Those with oxidation states and an electronegativity, the least electronegative first.
    """

    def __init__(self, atomic_numbers: np.ndarray, n_elements: int, max_amount: int) -> None:
        self._max_amount = max_amount
        self._n_elements = n_elements
        known = [(z, *found) for z in atomic_numbers.tolist() if (found := _smact_values(z))]
        # Of equally electronegative ones, the lighter first, whatever order they came in.
        known.sort(key=lambda one: (one[1], one[0]))
        self.atomic_numbers = np.array([z for z, _, _ in known], dtype=np.int64)
        self._electronegativities = np.array([value for _, value, _ in known])
        kinds = list(dict.fromkeys(states for _, _, states in known))
        self._kinds = np.array([kinds.index(states) for _, _, states in known], dtype=np.int64)
        self._positive = [tuple(s for s in states if s > 0) for states in kinds]
        self._negative = [tuple(s for s in states if s < 0) for states in kinds]
        largest = max((abs(s) for states in kinds for s in states), default=0)
        self._bound = largest * max_amount * ((n_elements + 1) // 2)

    def __getstate__(self) -> dict[str, Any]:
        caches = ("points", "_sums")
        return {name: value for name, value in vars(self).items() if name not in caches}

    def keys(self, chosen: np.ndarray) -> list[bytes]:
        """Return the key of each set of elements.

        Parameters
        ----------
        chosen : ndarray of shape (n_sets, n_elements)
            Indices into `atomic_numbers`, rising within each set.
        """
        rises = np.diff(self._electronegativities[chosen], axis=1) > 0
        keys = np.hstack([self._kinds[chosen], rises]).astype(np.uint8)
        return keys.view(f"V{keys.shape[1]}")[:, 0].tolist()

    @cached_property
    def points(self) -> Callable[[bytes], np.ndarray]:
        """The function `find_points`, which remembers some of its answers."""
        return lru_cache(self._cache_size)(self.find_points)

    def find_points(self, key: bytes) -> np.ndarray:
        """Return the neutral points of the sets of elements with this key, in rising order.

        Parameters
        ----------
        key : bytes
            One of `keys`.

        Returns
        -------
        ndarray of shape (n_points,), dtype int32
        """
        n = (len(key) + 1) // 2
        half = n // 2
        neutral = np.zeros((self._max_amount**half, self._max_amount ** (n - half)), dtype=bool)
        for sides in self._sides(key):
            first = self._sums(tuple(sides[:half]), 1)
            second = self._sums(tuple(sides[half:]), -1)
            for word in first.keys() & second.keys():
                neutral |= (first[word][:, None] & second[word]) != 0
        return np.flatnonzero(neutral.ravel() & _is_coprime(self._max_amount, n)).astype(np.int32)

    def is_neutral(self, atomic_numbers: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Return whether the charges of compositions can cancel, whatever their amounts are.

        Parameters
        ----------
        atomic_numbers, amounts : ndarray of shape (n_compositions, n_elements)

        Returns
        -------
        ndarray of shape (n_compositions,), dtype bool
        """
        place = np.full(N_ELEMENTS + 1, len(self.atomic_numbers))
        place[self.atomic_numbers] = np.arange(len(self.atomic_numbers))
        chosen = place[atomic_numbers]
        order = np.argsort(chosen, axis=1)
        chosen = np.take_along_axis(chosen, order, axis=1)
        shares = np.take_along_axis(amounts / amounts.sum(axis=1, keepdims=True), order, axis=1)
        neutral = np.zeros(len(chosen), dtype=bool)
        known = np.flatnonzero(chosen[:, -1] < len(self.atomic_numbers))
        keys = pd.Series(self.keys(chosen[known]), dtype=object)
        with_key = cast(dict[bytes, np.ndarray], keys.groupby(keys).indices)
        for key, its in with_key.items():
            for sides in self._sides(key):
                rows = known[its]
                rows = rows[~neutral[rows] & _may_cancel(shares[rows], sides)]
                half = shares.shape[1] // 2
                at_once = max(1, _AT_ONCE // prod(map(len, sides[half:])))
                for start in range(0, len(rows), at_once):
                    some = rows[start : start + at_once]
                    neutral[some] = _cancel(shares[some, :half], shares[some, half:], sides)
        return neutral

    def _sides(self, key: bytes) -> Iterator[list[Side]]:
        """Yield the oxidation states of each element of a set: the first positive, then negative.

        By SMACT's second rule, they change sides only where the electronegativity rises.
        """
        n = (len(key) + 1) // 2
        for n_positive in range(1, n):
            sides = [
                (self._positive if i < n_positive else self._negative)[kind]
                for i, kind in enumerate(key[:n])
            ]
            if key[n + n_positive - 1] and all(sides):
                yield sides

    @cached_property
    def _sums(self) -> Callable[[tuple[Side, ...], int], dict[int, np.ndarray]]:
        return lru_cache(self._cache_size)(self._find_sums)

    @property
    def _cache_size(self) -> int:
        return max(16, _CACHED // self._max_amount**self._n_elements)

    def _find_sums(self, sides: tuple[Side, ...], sign: int) -> dict[int, np.ndarray]:
        """Return the sums of charges that some elements can have, for each choice of amounts.

        They are sets of bits in words of 64, of which those without any bit are left out. Each is
        an array of shape (n_points,).
        """
        width = 2 * self._bound + 1
        sums = np.zeros((1, width), dtype=bool)
        sums[0, self._bound] = True
        for side in sides:
            more = np.zeros((len(sums), self._max_amount, width), dtype=bool)
            for amount in range(1, self._max_amount + 1):
                for state in side:
                    # No bit is shifted out: the bound is the largest sum of charges.
                    more[:, amount - 1] |= np.roll(sums, sign * state * amount, axis=1)
            sums = more.reshape(-1, width)
        padded = np.pad(np.packbits(sums, axis=1), ((0, 0), (0, -((width + 7) // 8) % 8)))
        words = np.ascontiguousarray(padded.view(np.uint64).T)
        return {w: word for w, word in enumerate(words) if word.any()}


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


@lru_cache(maxsize=4)
def coprime_points(max_amount: int, n_elements: int) -> np.ndarray:
    """Return the points whose amounts have no common divisor, in rising order."""
    return np.flatnonzero(_is_coprime(max_amount, n_elements))


@lru_cache(maxsize=4)
def _is_coprime(max_amount: int, n_elements: int) -> np.ndarray:
    amounts = np.arange(1, max_amount + 1, dtype=np.int32)
    divisors = np.zeros(1, dtype=np.int32)
    for _ in range(n_elements):
        divisors = np.gcd(divisors[:, None], amounts).ravel()
    return divisors == 1


def _smact_values(z: int) -> tuple[float, Side] | None:
    """Return an element's electronegativity and oxidation states; None if it lacks either."""
    try:
        import smact
    except ImportError as error:
        raise ImportError(
            "charges need SMACT: pip install smact, or pass charge_neutral=False (in substitute, "
            "keep_neutral=False)"
        ) from error
    try:
        element = smact.Element(ELEMENTS[z - 1])
    except KeyError:  # SMACT does not know the heaviest elements
        return None
    states = element.oxidation_states_icsd24
    if element.pauling_eneg is None or not states:
        return None
    return float(element.pauling_eneg), tuple(states)
