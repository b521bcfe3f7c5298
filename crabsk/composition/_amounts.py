"""Tables of numbers: which columns are amounts of elements, and whether they can be."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from .._text import few
from ._component_names import ABBREVIATIONS, are_components, split_unit
from ._elements import ANIONS, ATOMIC_NUMBERS, N_ELEMENTS
from ._errors import FormulaError
from ._formula import FormulaReader
from ._table_warning import warn_of_table

# Rows add up to 1 or 100 within the rounding of tables.
_SUM_TOLERANCE = 0.02

# With so many rows, amounts without a single zero are no list of compounds.
_MANY_ROWS = 10


def element_columns(names: Iterable[Hashable] | None, n_columns: int) -> np.ndarray:
    """Return the atomic number of each column of a table of element amounts.

    Parameters
    ----------
    names : sequence or array of hashable, or None
        Column names. A column named by an element symbol holds amounts of that element; all other
        columns are extra features. If `names` is None or contains no symbol, column ``j`` is the
        element of atomic number ``j + 1``.
    n_columns : int
        Number of columns.

    Returns
    -------
    ndarray of shape (n_columns,)
        Atomic numbers; 0 for an extra feature.

    Raises
    ------
    ValueError
        If a symbol occurs twice, if only one of several columns is a symbol, or if there are more
        columns than elements.

    Examples
    --------
    >>> from crabsk.composition import element_columns
    >>> element_columns(["O", "Fe"], 2)
    array([ 8, 26])
    >>> element_columns(["O", "temperature", "Fe"], 3)
    array([ 8,  0, 26])
    >>> element_columns(None, 3)
    array([1, 2, 3])
    """
    names = [] if names is None else list(names)
    columns = np.array([_atomic_number(name) for name in names], dtype=np.int64)
    known = [name for name in names if _atomic_number(name)]
    if known:
        twice = [name for name, count in Counter(known).items() if count > 1]
        if twice:
            raise ValueError(f"more than one column is named by the element {few(twice)}")
        if len(known) == 1 < len(names):
            raise ValueError(
                f"only the column {few(known)} is an element symbol, beside {few(_others(names))}: "
                "a table of element amounts has a column for each element (rename the column if "
                "it is not an amount)"
            )
        return columns
    if n_columns > N_ELEMENTS:
        raise ValueError(
            f"X has {n_columns} columns, but there are {N_ELEMENTS} elements: a numeric X is a "
            "matrix of element amounts, column j for the element of atomic number j + 1"
        )
    return np.arange(1, n_columns + 1)


def check_amounts(matrix: np.ndarray, names: Sequence[Hashable]) -> None:
    """Refuse numbers that cannot be amounts of elements; warn if they may be something else.

    Parameters
    ----------
    matrix : ndarray of shape (n_samples, n_columns)
        All columns of the table.
    names : sequence of hashable
        Their names, if any.

    Raises
    ------
    ValueError
        If columns are components (``SiO2``), have a unit (``Fe (wt%)``) or are symbols in lower
        case; if the only column is not named by an element; or if the columns named by symbols
        may be other quantities.

    Warns
    -----
    TableWarning
        If there are columns beside the amounts, or if columns without element names do not look
        like amounts.
    """
    _refuse_components(names)
    known = np.array([_atomic_number(name) > 0 for name in names], dtype=bool)
    if known.any():
        if not known.all():
            _check_amounts_beside_features(matrix[:, known], names, known)
        return
    if matrix.shape[1] == 1:
        raise ValueError(
            "X has 1 feature(s), one column of numbers, from which no composition can be read: "
            "did an earlier step turn formulas into numbers? Pass the formulas themselves"
        )
    if matrix.shape[1] == N_ELEMENTS and not names:
        return
    doubt = "its columns are not named by elements" if names else _doubt(matrix)
    if doubt:
        first = f" ({names[0]!r}, ...)" if names else ""
        warn_of_table(
            f"X holds no formulas, and {doubt}{first}: the {matrix.shape[1]} columns are read as "
            "amounts of H, He, Li, ... in order of atomic number. Did an earlier step turn "
            "formulas into numbers? Pass the formulas themselves, or name columns by symbols"
        )


def refuse_empty_rows(amounts: np.ndarray, names: Iterable[Hashable] | None) -> None:
    """Refuse rows without any element in a table whose columns are named by elements.

    In other matrices such rows stay, as empty compositions, because scikit-learn and MAPIE make
    matrices of zeros themselves.
    """
    empty = np.flatnonzero(~amounts.any(axis=1))
    if len(empty) and any(_atomic_number(name) for name in names or ()):
        raise ValueError(
            f"row {empty[0]} has no amount above zero of any element ({len(empty)} such rows in "
            "all): remove it or say what it holds"
        )


def _atomic_number(name: Hashable) -> int:
    return ATOMIC_NUMBERS.get(name, 0) if isinstance(name, str) else 0


def _others(names: Iterable[Hashable]) -> list:
    return [name for name in names if not _atomic_number(name)]


def _refuse_components(names: Sequence[Hashable]) -> None:
    """Refuse columns such as `SiO2`, `Fe (wt%)` and `mn`, which are amounts of something else."""
    others = [name for name in _others(names) if isinstance(name, str)]
    compounds = [name for name in others if _is_compound(name)]
    if compounds:
        raise ValueError(
            f"columns named by formulas ({few(compounds)}) are amounts of components: convert them "
            "with crabsk.composition.compositions_from_components(X[[...]], unit='mol%') or "
            "unit='wt%' (rename columns that are something else)"
        )
    with_unit = [
        name
        for name in others
        if split_unit(name)[1] is not None
        and (are_components([bare := split_unit(name)[0]]) or are_components([bare.capitalize()]))
    ]
    if with_unit:
        raise ValueError(
            f"columns with a unit ({few(with_unit)}) are amounts of components: convert them with "
            "crabsk.composition.compositions_from_components(X[[...]], unit='wt%') or unit='mol%'"
        )
    symbols = [name for name in others if _atomic_number(name.strip().capitalize())]
    two_letters = [name for name in symbols if len(name.strip()) == 2]
    capitals = [name for name in two_letters if name.strip().isupper()]
    # A single name in capitals may be an abbreviation, such as RH.
    if len(two_letters) > (capitals == two_letters) or len(symbols) == len(names) > 1:
        raise ValueError(
            f"columns such as {few(symbols)} may be element symbols in the wrong case: write "
            "symbols as 'Mn' (X.rename(columns=str.capitalize)), or rename columns that hold "
            "something else. For percent by weight use crabsk.composition.from_weight_percent"
        )


def _is_compound(name: str) -> bool:
    """Whether a name reads as an oxide or a salt, and hardly as an abbreviation such as HV."""
    if name in ABBREVIATIONS or not re.search("[a-z0-9]", name):
        return False
    try:
        amounts = FormulaReader().read(name)
    except FormulaError:
        return False
    return len(amounts) > 1 and bool(ANIONS & amounts.keys())


def _check_amounts_beside_features(
    amounts: np.ndarray, names: Sequence[Hashable], known: np.ndarray
) -> None:
    symbols = [name for name, is_symbol in zip(names, known, strict=True) if is_symbol]
    # P, V and T are pressure, volume and temperature; what has oxygen is hardly one of these.
    single_letters = "O" not in symbols and all(len(str(name)) == 1 for name in symbols)
    if single_letters and _doubt(amounts):
        raise ValueError(
            f"the columns {few(symbols)} may be amounts of elements or other quantities (such as "
            "pressure and volume), and do not add up to 1 or 100: rename those that are not "
            "amounts, or divide amounts by their sum"
        )
    warn_of_table(
        f"X holds no formulas: the columns {few(symbols)} are read as amounts of elements (row 0 "
        f"adds up to {amounts[0].sum():g}), and {few(_others(names))} as extra features"
    )


def _doubt(matrix: np.ndarray) -> str | None:
    """Return what speaks against numbers being amounts of elements, if anything does."""
    with np.errstate(over="ignore"):  # refused where fractions are worked out
        sums = matrix.sum(axis=1)
    sums = sums[sums > 0]
    for total in (1, 100):
        if (np.abs(sums - total) <= _SUM_TOLERANCE * total).all():
            one_hot = (np.count_nonzero(matrix, axis=1) <= 1).all() and len(sums) > 1
            return "each row has a single number above zero" if one_hot else None
    if not (matrix == np.rint(matrix)).all():
        return "its rows add up to neither 1 nor 100"
    if len(matrix) >= _MANY_ROWS and matrix.all():
        return "it contains no zeros"
    return None
