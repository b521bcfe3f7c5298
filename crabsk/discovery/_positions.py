"""Compositions of one number of elements, by position.

They stand one set of elements after the other. Within a set come its *points*: choices of amounts
from (1, 1) to the largest, each as one number in which the last amount varies fastest.
"""

from abc import ABC, abstractmethod
from functools import cached_property, lru_cache
from itertools import pairwise
from math import comb

import numpy as np

from ..composition import ELEMENTS
from ._neutrality import ChargeRule, coprime_points

_SETS_AT_ONCE = 65_536
_COUNTS_CACHED = 2**19


class Block(ABC):
    """Compositions of one number of elements.

    Parameters
    ----------
    elements : ndarray of shape (n,)
        Atomic numbers to choose from.
    n_elements : int
        How many to choose.
    max_amount : int
        Amounts are 1 to this.
    """

    def __init__(self, elements: np.ndarray, n_elements: int, max_amount: int) -> None:
        self.elements = elements
        self.n_elements = n_elements
        self.max_amount = max_amount
        self.n_sets = comb(len(elements), n_elements)
        self._radix = max_amount ** np.arange(n_elements - 1, -1, -1)

    @property
    @abstractmethod
    def n_compositions(self) -> int: ...

    @abstractmethod
    def _read_points(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sets of elements and the points at some positions."""

    @abstractmethod
    def _find_points(self, chosen: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return the positions of those sets of elements and points that are in the block."""

    def read(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the elements and amounts at some positions, each (n_positions, n_elements)."""
        chosen, points = self._read_points(positions)
        return self.elements[chosen], points[:, None] // self._radix % self.max_amount + 1

    def sets(self, positions: np.ndarray) -> np.ndarray:
        """Return sets of elements, each as indices in rising order, by position.

        Their order is that of `itertools.combinations`. Counted from the end, position ``p`` is
        written in the combinatorial number system (D. E. Knuth, TAOCP 4A, 7.2.1.3).
        """
        n, k = len(self.elements), self.n_elements
        chosen = np.empty((len(positions), k), dtype=np.int64)
        rest = self.n_sets - 1 - positions
        for column in range(k):
            counts = np.array([comb(c, k - column) for c in range(n)])
            from_end = np.searchsorted(counts, rest, side="right") - 1
            rest = rest - counts[from_end]
            chosen[:, column] = n - 1 - from_end
        return chosen

    def positions_of_sets(self, chosen: np.ndarray) -> np.ndarray:
        """Return the position of each set of elements; the opposite of `sets`."""
        n, k = len(self.elements), self.n_elements
        from_end = np.zeros(len(chosen), dtype=np.int64)
        for column in range(k):
            counts = np.array([comb(c, k - column) for c in range(n)])
            from_end += counts[n - 1 - chosen[:, column]]
        return self.n_sets - 1 - from_end

    def find(self, elements: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Return the positions of those of some compositions that are in the block.

        Parameters
        ----------
        elements, amounts : ndarray of shape (n_compositions, n_elements)
            Atomic numbers, and whole amounts up to `max_amount` without a common divisor.
        """
        index = np.full(len(ELEMENTS) + 1, -1)
        index[self.elements] = np.arange(len(self.elements))
        chosen = index[elements]
        inside = (chosen >= 0).all(axis=1)
        order = np.argsort(chosen[inside], axis=1)
        chosen = np.take_along_axis(chosen[inside], order, axis=1)
        points = (np.take_along_axis(amounts[inside], order, axis=1) - 1) @ self._radix
        return self._find_points(chosen, points)


class AllPoints(Block):
    """All compositions: every set of elements has the same points."""

    @property
    def n_compositions(self) -> int:
        return self.n_sets * len(self._points)

    @property
    def _points(self) -> np.ndarray:
        return coprime_points(self.max_amount, self.n_elements)

    def _read_points(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sets, within = np.divmod(positions, len(self._points))
        return self.sets(sets), self._points[within]

    def _find_points(self, chosen: np.ndarray, points: np.ndarray) -> np.ndarray:
        within = np.searchsorted(self._points, points)
        return self.positions_of_sets(chosen) * len(self._points) + within


class NeutralPoints(Block):
    """Charge-neutral compositions: each set of elements has points of its own."""

    def __init__(
        self, elements: np.ndarray, n_elements: int, max_amount: int, rule: ChargeRule
    ) -> None:
        super().__init__(elements, n_elements, max_amount)
        self._rule = rule

    @property
    def n_compositions(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def _starts(self) -> np.ndarray:
        """Position of the first composition of each set of elements, and their total number."""
        count = lru_cache(_COUNTS_CACHED)(lambda key: len(self._rule.find_points(key)))
        starts = np.zeros(self.n_sets + 1, dtype=np.int64)
        for start in range(0, self.n_sets, _SETS_AT_ONCE):
            positions = np.arange(start, min(start + _SETS_AT_ONCE, self.n_sets))
            starts[positions + 1] = [count(key) for key in self._rule.keys(self.sets(positions))]
        return np.cumsum(starts, out=starts)

    def _read_points(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sets = np.searchsorted(self._starts, positions, side="right") - 1
        within = positions - self._starts[sets]
        first = np.flatnonzero(np.diff(sets, prepend=-1))
        runs = [*first.tolist(), len(sets)]
        chosen = self.sets(sets[first])
        points = np.empty(len(sets), dtype=np.int64)
        for key, (start, end) in zip(self._rule.keys(chosen), pairwise(runs), strict=True):
            points[start:end] = self._rule.points(key)[within[start:end]]
        return np.repeat(chosen, np.diff(runs), axis=0), points

    def _find_points(self, chosen: np.ndarray, points: np.ndarray) -> np.ndarray:
        starts = self._starts[self.positions_of_sets(chosen)]
        found = []
        keys = self._rule.keys(chosen)
        for key, point, start in zip(keys, points.tolist(), starts.tolist(), strict=True):
            own = self._rule.points(key)
            within = int(np.searchsorted(own, point))
            if within < len(own) and own[within] == point:
                found.append(start + within)
        return np.array(found, dtype=np.int64)
