"""Find the formulas in whatever a user passes as X."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np

from .._text import ERRORS_SHOWN, few, shown
from ._amounts import check_amounts, element_columns, refuse_empty_rows
from ._elements import ATOMIC_NUMBERS
from ._errors import FormulaError, is_missing
from ._formula import FormulaReader
from ._ragged import Compositions, compositions_from_matrix, parse_formulas, refuse_single

_TEXT = (str, Mapping)
"""What a formula may be; a column with at least one of them is text."""

_SAMPLED = 100
"""Texts that are read to tell a column of formulas from one of other text."""


@dataclass(frozen=True, slots=True)
class FormulaTable:
    """X split into its column of formulas and the numeric columns beside it.

    Parameters
    ----------
    formulas : list
        The formulas, as given in X.
    extra : ndarray of shape (n_samples, n_extra), float64
        The columns beside the formulas.
    formula_position : int
        Position of the column of formulas.
    n_columns : int
        Number of columns of X.

    Examples
    --------
    >>> from crabsk.composition import find_formulas
    >>> table = find_formulas([["Fe2O3", 300.0], ["NaCl", 400.0]])
    >>> table.formulas, table.formula_position
    (['Fe2O3', 'NaCl'], 0)
    >>> table.extra
    array([[300.],
           [400.]])
    """

    formulas: list
    extra: np.ndarray
    formula_position: int
    n_columns: int


def find_formulas(X: Any) -> FormulaTable | None:
    """Split X into its column of formulas and its other columns; None for a matrix of numbers.

    The column of formulas is the one whose values are text or mappings.

    Parameters
    ----------
    X : sequence, array or DataFrame
        See the user guide for the forms that X may have.

    Returns
    -------
    FormulaTable or None

    Raises
    ------
    ValueError
        If two columns may hold formulas, if columns beside the formulas are named by elements, if
        a column beside the formulas is not numeric or has missing or infinite values, or if X is
        a single formula, a set or an iterator.

    Examples
    --------
    >>> import pandas as pd
    >>> from crabsk.composition import find_formulas
    >>> X = pd.DataFrame({"temperature": [300, 400], "formula": ["Fe2O3", "NaCl"]})
    >>> table = find_formulas(X)
    >>> table.formulas, table.formula_position
    (['Fe2O3', 'NaCl'], 1)
    """
    return find_formulas_at(X, None)


def find_formulas_at(X: Any, position: int | None) -> FormulaTable | None:
    """Split an X whose column of formulas is known, as it is after a fit.

    The column is found by its values if `position` is None or X has fewer columns.
    """
    found = formula_columns(X)
    if found is None:
        return None
    columns, names = found
    if len(columns) == 1 and not is_dataframe(X):
        return FormulaTable(columns[0], np.empty((len(columns[0]), 0)), 0, 1)
    if position is None or position >= len(columns):
        position = _formula_position(columns, names)
        if position is None:
            return None
    extra_positions = [j for j in range(len(columns)) if j != position]
    extra = np.empty((len(columns[position]), len(extra_positions)))
    for k, j in enumerate(extra_positions):
        extra[:, k] = _numeric(columns[j], names[j])
    return FormulaTable(columns[position], extra, position, len(columns))


def formula_columns(X: Any) -> tuple[list, list[Hashable]] | None:
    """Return the columns of X and their names; None for numbers without names."""
    refuse_single(X)
    if is_dataframe(X):
        return _columns_of(X), list(X.columns)
    rows = _as_rows(X)
    if rows is None:
        return None
    if isinstance(rows, list):
        return [rows], [0]
    return rows.T.tolist(), list(range(rows.shape[1]))


def is_dataframe(X: Any) -> bool:
    """Whether X is a pandas or polars DataFrame.

    Examples
    --------
    >>> import pandas as pd
    >>> from crabsk.composition import is_dataframe
    >>> is_dataframe(pd.DataFrame({"formula": ["NaCl"]})), is_dataframe(["NaCl"])
    (True, False)
    """
    # The class is asked because a lazy frame computes its columns when it is asked itself.
    return hasattr(type(X), "columns") and (
        hasattr(type(X), "iloc") or hasattr(type(X), "get_columns")
    )


def read_compositions(X: Any) -> Compositions:
    """Read any X into compositions; columns beside the formulas are ignored.

    Parameters
    ----------
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Any X that the estimators of crabsk take; or `Compositions`, which are returned as they are.

    Returns
    -------
    Compositions

    Raises
    ------
    ValueError
        If an item is not a formula, if an amount is negative or not finite, if a table whose
        columns are named by elements has a row without any amount above zero, or if a table of
        numbers cannot be one of amounts.

    Warns
    -----
    TableWarning
        If numbers may not be amounts of elements.

    Examples
    --------
    >>> import pandas as pd
    >>> from crabsk.composition import read_compositions
    >>> X = pd.DataFrame({"formula": ["Fe2O3", "NaCl"], "temperature": [300, 400]})
    >>> read_compositions(X).amounts
    array([3., 2., 1., 1.])
    """
    if isinstance(X, Compositions):
        return X
    table = find_formulas(X)
    if table is not None:
        return parse_formulas(table.formulas)
    by_iloc = is_dataframe(X) and hasattr(X, "iloc")
    try:
        # A missing value is no number to numpy; pandas knows it as NaN.
        matrix = X.to_numpy(dtype=np.float64, na_value=np.nan) if by_iloc else np.asarray(X)
        if matrix.dtype.kind not in "biufO":
            raise TypeError(f"values of type {matrix.dtype}")
        matrix = matrix.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"X is neither formulas nor a matrix of element amounts: {error}"
        ) from error
    if matrix.ndim != 2:
        raise ValueError(
            f"expected formulas or a matrix of element amounts, got numbers of shape {matrix.shape}"
        )
    names = list(X.columns) if is_dataframe(X) else []
    if not all(isinstance(name, str) for name in names):
        if any(name in ATOMIC_NUMBERS for name in names):
            raise ValueError(
                f"some column names are not text ({few(names)}): use text for all of them"
            )
        names = []
    columns = element_columns(names, matrix.shape[1])
    amounts = matrix[:, columns > 0]
    check_amounts(matrix, names)
    refuse_empty_rows(amounts, names)
    return compositions_from_matrix(amounts, columns[columns > 0])


def _columns_of(X: Any) -> list:
    """Return the columns of a DataFrame, numbers as they are and all else as lists."""
    by_position = hasattr(X, "iloc")  # pandas; its names may repeat
    columns = [X.iloc[:, j] for j in range(X.shape[1])] if by_position else X.get_columns()
    return [column if _is_numeric(column.dtype) else column.to_list() for column in columns]


def _as_rows(X: Any) -> list | np.ndarray | None:
    """Return formulas as a list or a 2-D object array; None if X holds numbers only.

    numpy alone cannot decide: it takes a pymatgen Composition apart as if it were a list.
    """
    kind = type(X)
    if hasattr(kind, "columns"):
        raise ValueError(f"X is of type {kind.__name__}: pass a pandas or polars DataFrame")
    if isinstance(X, Sequence) or hasattr(kind, "to_list"):  # the latter: a Series
        rows = X.to_list() if hasattr(kind, "to_list") else list(X)
        return rows if _any_text(rows) else _nested_rows(rows)
    if hasattr(kind, "__array__"):
        return _array_rows(np.asarray(X))
    if isinstance(X, Iterable) and not hasattr(kind, "__getitem__") and not hasattr(X, "shape"):
        raise ValueError(
            f"X is of type {kind.__name__}, whose rows have no order or can be read only once: "
            "pass a list"
        )
    return None


def _array_rows(X: np.ndarray) -> list | np.ndarray | None:
    if X.dtype.kind == "S":
        raise ValueError("X holds bytes: decode them, such as X.astype(str)")
    if X.dtype.kind not in "UT" and not (X.dtype == object and _any_text(X.flat)):
        return None
    if X.ndim not in (1, 2):
        raise ValueError(f"X must have one or two dimensions, got shape {X.shape}")
    return X.tolist() if X.ndim == 1 else X.astype(object)


def _nested_rows(rows: list) -> np.ndarray | None:
    nested = [row for row in rows if isinstance(row, list | tuple | np.ndarray)]
    if not any(_holds_text(row) for row in nested):
        return None
    if len(nested) < len(rows):
        i = next(i for i, row in enumerate(rows) if not isinstance(row, list | tuple | np.ndarray))
        raise ValueError(f"X is a list of rows, but row {i} is {shown(rows[i])}")
    widths = {len(row) for row in nested}
    if len(widths) > 1:
        raise ValueError(f"the rows of X have different lengths: {sorted(widths)}")
    table = np.empty((len(rows), widths.pop()), dtype=object)
    for i, row in enumerate(nested):
        for j, item in enumerate(row):
            table[i, j] = item
    return table


def _any_text(items: Iterable) -> bool:
    return any(isinstance(item, _TEXT) for item in items)


def _formula_position(columns: list, names: list) -> int | None:
    text = [j for j, column in enumerate(columns) if _holds_text(column)]
    if not text or len(columns) == 1:
        return text[0] if text else None
    complaints = {j: _why_no_formulas(columns[j]) for j in text}
    formulas = [j for j in text if complaints[j] is None]
    symbols = [name for name in names if isinstance(name, str) and name in ATOMIC_NUMBERS]
    if len(formulas) > 1:
        raise ValueError(
            f"the columns {few([names[j] for j in formulas])} may all hold formulas: keep one "
            'column of formulas, such as with X[["formula", "temperature"]]'
        )
    if not formulas:
        reasons = "; ".join(f"{shown(names[j])}: {complaints[j]}" for j in text[:ERRORS_SHOWN])
        columns_of_text = "one column" if len(text) == 1 else f"{len(text)} columns"
        raise ValueError(
            f"X has {columns_of_text} of text, and most of it is not formulas: {reasons}. "
            + (
                f"If the amounts are in columns such as {few(symbols)}, drop or encode the text"
                if symbols
                else "crabsk.composition.check_formulas shows all problems of a column"
            )
        )
    if len(formulas) < len(text):
        other, complaint = next((j, why) for j, why in complaints.items() if why is not None)
        if _are_numbers(columns[other]):
            raise ValueError(
                f"the column {shown(names[other])} holds numbers as text: convert it, such as with "
                "pandas.to_numeric"
            )
        raise ValueError(
            f"the column {shown(names[other])} holds text that is not a formula ({complaint}): "
            "columns beside the formulas must be numeric (drop or encode it)"
        )
    if len(symbols) > 1 and any(len(name) > 1 for name in symbols):
        raise ValueError(
            f"X has formulas in column {shown(names[formulas[0]])} and columns named by elements "
            f"({few(symbols)}): rename these if they are extra features, or drop the column of "
            "text if they are the amounts"
        )
    return formulas[0]


def _are_numbers(column: list) -> bool:
    """Whether all texts of a column are numbers."""
    try:
        return all(map(math.isfinite, map(float, (t for t in column if isinstance(t, str)))))
    except ValueError:
        return False


def _holds_text(column: Any) -> bool:
    return not _is_numeric(getattr(column, "dtype", None)) and _any_text(column)


def _is_numeric(dtype: Any) -> bool:
    """Whether a numpy, pandas or polars dtype is one of numbers or truth values."""
    if hasattr(dtype, "kind"):
        return dtype.kind in "biuf"
    return hasattr(dtype, "is_numeric") and (dtype.is_numeric() or str(dtype) == "Boolean")


def _why_no_formulas(column: list) -> FormulaError | None:
    """Return the first error if less than half of the first texts can be read, else None.

    A column of formulas with a bad row remains one, so that the error is about the row.
    """
    texts = list(islice((item for item in column if isinstance(item, _TEXT)), _SAMPLED))
    read = FormulaReader().read
    errors = []
    for text in texts:
        try:
            read(text)
        except FormulaError as error:
            errors.append(error)
    return errors[0] if 2 * len(errors) > len(texts) else None


def _numeric(column: Any, name: Hashable) -> np.ndarray:
    if isinstance(column, list):
        values = _numeric_items(column, name)
    elif hasattr(column, "cast"):  # polars
        values = column.cast(float).to_numpy()
    elif isinstance(column.dtype, np.dtype):
        values = np.asarray(column, dtype=np.float64)
    else:  # pandas' nullable types
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(
            f"column {shown(name)} beside the formulas has missing or infinite values, the first "
            f"in row {bad[0]}: impute them or drop these {len(bad)} rows"
        )
    return values


def _numeric_items(items: list, name: Hashable) -> np.ndarray:
    values = np.full(len(items), np.nan)
    for row, item in enumerate(items):
        if is_missing(item):
            continue
        if not isinstance(item, Real | Decimal | np.bool_):
            raise ValueError(
                f"column {shown(name)} beside the formulas must be numeric: row {row} is "
                f"{shown(item)}"
            )
        try:
            values[row] = float(item)
        except OverflowError:  # of an int that no float can hold
            values[row] = np.inf
    return values
