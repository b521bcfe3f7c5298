"""SMACT's rules: which amounts of some elements make a charge-neutral composition."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ..composition import ELEMENTS

_CACHED = 2**24
"""Points that are remembered, in 4 bytes each: those of the sets of elements met last."""

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
        for n_positive in range(1, n):
            sides = [
                (self._positive if i < n_positive else self._negative)[kind]
                for i, kind in enumerate(key[:n])
            ]
            if not (key[n + n_positive - 1] and all(sides)):
                continue
            first = self._sums(tuple(sides[:half]), 1)
            second = self._sums(tuple(sides[half:]), -1)
            for word in first.keys() & second.keys():
                neutral |= (first[word][:, None] & second[word]) != 0
        return np.flatnonzero(neutral.ravel() & _is_coprime(self._max_amount, n)).astype(np.int32)

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


def import_smact(parameter: str) -> Any:
    """Return the package SMACT, with its module of oxidation states, which a parameter needs."""
    try:
        import smact.utils.oxidation
    except ImportError as error:
        raise ImportError(
            f"{parameter}=True needs SMACT: pip install smact, or pass {parameter}=False"
        ) from error
    return smact


def _smact_values(z: int) -> tuple[float, Side] | None:
    """Return an element's electronegativity and oxidation states; None if it lacks either."""
    try:
        element = import_smact("charge_neutral").Element(ELEMENTS[z - 1])
    except KeyError:  # SMACT does not know the heaviest elements
        return None
    states = element.oxidation_states_icsd24
    if element.pauling_eneg is None or not states:
        return None
    return float(element.pauling_eneg), tuple(states)
