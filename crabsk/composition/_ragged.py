"""The internal form that every input takes: compositions of any length laid end to end."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .._text import shown
from ._elements import ELEMENTS, N_ELEMENTS
from ._errors import FormulaError, RowErrors
from ._formula import MIN_FRACTION, FormulaReader
from ._reduction import reduce_amounts


# Without eq: comparing field by field would ask for the truth of an array.
@dataclass(frozen=True, eq=False)
class Compositions:
    """A ragged batch of compositions.

    The elements of all compositions are stored end to end. Each element of a formula is one
    *token*; within a formula, tokens are in order of atomic number. There is no padding: a million
    formulas of three elements are three million tokens.

    Parameters
    ----------
    atomic_numbers : ndarray of shape (n_tokens,), dtype int64
        Atomic number of each token, 1 to 118.
    amounts : ndarray of shape (n_tokens,), dtype float64
        Atoms of the element in the formula as written, above zero.
    offsets : ndarray of shape (n_compositions + 1,), dtype int64
        Tokens ``offsets[i]:offsets[i + 1]`` belong to composition ``i``.

    Examples
    --------
    >>> from crabsk.composition import parse_formulas
    >>> compositions = parse_formulas(["Fe2O3", "NaCl"])
    >>> compositions.atomic_numbers
    array([ 8, 26, 11, 17])
    >>> compositions.fractions
    array([0.6, 0.4, 0.5, 0.5])
    >>> compositions.offsets
    array([0, 2, 4])
    """

    atomic_numbers: np.ndarray
    amounts: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of elements of each composition, shape (n_compositions,)."""
        return np.diff(self.offsets)

    @property
    def row_of_token(self) -> np.ndarray:
        """Index of the composition that each token belongs to, shape (n_tokens,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def fractions(self) -> np.ndarray:
        """Atomic fraction of each token, shape (n_tokens,); those of a composition add up to 1."""
        totals = np.bincount(self.row_of_token, weights=self.amounts, minlength=len(self))
        return self.amounts / np.repeat(totals, self.lengths)

    @cached_property
    def reduced_amounts(self) -> np.ndarray:
        """Smallest whole amount of each token, shape (n_tokens,), the same for all multiples.

        If whole amounts would need more than 10,000 atoms of the scarcest element, amounts are
        relative to that element, to eight digits. Throughout crabsk, two compositions are the same
        if their reduced amounts are: in `reduced_formula`, when rows are held out, and when equal
        rows are predicted only once.
        """
        return reduce_amounts(self.amounts, self.offsets)

    def take(self, rows: Any) -> "Compositions":
        """Return the compositions at `rows` (positions, a mask or a slice), in that order."""
        lengths = self.lengths[rows]
        offsets = _offsets(lengths)
        tokens = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        return Compositions(self.atomic_numbers[tokens], self.amounts[tokens], offsets)

    def unique(self, beside: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Find equal compositions.

        Parameters
        ----------
        beside : ndarray of shape (n_compositions, n_columns), optional
            Further numbers of each row that must be equal, too.

        Returns
        -------
        first : ndarray of shape (n_unique,)
            The first row of each distinct composition, in ascending order.
        inverse : ndarray of shape (n_compositions,)
            ``first[inverse[i]]`` is the row that stands for row ``i``.

        Notes
        -----
        Compositions are equal if their elements and `reduced_amounts` are, as for ``Fe2O3`` and
        ``Fe0.4O0.6``.
        """
        reduced, lengths = self.reduced_amounts, self.lengths
        first = np.arange(len(self))
        for n in np.unique(lengths):
            rows = np.flatnonzero(lengths == n)
            tokens = self.offsets[rows][:, None] + np.arange(n)
            parts = [self.atomic_numbers[tokens].astype(np.float64), reduced[tokens]]
            if beside is not None:
                parts.append(beside[rows])
            first[rows] = rows[_first_of_equal(np.hstack(parts))]
        return np.unique(first, return_inverse=True)


