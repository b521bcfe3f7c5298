"""All compositions of some elements, or a random sample of them."""

from collections.abc import Iterable
from functools import cached_property
from itertools import accumulate
from math import comb
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from .._text import shown
from ..composition import ELEMENTS, Compositions
from ._candidates import (
    Candidates,
    Part,
    Without,
    check_elements,
    formulas_of,
    in_order_of_formulas,
    read_excluded,
)
from ._neutrality import ChargeRule
from ._positions import AllPoints, Block, NeutralPoints

_MAX_POINTS = 2**24
_MAX_SETS = 25_000_000


def enumerate_compositions(
    elements: Iterable[str],
    *,
    n_elements: int | tuple[int, int] = (2, 3),
    max_amount: int = 8,
    charge_neutral: bool = True,
    exclude: Any = None,
) -> Candidates:
    """Return all compositions of some elements with small whole amounts.

    Parameters
    ----------
    elements : iterable of str
        Symbols. Their order does not matter.
    n_elements : int or (int, int), default=(2, 3)
        Number of different elements in a composition, or the least and the most.
    max_amount : int, default=8
        Largest amount of an element. The amounts of a composition are 1 or more and have no common
        divisor: of Fe2O3 and Fe4O6 it is the first.
    charge_neutral : bool, default=True
        Whether to keep only compositions that pass SMACT's rules [1]_. These ask for one oxidation
        state for each element such that the charges add up to zero. Every element in a positive
        state must be less electronegative than every one in a negative state.
    exclude : sequence of formulas, DataFrame or matrix of element amounts, default=None
        Compositions to leave out, such as those that are known, in any form that crabsk's
        estimators take.

    Returns
    -------
    Candidates
        Formulas: first those of the fewest elements, one set of elements after the other.

    Raises
    ------
    ValueError
        If a symbol is unknown or comes twice, there are fewer elements than `n_elements` asks for,
        ``max_amount ** n_elements`` is above 16,777,216, there are more than 25 million sets of
        elements with `charge_neutral`, there are over 9.2e18 compositions, or `exclude` cannot be
        read.
    ImportError
        If `charge_neutral` and SMACT is not installed.

    Warns
    -----
    TableWarning
        If `exclude` holds numbers that may not be amounts of elements.

    See Also
    --------
    random_compositions : A sample of these.

    Notes
    -----
    With `charge_neutral` the result is that of ``smact.screening.smact_filter`` with its default
    oxidation states, those found in the ICSD in 2024, and ``threshold=max_amount``. An element has
    one state in a composition: Fe3O4, which mixes two, is left out. So are most intermetallics and
    alloys, and compositions of one element. Elements for which SMACT has no states or no
    electronegativity are in none: He, Ne, Ar, Rn, Pm, At, Fr, Ra, and all beyond Cf. Kr and Xe have
    states.

    Charge-neutral compositions have to be counted, on the first ``len()`` or with `exclude` at
    once: about ten seconds for a million sets of elements. Then 8 bytes are kept for each set.
    Without `charge_neutral` nothing is counted, and SMACT is not needed.

    References
    ----------
    .. [1] D. W. Davies et al. Computational screening of all stoichiometric inorganic materials.
       Chem 1, 617-627 (2016). https://doi.org/10.1016/j.chempr.2016.09.010

    Examples
    --------
    >>> from crabsk.discovery import enumerate_compositions
    >>> oxides = enumerate_compositions(["Na", "Fe", "O"], max_amount=3)
    >>> len(oxides)
    17
    >>> list(oxides[:9])
    ['NaO', 'Na2O', 'FeO', 'FeO2', 'FeO3', 'Fe2O', 'Fe2O3', 'NaFeO', 'NaFeO2']
    >>> known = ["Na2O", "FeO", "Fe2O3", "NaFeO2", "NaCl"]
    >>> len(enumerate_compositions(["Na", "Fe", "O"], max_amount=3, exclude=known))
    13
    """
    numbers = in_order_of_formulas(check_elements(elements, "elements"))
    max_amount = int(check_scalar(max_amount, "max_amount", Integral, min_val=1))
    low, high = _check_n_elements(n_elements, len(numbers))
    if max_amount**high > _MAX_POINTS:
        raise ValueError(
            f"max_amount={max_amount} allows {max_amount**high:,} choices of amounts for {high} "
            f"elements, and at most {_MAX_POINTS:,} are possible: lower max_amount or n_elements"
        )
    rule = ChargeRule(numbers, high, max_amount) if charge_neutral else None
    ordered = numbers if rule is None else rule.atomic_numbers
    n_sets = sum(comb(len(ordered), k) for k in range(low, high + 1))
    if rule is not None and n_sets > _MAX_SETS:
        raise ValueError(
            f"{n_sets:,} sets of elements are too many to be counted with charge_neutral, which "
            f"takes at most {_MAX_SETS:,}: use fewer elements or lower n_elements"
        )
    every = _Enumeration(numbers, ordered, (low, high), max_amount, rule)
    if rule is None and every.n_compositions > np.iinfo(np.int64).max:
        raise ValueError(
            f"there are {float(every.n_compositions):.1e} compositions, and positions go up to "
            "9.2e18: use fewer elements, or lower n_elements or max_amount"
        )
    excluded = read_excluded(exclude)
    return every if excluded is None else Without(every, every.find(excluded))


