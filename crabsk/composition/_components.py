"""Tables of components: how glasses, slags, cements and steels are reported.

A component is a compound (SiO2) or an element (Fe). Ambiguous names are refused.
"""

import re
from collections.abc import Hashable
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import ERRORS_SHOWN, few, first_of, shown
from ._component_names import (
    Component,
    NotAComponentError,
    are_components,
    probable_name,
    read_balance,
    read_component,
    split_unit,
)
from ._elements import ELEMENTS
from ._errors import FormulaError, is_missing
from ._formula import FormulaReader
from ._input import is_dataframe
from ._table_warning import warn_of_table

if TYPE_CHECKING:
    import pandas as pd

_UNITS = ("mol%", "wt%")

ROUNDING = 1e-6
"""A balance closer to zero than this, in percent, is zero."""

_SUM_TOLERANCE = 0.02
"""Relative distance from 100 (or 1) up to which a sum of components is taken for the whole."""

_BALANCE_WORDS = ("bal", "balance", "rest", "rem", "remainder", "remaining")


def compositions_from_components(
    df: Any, *, unit: str, balance: str | None = None
) -> "pd.DataFrame":
    """Convert a table of components to amounts of elements.

    Components are compounds, as in tables of glasses, slags and cements (``SiO2``, ``Na2O``), or
    elements, as in tables of steels (``Fe``, ``Cr``).

    Parameters
    ----------
    df : pandas or polars DataFrame of shape (n_samples, n_components)
        One column for each component, named by its formula or symbol. The name may carry the unit:
        ``"SiO2 (mol%)"``, ``"Fe_wt%"``, ``"wt% C"``. Every column must be a component: select
        them from a larger table.
    unit : "mol%" or "wt%"
        The unit of the numbers. Atomic percent of elements is ``"mol%"``.
    balance : str, optional
        A component that the table leaves out, such as ``"Fe"``. Each row gets 100 minus the sum
        of its other components.

    Returns
    -------
    pandas DataFrame of shape (n_samples, n_elements)
        Amounts of elements. The column names are their symbols, in the order in which the
        components name them. The amounts are not normalised: they are moles per 100 moles of
        components for ``"mol%"``, and moles per 100 g of sample for ``"wt%"``. Every estimator of
        crabsk takes this table as X. The index is that of `df`, so `pandas.concat` can add further
        columns. For a polars table the index is a `RangeIndex`.

    Raises
    ------
    ValueError
        If `unit` is neither of the two, if `df` is not a DataFrame, or if a column is not
        a component, contradicts `unit`, occurs twice or is not numeric. Also if a value is
        negative, infinite or missing, if a row has no amount above zero, if the components beside a
        balance add up to more than 100, or if the balance is a column of the table.

    Warns
    -----
    TableWarning
        If rows add up to neither 100 nor 1 (within 2 %): a component may be missing. With
        `balance`, if no row adds up to more than 1: the numbers look like fractions, not percent.

    See Also
    --------
    from_weight_percent : Weight percent of elements to atomic percent, also for alloy names.

    Examples
    --------
    >>> import pandas as pd
    >>> from crabsk.composition import compositions_from_components
    >>> glasses = pd.DataFrame({"SiO2": [70.0, 75.0], "Na2O": [20.0, 15.0], "CaO": [10.0, 10.0]})
    >>> compositions_from_components(glasses, unit="mol%")
         Si      O    Na    Ca
    0  70.0  170.0  40.0  10.0
    1  75.0  175.0  30.0  10.0

    The rest of a steel is iron:

    >>> steels = pd.DataFrame({"C (wt%)": [0.4, 0.2], "Cr (wt%)": [1.1, 13.0]})
    >>> compositions_from_components(steels, unit="wt%", balance="Fe").round(4)
            C      Cr      Fe
    0  0.0333  0.0212  1.7638
    1  0.0167  0.2500  1.5543
    """
    if unit not in _UNITS:
        raise ValueError(
            f"unit={shown(unit)} is not one of {few(_UNITS)} (atomic percent of elements is 'mol%')"
        )
    return read_table(df, unit, balance)


