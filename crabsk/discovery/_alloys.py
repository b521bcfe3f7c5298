"""Alloys on a grid of percentages."""

from collections.abc import Mapping
from math import floor, isfinite
from numbers import Real
from typing import Any

import numpy as np

from .._text import few, shown
from ..composition import (
    ELEMENTS,
    N_ELEMENTS,
    Compositions,
    compositions_from_components,
    compositions_from_matrix,
    reduced_formula,
)
from ._candidates import Candidates, Without, check_elements, formulas_of, read_excluded

_UNITS = ("at%", "wt%")
_SAME = 1e-5
"""Percentages closer than this are the same: formulas by weight have eight digits."""

_MAX_STEPS = 100_000
_MAX_WHOLE = 10_000
"""Most steps for which `reduced_formula` writes whole amounts, whatever the composition."""


def alloy_grid(
    ranges: Mapping[str, float | tuple[float, float]],
    *,
    step: float,
    unit: str = "at%",
    exclude: Any = None,
) -> Candidates:
    """Return all alloys on a grid of percentages.

    Parameters
    ----------
    ranges : mapping from str to (float, float) or float
        Symbols, each with the least and the most of the element in percent, both included. A number
        fixes it. Percentages are 0 to 100 and whole multiples of `step`.
    step : float
        Distance of grid points in percent, 0.001 or more. 100 is a whole multiple of it.
    unit : {"at%", "wt%"}, default="at%"
        What percentages are of: atoms or weight.
    exclude : sequence of formulas, DataFrame or matrix of element amounts, default=None
        Alloys to leave out, such as those that are known, in any form that crabsk's estimators
        take. Those that are not on the grid (to within 1e-5 percent) do no harm.

    Returns
    -------
    Candidates
        Formulas of all alloys on the grid whose percentages add up to 100. The percentage of the
        first element in `ranges` varies slowest. An element of 0 percent is left out of the
        formula.

    Raises
    ------
    ValueError
        If `ranges` is empty or has an unknown symbol, percentages outside of 0 to 100, a lower
        bound above the upper one or bounds that are not on the grid. Also if 100 is no multiple of
        `step`, no percentages add up to 100, `unit` is unknown, there are over 9.2e18 alloys, or
        `exclude` cannot be read.

    Warns
    -----
    TableWarning
        If `exclude` holds numbers that may not be amounts of elements.

    See Also
    --------
    crabsk.composition.from_weight_percent : Weight percent to atomic percent.

    Notes
    -----
    Alloys are counted, not listed, so that a grid of 1e9 of them takes no more memory than one of
    ten. What is kept are two numbers for each element and step.

    Formulas of ``unit="at%"`` have the smallest whole amounts of atoms: Al7CrFe12 is 35 at% Al.
    With ``unit="wt%"`` they are converted as `crabsk.composition.from_weight_percent` does and
    written as `crabsk.composition.reduced_formula` does: relative to the scarcest element, to eight
    digits. Read back, the percentages by weight are right to within 1e-5.

    Examples
    --------
    >>> from crabsk.discovery import alloy_grid
    >>> alloys = alloy_grid({"Al": (0, 35), "Cr": (5, 20), "Fe": (0, 100)}, step=5)
    >>> len(alloys)
    32
    >>> alloys[0], alloys[-1]
    ('CrFe19', 'Al7Cr4Fe9')
    >>> list(alloy_grid({"Ti": (88, 90), "Al": (6, 8), "V": 4}, step=1, unit="wt%"))
    ['Ti23.413291Al3.7759988V', 'Ti23.679351Al3.303999V', 'Ti23.945411Al2.8319991V']
    """
    if unit not in _UNITS:
        raise ValueError(f"unit={shown(unit)} is not one of {few(_UNITS)}")
    if not isinstance(ranges, Mapping) or not ranges:
        raise ValueError(
            f"ranges={shown(ranges)} must be a mapping from symbols to percentages, such as "
            "{'Al': (0, 35), 'Fe': (65, 100)}"
        )
    elements = check_elements(ranges, "ranges")
    n_steps = _check_step(step)
    bounds = [_check_range(symbol, ranges[symbol], n_steps) for symbol in ranges]
    lows, highs = np.array(bounds).T
    if not lows.sum() <= n_steps <= highs.sum():
        which, total = ("lower", lows.sum()) if lows.sum() > n_steps else ("upper", highs.sum())
        are_fractions = highs.max() * 100 <= n_steps
        hint = f"; amounts are in {unit}: multiply fractions by 100" if are_fractions else ""
        raise ValueError(
            f"no percentages add up to 100: the {which} bounds add up to "
            f"{total * 100 / n_steps:.10g}{hint}"
        )
    grid = _AlloyGrid(elements, lows, highs, n_steps, unit)
    excluded = read_excluded(exclude)
    return grid if excluded is None else Without(grid, grid.find(excluded))


