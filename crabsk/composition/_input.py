"""Find the formulas in whatever a user passes as X."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._elements import ATOMIC_NUMBERS, N_ELEMENTS
from ._formula import FormulaError, FormulaReader
from ._ragged import Compositions, compositions_from_matrix, parse_formulas


@dataclass(frozen=True, slots=True)
class FormulaTable:
    """X taken apart: its column of formulas, and the numeric columns beside it."""

    formulas: Sequence
    extra: np.ndarray  # (n_samples, n_extra), float64
    extra_names: list[str]
    formula_position: int
    n_columns: int


def find_formulas(X: Any, formula_column: Hashable = "auto") -> FormulaTable | None:
    """Take apart an X that holds formulas; None if it is a matrix of numbers.

    Parameters
    ----------
    X : sequence, array or DataFrame
        See the user guide for the forms that X may have.
    formula_column : "auto", str or int, default="auto"
        Name of the column of formulas (position, where X has no names). "auto" takes the one
        column whose values are text or mappings.

    Raises
    ------
    ValueError
        If two columns may hold formulas, if a column beside them is not numeric or has missing
        values, or if `formula_column` is not there.
    """
    if isinstance(X, str | Mapping):
        raise ValueError(f"X is a single formula ({X!r}): pass a list, such as [{X!r}]")
    if is_dataframe(X):
        columns, names = _columns_of(X), list(X.columns)
    else:
        rows = _as_rows(X)
        if rows is None:
            return None
        if rows.ndim == 1:
            return FormulaTable(rows, np.empty((len(rows), 0)), [], 0, 1)
        columns, names = list(rows.T), list(range(rows.shape[1]))
    position = _formula_position(columns, names, formula_column)
    if position is None:
        return None
    extra_positions = [j for j in range(len(columns)) if j != position]
    extra = np.empty((len(columns[position]), len(extra_positions)))
    for k, j in enumerate(extra_positions):
        extra[:, k] = _numeric(columns[j], names[j])
    return FormulaTable(
        _values(columns[position]),
        extra,
        [str(names[j]) for j in extra_positions],
        position,
        len(columns),
    )


def is_dataframe(X: Any) -> bool:
    """Whether X is a pandas or polars DataFrame."""
    return hasattr(X, "columns") and hasattr(X, "__dataframe__")


def element_columns(names: Sequence[Hashable] | None, n_columns: int) -> np.ndarray:
    """Return the atomic number of each column of a matrix of element amounts.

    Parameters
    ----------
    names : sequence of hashable or None
        Column names. All element symbols: columns are taken by symbol. None of them a symbol, or
        no names: column ``j`` is the element of atomic number ``j + 1``.
    n_columns : int
        Number of columns.

    Raises
    ------
    ValueError
        If only some names are symbols, if a symbol comes twice, or if there are more columns
        than elements.
    """
    known = [name for name in names or () if name in ATOMIC_NUMBERS]
    if known:
        unknown = [name for name in names or () if name not in ATOMIC_NUMBERS]
        if unknown:
            raise ValueError(
                f"some columns are element symbols ({_few(known)}) and some are not "
                f"({_few(unknown)}): a matrix of element amounts is named by symbols throughout; "
                "extra features stand beside a column of formulas"
            )
        if len(set(known)) < len(known):
            raise ValueError("an element symbol names more than one column")
        return np.array([ATOMIC_NUMBERS[name] for name in known])
    if n_columns > N_ELEMENTS:
        raise ValueError(
            f"X has {n_columns} columns, but there are {N_ELEMENTS} elements: a numeric X is a "
            "matrix of element amounts, column j for the element of atomic number j + 1"
        )
    return np.arange(1, n_columns + 1)


def read_compositions(X: Any, formula_column: Hashable = "auto") -> Compositions:
    """Read any X into compositions; columns beside the formulas are left aside.

    Parameters
    ----------
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        What every estimator of crabsk takes.
    formula_column : "auto", str or int, default="auto"
        Which column of a table holds the formulas.

    Returns
    -------
    Compositions

    Raises
    ------
    ValueError
        If an item is not a formula, or an amount is negative or not finite.
    """
    table = find_formulas(X, formula_column)
    if table is not None:
        return parse_formulas(table.formulas)
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(
            f"expected formulas or a matrix of element amounts, got shape {matrix.shape}"
        )
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("a matrix of element amounts must be finite and not negative")
    names = list(X.columns) if is_dataframe(X) else None
    return compositions_from_matrix(matrix, element_columns(names, matrix.shape[1]))


def _columns_of(X: Any) -> list:
    if hasattr(X, "iloc"):
        return [X.iloc[:, j] for j in range(X.shape[1])]
    return list(X.get_columns())


def _as_rows(X: Any) -> np.ndarray | None:
    """Return formulas as a 1-D or 2-D object array; None if X holds numbers only.

    numpy alone cannot decide: it takes a pymatgen Composition apart as if it were a list.
    """
    if hasattr(X, "to_list") and not hasattr(X, "columns"):  # a pandas or polars Series
        X = X.to_list()
    if isinstance(X, np.ndarray):
        if X.dtype.kind in "UT" or (X.dtype == object and _any_text(X.ravel())):
            if X.ndim > 2:
                raise ValueError(f"X must have one or two dimensions, got shape {X.shape}")
            return X
        return None
    if not isinstance(X, list | tuple):
        return None
    if _any_text(X):
        return _object_array(X, (len(X),))
    nested = [row for row in X if isinstance(row, list | tuple | np.ndarray)]
    if len(nested) < len(X) or not any(_any_text(row) for row in nested):
        return None
    widths = {len(row) for row in nested}
    if len(widths) > 1:
        raise ValueError(f"the rows of X have different lengths: {sorted(widths)}")
    rows = np.empty((len(X), widths.pop()), dtype=object)
    for i, row in enumerate(nested):
        rows[i] = _object_array(row, (len(row),))
    return rows


def _object_array(items: Sequence, shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(shape, dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def _any_text(items: Any) -> bool:
    return any(isinstance(item, str | Mapping) for item in items)


def _values(column: Any) -> Sequence:
    return column.to_list() if hasattr(column, "to_list") else column


def _formula_position(columns: list, names: list, formula_column: Hashable) -> int | None:
    if not (isinstance(formula_column, str) and formula_column == "auto"):
        if formula_column not in names:
            raise ValueError(
                f"formula_column={formula_column!r} is not a column of X: {_few(names)}"
            )
        return names.index(formula_column)
    text = [j for j, column in enumerate(columns) if _holds_text(column)]
    if len(text) <= 1:
        return text[0] if text else None
    formulas = [j for j in text if _looks_like_formulas(columns[j])]
    if len(formulas) > 1:
        raise ValueError(
            f"the columns {_few([names[j] for j in formulas])} may all hold formulas: name one as "
            "formula_column= and drop the others"
        )
    other = [names[j] for j in text if j not in formulas]
    raise ValueError(
        f"the columns {_few(other)} hold text: columns beside the formulas must be numeric "
        "(drop or encode them)"
    )


def _holds_text(column: Any) -> bool:
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return False
    return _any_text(_values(column))


def _looks_like_formulas(column: Any) -> bool:
    first = next(item for item in _values(column) if isinstance(item, str | Mapping))
    try:
        FormulaReader().read(first)
    except FormulaError:
        return False
    return True


def _numeric(column: Any, name: Hashable) -> np.ndarray:
    try:
        values = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        values = _numeric_items(_values(column), name)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(
            f"column {name!r} beside the formulas has missing or infinite values, the first in row "
            f"{bad[0]}: impute them or drop these {len(bad)} rows"
        )
    return values


def _numeric_items(items: Sequence, name: Hashable) -> np.ndarray:
    values = np.full(len(items), np.nan)
    for row, item in enumerate(items):
        if item is None or type(item).__name__ == "NAType":
            continue
        try:
            values[row] = float(item)
        except (TypeError, ValueError):
            raise ValueError(
                f"column {name!r} beside the formulas must be numeric: row {row} is {item!r}"
            ) from None
    return values


def _few(names: Sequence) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown + (f", ... ({len(names)} in all)" if len(names) > 5 else "")