def _read_columns(df: Any, unit: str) -> list[Component]:
    names = list(df.columns)
    if not names:
        raise ValueError("the table has no columns")
    reader = FormulaReader()
    components: dict[int, Component] = {}
    refused: dict[int, FormulaError] = {}
    for j, name in enumerate(names):
        if isinstance(name, str) and re.sub(r"\.[0-9]+$", "", name) in {*names} - {name}:
            raise ValueError(
                f"the column {shown(name)} has the name of another column plus a number, which "
                "pandas adds to repeated names: keep one of them"
            )
        try:
            components[j] = read_component(name, reader)
        except FormulaError as error:
            refused[j] = error
    if refused:
        raise ValueError(_about_names(df, names, refused))
    other = [names[j] for j, c in components.items() if c.unit not in (None, "%", unit)]
    if other:
        said = "wt%" if unit == "mol%" else "mol% or at%"
        raise ValueError(f"the table is read as {unit}, but column names say {said}: {few(other)}")
    first: dict[frozenset, int] = {}
    for j, component in components.items():
        k = first.setdefault(frozenset(component.amounts.items()), j)
        if k != j:
            raise ValueError(
                f"the columns {shown(names[k])} and {shown(names[j])} are the same component: "
                "keep one of them"
            )
    return list(components.values())


def _about_names(df: Any, names: list, refused: dict[int, FormulaError]) -> str:
    """Say which names are not components, and what to do."""
    shown_names = [
        shown(names[j]) + (f" ({error})" if isinstance(error, NotAComponentError) else "")
        for j, error in refused.items()
    ]
    message = (
        f"{len(refused)} of {len(names)} columns are not named by a component: "
        f"{first_of(shown_names)}."
    )
    meant = {names[j]: probable_name(names[j], error) for j, error in refused.items()}
    wrong_case = {name: correct for name, correct in meant.items() if correct}
    if wrong_case:
        arguments = "str.capitalize"
        if not are_components([name.capitalize() for name in map(str, names)]):
            pairs = ", ".join(
                f"{old!r}: {new!r}" for old, new in list(wrong_case.items())[:ERRORS_SHOWN]
            )
            arguments = f"{{{pairs}{', ...' if len(wrong_case) > ERRORS_SHOWN else ''}}}"
        keyword = "columns=" if hasattr(type(df), "iloc") else ""
        message += (
            f" A symbol is a capital letter, followed by lower-case letters: "
            f"df.rename({keyword}{arguments})."
        )
    if len(wrong_case) < len(refused):
        good = [repr(name) for j, name in enumerate(names) if j not in refused]
        selection = ", ".join(
            [*good[:ERRORS_SHOWN], *(["..."] if len(good) > ERRORS_SHOWN or not good else [])]
        )
        message += f" Select the columns of components: df[[{selection}]]."
        if not good:
            message += " (For a column of alloy names, pass it alone to from_weight_percent.)"
    return message


def read_table(df: Any, unit: str, balance: str | None) -> "pd.DataFrame":
    """Return the amounts of elements in a table: moles in 100 moles, or in 100 g."""
    if not is_dataframe(df):
        raise ValueError(
            f"the table of components is of type {type(df).__name__}: pass a pandas or polars "
            "DataFrame"
        )
    import pandas as pd

    components = _read_columns(df, unit)
    rest = None if balance is None else read_balance(balance, unit)
    values = _read_values(df)
    with np.errstate(over="ignore"):  # refused below
        sums = values.sum(axis=1)
    if rest is None:
        empty = np.flatnonzero(sums == 0)
        if len(empty):
            raise ValueError(
                f"row {empty[0]} has no component above zero ({len(empty)} such rows in all): "
                "remove it, or name the component that the table leaves out as balance="
            )
    else:
        for name, component in zip(df.columns, components, strict=True):
            if component.amounts == rest.amounts:
                raise ValueError(
                    f"balance={shown(balance)} is a column of the table: drop {shown(name)} if "
                    "its numbers do not count, otherwise leave out balance="
                )
        over = np.flatnonzero(sums > 100 + ROUNDING)
        if len(over):
            raise ValueError(
                f"row {over[0]} adds up to {written(sums[over[0]])}, which leaves nothing for the "
                f"balance ({len(over)} such rows in all)"
            )
        components = [*components, rest]
        balances = 100 - sums
        balances[np.abs(balances) <= ROUNDING] = 0
        values = np.column_stack([values, balances])

    symbols: dict[int, int] = {}
    for component in components:
        for z in component.amounts:
            symbols.setdefault(z, len(symbols))
    # Column by column and not as a product of matrices: equal rows stay equal to the last bit.
    amounts = np.zeros((len(values), len(symbols)), order="F")
    for j, component in enumerate(components):
        moles = values[:, j] * component.moles(unit)
        for z, n in component.amounts.items():
            amounts[:, symbols[z]] += moles * n
    with np.errstate(over="ignore"):
        totals = amounts.sum(axis=1)
    lost = np.flatnonzero(~(np.isfinite(sums + totals) & (totals > 0)))
    if len(lost):
        raise ValueError(f"row {lost[0]}: the amounts are too large or too small to be added up")
    if rest is None:
        warn_of_sums(sums)
    else:
        warn_of_fractions(sums)
    return pd.DataFrame(
        amounts,
        columns=[ELEMENTS[z - 1] for z in symbols],
        index=df.index if hasattr(type(df), "iloc") else None,  # polars has none
    )