class _AlloyGrid(Candidates):
    """Alloys by position, found by how many ways there are to fill what is left.

    Parameters
    ----------
    elements : ndarray of shape (n_elements,)
        Atomic numbers.
    lows, highs : ndarray of shape (n_elements,)
        Bounds in steps.
    n_steps : int
        Steps that 100 percent are.
    unit : str
        "at%" or "wt%".
    """

    def __init__(
        self, elements: np.ndarray, lows: np.ndarray, highs: np.ndarray, n_steps: int, unit: str
    ) -> None:
        self._elements = elements
        self._lows = lows
        self._highs = highs
        self._n_steps = n_steps
        self._unit = unit
        self._moles_per_gram = _moles_per_gram(elements) if unit == "wt%" else None
        self._n_alloys, self._ways_below = _count_ways(lows, highs, n_steps)

    def __len__(self) -> int:
        return self._n_alloys

    def _formulas(self, positions: np.ndarray) -> list[str]:
        steps = self._read(positions)
        if self._moles_per_gram is None and self._n_steps <= _MAX_WHOLE:
            amounts = steps // np.gcd.reduce(steps, axis=1)[:, None]
            return formulas_of(np.broadcast_to(self._elements, steps.shape), amounts)
        amounts = steps * (100 / self._n_steps)
        if self._moles_per_gram is not None:
            amounts = amounts * self._moles_per_gram
        return reduced_formula(compositions_from_matrix(amounts, self._elements)).tolist()

    def _read(self, positions: np.ndarray) -> np.ndarray:
        """Return the steps of each element, shape (n_positions, n_elements)."""
        steps = np.empty((len(positions), len(self._elements)), dtype=np.int64)
        rest = np.full(len(positions), self._n_steps)
        position = positions
        for i, below in enumerate(self._ways_below):
            # The largest number of steps before whose alloys no more than `position` others come.
            low, high = np.full(len(positions), self._lows[i]), np.minimum(self._highs[i], rest)
            first = below[rest - low + 1]
            while (low < high).any():
                middle = (low + high + 1) // 2
                fits = first - below[rest - middle + 1] <= position
                low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
            position = position - (first - below[rest - low + 1])
            steps[:, i] = low
            rest = rest - low
        steps[:, -1] = rest
        return steps

    def find(self, compositions: Compositions) -> np.ndarray:
        """Return the positions of those of the compositions that are on the grid."""
        compositions = compositions.take(compositions.lengths > 0)
        column = np.full(N_ELEMENTS + 1, len(self._elements))
        column[self._elements] = np.arange(len(self._elements))
        # The last column has all other elements.
        shares = np.zeros((len(compositions), len(self._elements) + 1))
        np.add.at(
            shares,
            (compositions.row_of_token, column[compositions.atomic_numbers]),
            compositions.fractions,
        )
        shares = shares[shares[:, -1] == 0, :-1]
        if self._moles_per_gram is not None:
            shares = shares / self._moles_per_gram
            shares /= shares.sum(axis=1, keepdims=True)
        steps = np.rint(shares * self._n_steps).astype(np.int64)
        on_grid = (
            (np.abs(shares * 100 - steps * (100 / self._n_steps)) <= _SAME)
            & (self._lows <= steps)
            & (steps <= self._highs)
        ).all(axis=1)
        return self._positions_of(steps[on_grid])

    def _positions_of(self, steps: np.ndarray) -> np.ndarray:
        """Return the position of each alloy; the opposite of `_read`."""
        rest = self._n_steps - np.cumsum(steps, axis=1) + steps
        positions = np.zeros(len(steps), dtype=np.int64)
        for i, below in enumerate(self._ways_below):
            positions += below[rest[:, i] - self._lows[i] + 1]
            positions -= below[rest[:, i] - steps[:, i] + 1]
        return positions

    def _described(self) -> str:
        symbols = ", ".join(ELEMENTS[z - 1] for z in self._elements.tolist())
        return f"alloys of {symbols} in steps of {100 / self._n_steps:.10g} {self._unit}"