def parse_formulas(formulas: Iterable) -> Compositions:
    """Read chemical formulas into a ragged batch of compositions.

    Brackets of all three kinds may be nested to any depth. Amounts are decimals (``Fe0.95O``,
    ``Pb.985Te``), fractions (``Ni1/3``) or scientific (``Fe1e-7O``). An element with an amount of
    zero is left out. Digits may be plain, full-width or subscript; superscript digits are read if
    all digits of the formula are superscript. ``·``, ``*``, or an unambiguous point divides the
    parts of a hydrate or a mixture. Each part may have a number in front (``CuSO4·5H2O``,
    ``0.7Li2S-0.3P2S5``). D and T are read as hydrogen if no other symbol may be meant. The user
    guide has all rules.

    Parameters
    ----------
    formulas : iterable of str or mapping
        Formulas, or mappings from element symbol (or pymatgen ``Element``) to amount, such as
        a ``dict`` or a pymatgen ``Composition``. Amounts of zero in mappings are dropped.

    Returns
    -------
    Compositions
        One composition for each item, in the same order.

    Raises
    ------
    FormulaError
        A `ValueError`, if any item is not a formula or is ambiguous: unknown symbols, unbalanced
        brackets, charges, oxidation states (``Fe(III)``), variables (``La1-xSrxMnO3``), ambiguous
        points (``CuSO4.5H2O``, ``Al2O3.2SiO2``), numbers in front of the whole formula
        (``18Cr8Ni``), leading zeros (``P04``), missing values, amounts that are negative, infinite
        or over 40 characters long, or nothing but zeros. For the first five such items the message
        shows the row, the text and the position in it, both counted from 0; it counts the rest.
    ValueError
        If `formulas` is a single formula, a table or a set.

    Examples
    --------
    >>> from crabsk.composition import parse_formulas
    >>> parse_formulas(["CuSO4·5H2O", {"Fe": 2, "O": 3}]).amounts
    array([10.,  9.,  1.,  1.,  3.,  2.])
    >>> parse_formulas(["NaCl", "Xx2O3"])
    Traceback (most recent call last):
    ...
    crabsk.composition._errors.FormulaError: 1 of 2 formulas cannot be read:
      row 1: 'Xx2O3', position 0: unknown element 'Xx'
    """
    refuse_single(formulas)
    if isinstance(formulas, Set) or hasattr(type(formulas), "columns"):
        # Iterating gives rows in no order, or a table's column names instead of rows.
        raise ValueError(
            f"formulas is of type {type(formulas).__name__}: pass a list or one column of formulas"
        )
    read = FormulaReader().read
    atomic_numbers: list[int] = []
    amounts: list[float] = []
    lengths: list[int] = []
    errors = RowErrors()
    for row, item in enumerate(formulas):
        try:
            composition = read(item)
        except FormulaError as error:
            errors.add(row, error)
            continue
        atomic_numbers.extend(composition)
        amounts.extend(composition.values())
        lengths.append(len(composition))
    errors.raise_if_any(len(errors) + len(lengths))
    return _in_order_of_atomic_number(
        np.array(atomic_numbers, dtype=np.int64),
        np.array(amounts, dtype=np.float64),
        np.array(lengths, dtype=np.int64),
    )


def refuse_single(formulas: Any) -> None:
    """Refuse one formula where many are expected: iterating it gives letters or elements."""
    if isinstance(formulas, str | Mapping):
        raise ValueError(f"{shown(formulas)} is a single formula: pass a list of formulas")


def compositions_from_matrix(
    matrix: np.ndarray, atomic_numbers: np.ndarray | None = None
) -> Compositions:
    """Read a dense matrix of element amounts.

    A row of zeros becomes an empty composition instead of an error, because scikit-learn itself
    produces such rows. Estimators refuse such a row in a table whose columns are named by elements.

    Parameters
    ----------
    matrix : ndarray of shape (n_compositions, n_columns)
        Amounts, finite and not negative.
    atomic_numbers : ndarray of shape (n_columns,), optional
        Atomic number of each column. By default column ``j`` is the element of atomic number
        ``j + 1``.

    Returns
    -------
    Compositions

    Raises
    ------
    ValueError
        If an amount is negative or not finite, or if the amounts of a row are so large or differ
        by so many orders of magnitude that a fraction would be zero.

    Examples
    --------
    >>> import numpy as np
    >>> from crabsk.composition import compositions_from_matrix
    >>> compositions_from_matrix(np.array([[2, 0, 0, 0, 0, 0, 0, 1.0]])).atomic_numbers
    array([1, 8])
    """
    if atomic_numbers is None:
        atomic_numbers = np.arange(1, matrix.shape[1] + 1)
    rows, columns = np.nonzero(matrix)
    amounts = np.asarray(matrix[rows, columns], dtype=np.float64)
    bad = np.flatnonzero(~(np.isfinite(amounts) & (amounts > 0)))
    if len(bad):
        symbol = ELEMENTS[atomic_numbers[columns[bad[0]]] - 1]
        raise ValueError(
            "amounts of elements must be finite and not negative: row "
            f"{rows[bad[0]]} has {amounts[bad[0]]:g} of {symbol} ({len(bad)} such amounts in all)"
        )
    compositions = _in_order_of_atomic_number(
        np.asarray(atomic_numbers, dtype=np.int64)[columns],
        amounts,
        np.bincount(rows, minlength=len(matrix)),
    )
    lost = np.flatnonzero(compositions.fractions <= MIN_FRACTION)
    if len(lost):
        raise ValueError(
            f"row {compositions.row_of_token[lost[0]]}: the amounts are too large, or too far "
            "apart, to be told from zero"
        )
    return compositions


def _in_order_of_atomic_number(
    atomic_numbers: np.ndarray, amounts: np.ndarray, lengths: np.ndarray
) -> Compositions:
    """Sort tokens within each composition, so that `NaCl` and `ClNa` are one composition."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    # The stable sort is quick on keys that are nearly in order, which these are.
    order = np.argsort(rows * (N_ELEMENTS + 1) + atomic_numbers, kind="stable")
    return Compositions(atomic_numbers[order], amounts[order], _offsets(lengths))


def _first_of_equal(table: np.ndarray) -> np.ndarray:
    """Return for each row of a matrix the position of the first row that equals it."""
    # + 0.0 makes one of the two zeros; bytes of a row compare as one value.
    table = np.ascontiguousarray(table + 0.0)
    if not table.shape[1]:
        return np.zeros(len(table), dtype=np.int64)
    keys = table.view(np.dtype((np.void, table.itemsize * table.shape[1])))[:, 0]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first[inverse]


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
