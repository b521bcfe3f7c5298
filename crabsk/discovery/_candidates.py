"""Formulas that are computed when they are read, and how their texts are made."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, reduce
from itertools import chain
from numbers import Integral
from re import findall
from typing import Any, overload

import numpy as np
from sklearn.utils import check_scalar

from .._text import few, shown
from ..composition import (
    ATOMIC_NUMBERS,
    ELEMENTS,
    Compositions,
    FormulaError,
    FormulaReader,
    read_compositions,
    reduced_formula,
)

CHUNK = 65_536
"""Formulas that a loop computes at once: their texts take some 5 MB."""


class Candidates(Sequence[str]):
    """Formulas that are computed when they are read.

    It is what `enumerate_compositions`, `random_compositions`, `substitute` and `alloy_grid`
    return. It has a length and positions as a list has, and takes next to no memory: a loop over
    it computes 65,536 formulas at a time. Every estimator of crabsk takes it as X.

    A slice is a `Candidates` too, and nothing is computed for it. A loop that was stopped after
    ``n_done`` formulas goes on with ``candidates[n_done:]``. Both can be pickled, as Dask and
    joblib do; what is pickled are parameters and positions.

    No composition comes twice. Formulas are those of `crabsk.composition.reduced_formula`.

    See Also
    --------
    enumerate_compositions : All compositions of some elements.
    random_compositions : Some of them, drawn at random.
    substitute : Known compositions with elements replaced.
    alloy_grid : All alloys on a grid of percentages.

    Notes
    -----
    A subclass has a length, says what its formulas are (``_described``) and computes those at
    given positions (``_formulas``).

    Examples
    --------
    >>> from crabsk.discovery import enumerate_compositions
    >>> candidates = enumerate_compositions(["Li", "Fe", "O"], max_amount=4, charge_neutral=False)
    >>> candidates
    <Candidates: 88 compositions of 2 to 3 of Li, Fe, O with amounts up to 4>
    >>> candidates[0], candidates[-1]
    ('LiFe', 'Li4Fe4O3')
    >>> candidates[10:14]
    <Candidates: 4 of the 88 compositions of 2 to 3 of Li, Fe, O with amounts up to 4>
    >>> list(candidates[10:14])
    ['Li4Fe3', 'LiO', 'LiO2', 'LiO3']
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _formulas(self, positions: np.ndarray) -> list[str]:
        """Return the formulas at some positions, at least one, none negative, in that order."""

    @abstractmethod
    def _described(self) -> str:
        """Return what the formulas are, in the plural and without their number."""

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Candidates": ...
    def __getitem__(self, index: int | slice) -> "str | Candidates":
        positions = range(len(self))
        if isinstance(index, slice):
            return Part(self, positions[index])
        try:
            position = positions[index]
        except IndexError:
            raise IndexError(f"there is no candidate {index}: there are {len(self)}") from None
        return self._formulas(np.array([position]))[0]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.chunks())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # Without it numpy asks for one formula after the other, which is slow.
        return np.array(list(self), dtype=str if dtype is None else dtype)

    def __repr__(self) -> str:
        return f"<Candidates: {len(self):,} {self._described()}>"

    def chunks(self, size: int = CHUNK) -> Iterator[list[str]]:
        """Iterate over the formulas, some at a time.

        Parameters
        ----------
        size : int, default=65536
            Number of formulas in each chunk; the last one has the rest.

        Yields
        ------
        list of str

        Examples
        --------
        >>> from crabsk.discovery import alloy_grid
        >>> alloys = alloy_grid({"Fe": (0, 100), "Cr": (0, 100)}, step=25)
        >>> list(alloys.chunks(3))
        [['Cr', 'Cr3Fe', 'CrFe'], ['CrFe3', 'Fe']]
        """
        check_scalar(size, "size", Integral, min_val=1)
        return self._chunks(size)

    def _chunks(self, size: int) -> Iterator[list[str]]:
        n = len(self)
        for start in range(0, n, size):
            yield self._formulas(np.arange(start, min(start + size, n)))


class Part(Candidates):
    """Some candidates of others.

    Parameters
    ----------
    whole : Candidates
        The others.
    positions : range or ndarray of shape (n_candidates,)
        Where they are in it.
    """

    def __init__(self, whole: Candidates, positions: range | np.ndarray) -> None:
        self._whole = whole
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Part(self._whole, self._positions[index])
        return super().__getitem__(index)

    def _formulas(self, positions: np.ndarray) -> list[str]:
        chosen = self._positions
        if isinstance(chosen, range):
            return self._whole._formulas(chosen.start + chosen.step * positions)
        return self._whole._formulas(chosen[positions])

    def _described(self) -> str:
        return f"of the {len(self._whole):,} {self._whole._described()}"