def _count_ways(lows: np.ndarray, highs: np.ndarray, n_steps: int) -> tuple[int, list[np.ndarray]]:
    """Count the alloys, and the ways to fill what some of the first elements leave.

    Returns
    -------
    n_alloys : int
    ways_below : list of ndarray of shape (n_steps + 2,), dtype int64
        For each element but the last one: element ``s`` is the number of ways in which all later
        elements can have fewer than ``s`` steps in sum. Only differences count: the numbers wrap
        around where they are too large.
    """
    left = np.arange(n_steps + 1)
    ways = np.where(left == 0, 1, 0).astype(object)
    tables = []
    for low, high in zip(lows[::-1].tolist(), highs[::-1].tolist(), strict=True):
        # Python's integers, which do not overflow, tell whether int64 will do.
        below = np.concatenate([[0], np.cumsum(ways)])
        tables.append(below)
        more = below[np.maximum(left - low + 1, 0)] - below[np.maximum(left - high, 0)]
        ways = np.where(left >= low, more, 0)
    n_alloys = int(ways[-1])
    if n_alloys > np.iinfo(np.int64).max:
        raise ValueError(
            f"there are {float(n_alloys):.1e} alloys on the grid, and positions go up to 9.2e18: "
            "use a larger step or narrower ranges"
        )
    ways_below = [(below % 2**64).astype(np.uint64).astype(np.int64) for below in tables[:0:-1]]
    return n_alloys, ways_below


def _moles_per_gram(elements: np.ndarray) -> np.ndarray:
    import pandas as pd

    names = [f"{ELEMENTS[z - 1]} (wt%)" for z in elements.tolist()]
    pure = pd.DataFrame(np.eye(len(names)), columns=names)
    return np.diag(compositions_from_components(pure, unit="wt%").to_numpy())


def _check_step(step: Any) -> int:
    """Return the number of steps from 0 to 100."""
    if not _is_number(step) or not 100 / _MAX_STEPS <= step <= 100:
        raise ValueError(
            f"step={shown(step)} must be a percentage from {100 / _MAX_STEPS:g} to 100"
        )
    n_steps = round(100 / step)
    if abs(n_steps * step - 100) > _SAME:
        nearest = [f"{100 / n:.10g}" for n in (floor(100 / step) + 1, floor(100 / step))]
        raise ValueError(
            f"100 is not a whole multiple of step={step:g}, so that no grid has both 0 and 100: "
            f"use a step such as {' or '.join(nearest)}"
        )
    return n_steps


def _check_range(symbol: str, bounds: Any, n_steps: int) -> tuple[int, int]:
    """Return the least and the most of an element, in steps."""
    both = (bounds, bounds) if _is_number(bounds) else bounds
    if (
        not isinstance(both, tuple | list)
        or len(both) != 2
        or not all(_is_number(bound) and 0 <= bound <= 100 for bound in both)
    ):
        raise ValueError(
            f"the range of {symbol}, {shown(bounds)}, must be a percentage, such as 10, or the "
            "least and the most, such as (0, 35)"
        )
    low, high = (round(bound * n_steps / 100) for bound in both)
    for bound, nearest in zip(both, (low, high), strict=True):
        if abs(bound - nearest * 100 / n_steps) > _SAME:
            below = floor(bound * n_steps / 100) * 100 / n_steps
            raise ValueError(
                f"the range of {symbol}, {shown(bounds)}, is not on the grid: {bound:g} is no "
                f"multiple of the step (use {below:.10g} or {below + 100 / n_steps:.10g}, or "
                "another step)"
            )
    if low > high:
        raise ValueError(
            f"the range of {symbol}, {shown(bounds)}, has its lower bound above the upper one"
        )
    return low, high


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