def _read_values(df: Any) -> np.ndarray:
    """Return the numbers of a table, all of them finite and not negative."""
    by_position = hasattr(type(df), "iloc")  # pandas
    values = np.empty(df.shape, order="F")
    for j, name in enumerate(df.columns):
        column = df.iloc[:, j] if by_position else df.get_columns()[j]
        values[:, j] = _column_values(column, name)
    bad = ~((values >= 0) & (values < np.inf))
    if bad.any():
        row, j = np.argwhere(bad)[0]
        value, name = values[row, j], shown(list(df.columns)[j])
        if np.isnan(value):
            fill = "df.fillna(0)" if by_position else "df.fill_nan(0).fill_null(0)"
            raise ValueError(
                f"row {row} has no value for {name} ({np.isnan(values).sum()} missing in all): if "
                f"a blank means that the component is absent, use {fill}"
            )
        raise ValueError(
            f"row {row} has {value:g} of {name}: percents are finite and not negative. Correct "
            "the value or remove the row"
        )
    return values


def _column_values(column: Any, name: Hashable) -> np.ndarray:
    dtype = column.dtype
    if hasattr(column, "cast"):  # polars
        if dtype.is_numeric():
            return column.cast(float).to_numpy()
    elif isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64)
    elif dtype.kind in "iuf":  # pandas' nullable types
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.full(len(column), np.nan)
    for row, item in enumerate(column.to_list()):
        if is_missing(item):
            continue
        if isinstance(item, bool | np.bool_) or not isinstance(item, Real | Decimal):
            raise ValueError(_about_text(item, row, name))
        try:
            values[row] = float(item)
        except OverflowError:  # of an int that no float can hold
            values[row] = np.inf
    return values


def _about_text(item: object, row: int, name: Hashable) -> str:
    message = f"column {shown(name)} must be numeric: row {row} is {shown(item)}"
    if isinstance(item, str):
        text = item.strip(" .").lower()
        if text in _BALANCE_WORDS:
            return f"{message} (drop the column and pass balance={shown(_bare(name))})"
        return f"{message} (replace it by a number; pandas.to_numeric converts text)"
    return message


def _bare(name: Hashable) -> Hashable:
    return split_unit(name)[0] if isinstance(name, str) else name


def written(value: float) -> str:
    """Return a sum for a message, with digits enough to tell it from 100."""
    return f"{value:.6g}" if abs(value - 100) > 1e-3 else f"{value:.10g}"


def warn_of_sums(sums: np.ndarray, rows: np.ndarray | None = None) -> None:
    whole = np.zeros(len(sums), dtype=bool)
    for total in (1, 100):
        whole |= np.abs(sums - total) <= _SUM_TOLERANCE * total * (1 + 1e-9)
    odd = np.flatnonzero(~whole)
    if len(odd):
        row = odd[0] if rows is None else rows[odd[0]]
        warn_of_table(
            f"{len(odd)} of {len(sums)} rows add up to neither 100 nor 1. The first is row "
            f"{row}: {written(sums[odd[0]])}. Amounts are relative, so the compositions are "
            "still defined. If the table leaves out a component, name it, as in balance='Fe'"
        )


def warn_of_fractions(sums: np.ndarray) -> None:
    if len(sums) and 0 < sums.max() <= 1:
        warn_of_table(
            f"no row adds up to more than {written(sums.max())} without the balance. Are these "
            "fractions? The balance is 100 minus their sum: multiply fractions by 100"
        )