class Without(Candidates):
    """All candidates but a few.

    Parameters
    ----------
    whole : Candidates
        All.
    removed : ndarray of int
        Positions of those that are left out.
    """

    def __init__(self, whole: Candidates, removed: np.ndarray) -> None:
        self._whole = whole
        removed = np.unique(removed)
        # Element i is the number of candidates that are left in front of removed candidate i.
        self._left_before = removed - np.arange(len(removed))

    def __len__(self) -> int:
        return len(self._whole) - len(self._left_before)

    def _formulas(self, positions: np.ndarray) -> list[str]:
        n_removed = np.searchsorted(self._left_before, positions, side="right")
        return self._whole._formulas(positions + n_removed)

    def _described(self) -> str:
        return f"{self._whole._described()}, without {len(self._left_before):,} excluded"


def formulas_of(atomic_numbers: np.ndarray, amounts: np.ndarray) -> list[str]:
    """Return formulas as `reduced_formula` writes them, many times as fast.

    Parameters
    ----------
    atomic_numbers : ndarray of shape (n_formulas, n_elements), dtype int64
        Elements of each formula, in any order.
    amounts : ndarray of shape (n_formulas, n_elements), dtype int64
        Their smallest whole amounts; 0 where an element is not there.
    """
    order = np.argsort(_places()[atomic_numbers], axis=1)
    atomic_numbers = np.take_along_axis(atomic_numbers, order, axis=1)
    amounts = np.take_along_axis(amounts, order, axis=1)
    radix = int(amounts.max()) + 1
    codes, inverse = np.unique(atomic_numbers * radix + amounts, return_inverse=True)
    pairs = [divmod(code, radix) for code in codes.tolist()]
    terms = np.array([_term(z, amount) for z, amount in pairs], dtype=object)[inverse]
    formulas = reduce(np.add, terms.T).tolist()
    # The only texts of this form that are refused are names of materials such as YBCO. They begin
    # with a symbol without an amount.
    read = FormulaReader().read
    for row in np.flatnonzero(amounts[:, 0] <= 1).tolist():
        try:
            read(formulas[row])
        except FormulaError:
            symbols = [ELEMENTS[z - 1] for z in atomic_numbers[row].tolist()]
            mapping = dict(zip(symbols, amounts[row].tolist(), strict=True))
            (formulas[row],) = reduced_formula([mapping]).tolist()
    return formulas


def _term(z: int, amount: int) -> str:
    if amount == 0:
        return ""
    return ELEMENTS[z - 1] if amount == 1 else f"{ELEMENTS[z - 1]}{amount}"


@cache
def _places() -> np.ndarray:
    """Return the place of each element in a formula, by atomic number."""
    (formula,) = reduced_formula([dict.fromkeys(ELEMENTS, 1)])
    places = np.zeros(len(ELEMENTS) + 1, dtype=np.int64)
    for place, symbol in enumerate(findall("[A-Z][a-z]?", formula)):
        places[ATOMIC_NUMBERS[symbol]] = place
    return places


def in_order_of_formulas(atomic_numbers: np.ndarray) -> np.ndarray:
    """Return elements in the order in which formulas name them."""
    return atomic_numbers[np.argsort(_places()[atomic_numbers])]


def check_elements(elements: Iterable[str], name: str) -> np.ndarray:
    """Return the atomic numbers of some symbols; refuse what is none, or comes twice."""
    if isinstance(elements, str):
        raise ValueError(f"{name}={shown(elements)} is a single text: pass a list of symbols")
    symbols = list(elements)
    unknown = [s for s in symbols if not isinstance(s, str) or s not in ATOMIC_NUMBERS]
    if unknown:
        raise ValueError(f"{name}: {few(unknown)} are not element symbols such as 'Fe'")
    twice = sorted({s for s in symbols if symbols.count(s) > 1})
    if twice:
        raise ValueError(f"{name}: {few(twice)} come more than once")
    return np.array([ATOMIC_NUMBERS[symbol] for symbol in symbols], dtype=np.int64)


def read_excluded(exclude: Any) -> Compositions | None:
    """Read what is to be left out; None if that is nothing."""
    if exclude is None or (hasattr(exclude, "__len__") and len(exclude) == 0):
        return None
    return read_compositions(exclude)