def random_compositions(
    elements: Iterable[str],
    n_samples: int,
    *,
    n_elements: int | tuple[int, int] = (2, 3),
    max_amount: int = 8,
    charge_neutral: bool = True,
    exclude: Any = None,
    random_state: int | np.random.RandomState | None = None,
) -> Candidates:
    """Draw some of the compositions that `enumerate_compositions` returns.

    Parameters
    ----------
    elements : iterable of str
        Symbols. Their order does not matter.
    n_samples : int
        Number of compositions to draw, all of them different.
    n_elements : int or (int, int), default=(2, 3)
        Number of different elements in a composition, or the least and the most.
    max_amount : int, default=8
        Largest amount of an element.
    charge_neutral : bool, default=True
        Whether to draw only from those that pass SMACT's rules.
    exclude : sequence of formulas, DataFrame or matrix of element amounts, default=None
        Compositions not to draw.
    random_state : int, RandomState or None, default=None
        An int gives the same compositions each time, with the same version of numpy.

    Returns
    -------
    Candidates
        Formulas, not in random order but in that of `enumerate_compositions`, in which they are
        computed fastest.

    Raises
    ------
    ValueError
        If there are fewer than `n_samples` compositions; and as `enumerate_compositions`.
    ImportError
        If `charge_neutral` and SMACT is not installed.

    Notes
    -----
    Each composition is equally likely. Large sets of elements have the most compositions, so that
    nearly all of a sample has the largest number of elements.

    It takes 8 bytes for each sample, and while it draws more than a fiftieth of all compositions, 8
    bytes for each of these.

    Examples
    --------
    >>> from crabsk.discovery import random_compositions
    >>> elements = ["Li", "Na", "Mg", "Fe", "Co", "P", "O", "F"]
    >>> sample = random_compositions(elements, 1000, n_elements=4, random_state=0)
    >>> len(set(sample))
    1000
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    every = enumerate_compositions(
        elements,
        n_elements=n_elements,
        max_amount=max_amount,
        charge_neutral=charge_neutral,
        exclude=exclude,
    )
    if n_samples > len(every):
        raise ValueError(f"n_samples={n_samples}, but there are {len(every)} such compositions")
    # RandomState itself would shuffle all positions to draw a few.
    generator = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    positions = generator.choice(len(every), n_samples, replace=False, shuffle=False)
    return Part(every, np.sort(positions))


class _Enumeration(Candidates):
    def __init__(
        self,
        elements: np.ndarray,
        ordered: np.ndarray,
        n_elements: tuple[int, int],
        max_amount: int,
        rule: ChargeRule | None,
    ) -> None:
        self._elements = elements
        self._n_elements = n_elements
        self._max_amount = max_amount
        self._is_neutral = rule is not None
        sizes = range(n_elements[0], n_elements[1] + 1)
        self._blocks: list[Block] = [
            AllPoints(ordered, k, max_amount)
            if rule is None
            else NeutralPoints(ordered, k, max_amount, rule)
            for k in sizes
        ]

    @cached_property
    def _starts(self) -> list[int]:
        """Position of the first composition of each block, and their total number."""
        return list(accumulate((block.n_compositions for block in self._blocks), initial=0))

    @property
    def n_compositions(self) -> int:
        """The length, where that may be more than ``len()`` can say."""
        return self._starts[-1]

    def __len__(self) -> int:
        return self._starts[-1]

    def _formulas(self, positions: np.ndarray) -> list[str]:
        formulas = np.empty(len(positions), dtype=object)
        for k, block in enumerate(self._blocks):
            start, end = self._starts[k : k + 2]
            (rows,) = np.nonzero((start <= positions) & (positions < end))
            if len(rows):
                formulas[rows] = formulas_of(*block.read(positions[rows] - start))
        return formulas.tolist()

    def find(self, compositions: Compositions) -> np.ndarray:
        """Return the positions of those of the compositions that are in here."""
        amounts = compositions.reduced_amounts
        fits = (amounts <= self._max_amount) & (amounts == np.rint(amounts))
        lengths = compositions.lengths
        found = [np.zeros(0, dtype=np.int64)]
        for k, block in enumerate(self._blocks):
            rows = np.flatnonzero(lengths == block.n_elements)
            tokens = compositions.offsets[rows][:, None] + np.arange(block.n_elements)
            tokens = tokens[fits[tokens].all(axis=1)]
            elements = compositions.atomic_numbers[tokens]
            found.append(self._starts[k] + block.find(elements, amounts[tokens].astype(np.int64)))
        return np.concatenate(found)

    def _described(self) -> str:
        low, high = self._n_elements
        symbols = [ELEMENTS[z - 1] for z in self._elements.tolist()]
        return (
            f"{'charge-neutral ' if self._is_neutral else ''}compositions of "
            f"{low if low == high else f'{low} to {high}'} of "
            f"{', '.join(symbols) if len(symbols) <= 10 else f'{len(symbols)} elements'} with "
            f"amounts up to {self._max_amount}"
        )


def _check_n_elements(n_elements: Any, n_available: int) -> tuple[int, int]:
    """Return the least and the most elements of a composition."""
    both = [n_elements] * 2 if isinstance(n_elements, Integral) else n_elements
    if (
        not isinstance(both, tuple | list)
        or len(both) != 2
        or not all(isinstance(n, Integral) for n in both)
        or not 1 <= both[0] <= both[1]
    ):
        raise ValueError(
            f"n_elements={shown(n_elements)} must be a number of elements, such as 3, or the least "
            "and the most, such as (2, 4)"
        )
    low, high = map(int, both)
    if high > n_available:
        raise ValueError(
            f"n_elements={shown(n_elements)} (the default is (2, 3)) asks for compositions of "
            f"{high} elements, and elements has {n_available}: add elements"
            + (f", or pass n_elements={n_available}" if n_available else "")
        )
    return low, high
