"""Tables of components and weight percent: how glasses, slags, cements and alloys are reported.

A component is a compound (SiO2) or an element (Fe). Names and texts that would have to be guessed
are refused, as everywhere in crabsk.
"""

import math
import re
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ._atomic_weights import ATOMIC_WEIGHTS
from ._elements import ATOMIC_NUMBERS, ELEMENTS
from ._errors import FormulaError, few, formula_error, is_missing, shown
from ._formula import FormulaReader, _checked, _mapping_amount
from ._input import is_dataframe
from ._parts import Amounts
from ._ragged import _ERRORS_SHOWN, _describe

if TYPE_CHECKING:
    import pandas as pd

_UNITS = ("mol%", "wt%")

_ROUNDING = 1e-6
"""A balance closer to zero than this, in percent, is zero."""

_SUM_TOLERANCE = 0.02
"""Relative distance from 100 (or 1) up to which a sum of components is taken for the whole."""

_LONG_WORDS = {
    **dict.fromkeys(("wt", "weight", "mass"), "wt%"),
    **dict.fromkeys(("mol", "mole", "moles", "molar", "at", "atom", "atoms", "atomic"), "mol%"),
}
# These mean a unit only apart from the name and in front of a percent sign: `Sm%` is samarium.
_WORDS = {**_LONG_WORDS, **dict.fromkeys(("w", "m", "gew", "ma"), "wt%")}
_MAX_NAME = 200
"""Longest name that is searched for a unit."""

_WORD, _LONG_WORD = (
    "(?i:" + "|".join(sorted(words, key=len, reverse=True)) + ")" for words in (_WORDS, _LONG_WORDS)
)
_SHARE = r"(?:%|(?i:percentage|percent|per\ cent|pct|fraction|frac)\.?)"

# `SiO2 (mol%)`, `Fe_wt%`, `Fe [wt. %]`, `Fe in at.%`, `Fe_wt`; `Fewt%`; `Fe%`.
_UNIT_BEHIND = re.compile(
    rf"""(?P<name>\S.*?)
    (?:
      (?:[\s_,;:/-]+[(\[{{]?|[(\[{{])\s*(?:in\s+)?
      (?:(?:(?P<word>{_WORD})\.?)?[\s_-]*{_SHARE}|(?P<bare>{_LONG_WORD})\.?)
      \s*[)\]}}]?
    | (?P<attached>{_LONG_WORD})\.?[\s_-]*%
    | %
    )""",
    re.VERBOSE,
)
# `wt% Fe`, `%C`.
_UNIT_IN_FRONT = re.compile(
    rf"[(\[{{]?\s*(?:(?P<word>{_WORD})\.?)?[\s_-]*{_SHARE}\s*[)\]}}]?[\s_]*(?P<name>\S+)",
    re.VERBOSE,
)
_PARTS_PER_MILLION = re.compile(r"pp[mb][wav]?[\s.)\]}]*$", re.IGNORECASE)

# Names of other columns in the same tables that happen to read as formulas.
_PROPERTIES = {
    "Ac1": "a transformation temperature",
    "Ac3": "a transformation temperature",
    "HB": "Brinell hardness",
    "HK": "Knoop hardness",
    "HV": "Vickers hardness",
    "NO": "a running number",
    "No": "a running number",
    "Ra": "surface roughness",
    "YS": "yield strength",
}
# Columns in capitals: SI is no compound of sulphur and iodine, and CO rarely carbon monoxide.
_IN_CAPITALS = re.compile("([A-Z]{2})([0-9.]*(?:O[0-9.]*)?)")
_NATURAL = frozenset(
    symbol
    for symbol, weight in zip(ELEMENTS, ATOMIC_WEIGHTS, strict=True)
    if not weight.is_integer()
)
"""Elements with a standard atomic weight: others are not what somebody meant to write."""
_ISOTOPE = re.compile(r"[DT](?![a-z])")

_BALANCE_WORDS = ("bal", "balance", "rest", "rem", "remainder", "remaining")

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣-", "-"))
_TERM = re.compile(
    r"""(?:(?P<amount>[0-9]++(?:\.[0-9]++)?|\.[0-9]++)
        \s*+(?:(?i:(?:wt|weight|mass)\.?\s*+)?%)?\s*+)?
    (?P<symbol>[A-Za-z]{1,2})""",
    re.VERBOSE,
)


def compositions_from_components(
    df: Any, *, unit: str, balance: str | None = None
) -> "pd.DataFrame":
    """Return the amounts of elements in a table of components.

    Components are compounds, as in tables of glasses, slags and cements (``SiO2``, ``Na2O``), or
    elements, as in tables of steels (``Fe``, ``Cr``).

    Parameters
    ----------
    df : pandas or polars DataFrame of shape (n_samples, n_components)
        One column for each component, named by its formula or symbol. The name may carry the unit:
        ``"SiO2 (mol%)"``, ``"Fe_wt%"``, ``"wt% C"``. Every column must be a component: select
        them from a larger table.
    unit : "mol%" or "wt%"
        What the numbers are. Atomic percent of elements is ``"mol%"``.
    balance : str, optional
        A component that the table leaves out, such as ``"Fe"``. Each row gets 100 minus the sum
        of its other components.

    Returns
    -------
    pandas DataFrame of shape (n_samples, n_elements)
        Amounts of elements, with their symbols as column names in the order in which components
        name them. They are not normalised: moles per 100 moles of components for ``"mol%"``, moles
        per 100 g of sample for ``"wt%"``. Every estimator of crabsk takes this table as X. The
        index is that of `df`, so `pandas.concat` can add further columns. For polars it is a
        `RangeIndex`.

    Raises
    ------
    ValueError
        If `unit` is neither of the two, if `df` is not a DataFrame, or if a column is not
        a component, contradicts `unit`, comes twice or is not numeric. Also if a value is negative,
        infinite or missing, if a row holds nothing, if the components beside a balance add up to
        more than 100, or if the balance is a column of the table.

    Warns
    -----
    UserWarning
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
    return _read_table(df, unit, balance)


def from_weight_percent(
    X: Any, *, balance: str | None = None
) -> "pd.DataFrame | pd.Series | list[dict[str, float]]":
    """Convert weight percent to atomic percent.

    Parameters
    ----------
    X : DataFrame, or sequence of mappings and alloy names
        Compositions by weight, in one of two forms:

        - A pandas or polars DataFrame whose columns are all elements or compounds, as in
          `compositions_from_components`.
        - A list, tuple, 1-D array or Series. Its items are mappings from symbol or formula to
          weight percent, such as ``{"Fe": 98.0, "C": 2.0}``, or alloy names such as
          ``"Ti-6Al-4V"``. In a name each element has its weight percent in front, and the one
          element without a number is the balance.
    balance : str, optional
        A component that the DataFrame or the mappings leave out, such as ``"Fe"``. It gets 100
        minus the sum of the others. Alloy names have their own balance, which must be the same.

    Returns
    -------
    pandas DataFrame, pandas Series or list
        Atomic percent: the elements of each row add up to 100. A DataFrame gives a DataFrame of
        shape (n_samples, n_elements) with the same index, a Series a Series of dicts with the same
        index, all else a list of dicts from symbol to atomic percent. Every estimator of crabsk
        takes these as X.

    Raises
    ------
    FormulaError
        A `ValueError`, if an item of a sequence cannot be read. Examples are a trade name
        (``"AISI 304"``), an alloy name with no balance or two, an unknown element, a negative or
        missing amount, or a sum above 100. The message shows the first five such rows and counts
        the rest; ``error.rows`` has the positions of all.
    ValueError
        If X has another form, or is a DataFrame that `compositions_from_components` refuses.

    Warns
    -----
    UserWarning
        If rows add up to neither 100 nor 1 (within 2 %): a component may be missing. With
        `balance`, if no row adds up to more than 1: the numbers look like fractions, not percent.

    See Also
    --------
    compositions_from_components : For mole percent, and amounts that are not normalised.

    Notes
    -----
    Some alloys are named in atomic percent, among them titanium aluminides (Ti-48Al-2Cr-2Nb) and
    shape-memory alloys (Ni-50Ti). Their names do not say so. Leave them out here, and give
    estimators a mapping of atomic percent instead.

    Examples
    --------
    >>> from crabsk.composition import from_weight_percent
    >>> (alloy,) = from_weight_percent(["Ti-6Al-4V"])
    >>> {symbol: round(percent, 1) for symbol, percent in alloy.items()}
    {'Ti': 86.2, 'Al': 10.2, 'V': 3.6}
    >>> import pandas as pd
    >>> steels = pd.DataFrame({"C": [0.4, 0.2], "Cr": [1.1, 13.0]}, index=["4140", "420"])
    >>> from_weight_percent(steels, balance="Fe").round(2)
             C     Cr     Fe
    4140  1.83   1.16  97.00
    420   0.91  13.73  85.36
    >>> try:
    ...     from_weight_percent(["Ti-6Al-4V", "Inconel 718"])
    ... except ValueError as error:
    ...     print(error)
    1 of 2 formulas cannot be read:
      row 1: 'Inconel 718': no composition can be read from it ...
    """
    if is_dataframe(X):
        table = _read_table(X, "wt%", balance)
        amounts = table.to_numpy()
        table[:] = amounts / amounts.sum(axis=1, keepdims=True) * 100
        return table
    items = _items_of(X)
    converted = _convert_items(items, None if balance is None else _read_balance(balance, "wt%"))
    if type(X).__name__ != "Series":
        return converted
    import pandas as pd

    index = X.index if hasattr(type(X), "iloc") else None  # polars has none
    return pd.Series(converted, index=index, name=X.name, dtype=object)


@dataclass(frozen=True, slots=True)
class _Component:
    """An element or compound, and the unit that its name carries."""

    amounts: Amounts
    unit: str | None = None  # "mol%", "wt%" or "%"

    def moles(self, unit: str) -> float:
        """Return the moles in one unit of it: in one mole, or in one gram."""
        if unit == "mol%":
            return 1.0
        return 1 / sum(n * ATOMIC_WEIGHTS[z - 1] for z, n in self.amounts.items())


class _NotAComponent(FormulaError):
    """A name that could be read, but hardly means a component."""


# Names


def _read_name(name: object, reader: FormulaReader) -> _Component:
    """Return the component that a column or a key is named by; raise FormulaError."""
    if not isinstance(name, str):
        raise _NotAComponent("not text")
    text, unit = _split_unit(name)
    if _PARTS_PER_MILLION.search(text):
        raise _NotAComponent("convert parts per million to percent: 10,000 ppm are 1 %")
    if text in _PROPERTIES and unit is None:
        raise _NotAComponent(
            f"{_PROPERTIES[text]}? If a component is meant, write its unit: '{text} (wt%)'"
        )
    capitals = _IN_CAPITALS.fullmatch(text)
    if (
        capitals
        and capitals[1].capitalize() in _NATURAL
        and set(capitals[1]) <= ATOMIC_NUMBERS.keys()
    ):
        meant = capitals[1].capitalize() + capitals[2]
        doubt = _NotAComponent(f"{meant}? If not, write '{text[0]}1{text[1:]}'")
        doubt.suggestion = meant
        raise doubt
    amounts = reader.read(text)
    isotope = _ISOTOPE.search(text)
    if isotope:
        raise _NotAComponent(
            f"{isotope[0]} would be an isotope of hydrogen: write H if it is meant"
        )
    return _Component(amounts, unit)


def _split_unit(text: str) -> tuple[str, str | None]:
    """Take the unit off a name: "mol%", "wt%", "%" (of either), or None."""
    text = text.strip()
    if len(text) <= _MAX_NAME:
        match = _UNIT_BEHIND.fullmatch(text)
        if match:
            word = match["word"] or match["bare"] or match["attached"] or ""
            return match["name"], _WORDS.get(word.lower(), "%")
        match = _UNIT_IN_FRONT.fullmatch(text)
        if match:
            return match["name"], _WORDS.get((match["word"] or "").lower(), "%")
    return text, None


def _read_balance(balance: object, unit: str) -> _Component:
    try:
        component = _read_name(balance, FormulaReader())
    except FormulaError as error:
        raise ValueError(
            f"balance={shown(balance)} is not a component such as 'Fe' or 'SiO2': {error}"
        ) from error
    if component.unit not in (None, "%", unit):
        raise ValueError(f"balance={shown(balance)} is in {component.unit}, the rest in {unit}")
    return component


def _read_columns(df: Any, unit: str) -> list[_Component]:
    names = list(df.columns)
    if not names:
        raise ValueError("the table has no columns")
    reader = FormulaReader()
    components: dict[int, _Component] = {}
    refused: dict[int, FormulaError] = {}
    for j, name in enumerate(names):
        try:
            components[j] = _read_name(name, reader)
        except FormulaError as error:
            refused[j] = error
    if refused:
        raise ValueError(_about_names(df, names, refused))
    other = [names[j] for j, c in components.items() if c.unit not in (None, "%", unit)]
    if other:
        said = "wt%" if unit == "mol%" else "mol% or at%"
        raise ValueError(
            f"the table is read as {unit}, but names of columns say {said}: {few(other)}"
        )
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
    """Say which names are no components, and what to do."""
    shown_names = [
        shown(names[j]) + (f" ({error})" if isinstance(error, _NotAComponent) else "")
        for j, error in refused.items()
    ]
    text = ", ".join(shown_names[:_ERRORS_SHOWN])
    if len(refused) > _ERRORS_SHOWN:
        text += f", ... ({len(refused)} in all)"
    message = f"{len(refused)} of {len(names)} columns are not named by a component: {text}."
    meant = {names[j]: _meant(names[j], error) for j, error in refused.items()}
    wrong_case = {name: correct for name, correct in meant.items() if correct}
    if wrong_case:
        arguments = "str.capitalize"
        if not _all_components([name.capitalize() for name in map(str, names)]):
            pairs = ", ".join(f"{old!r}: {new!r}" for old, new in list(wrong_case.items())[:5])
            arguments = f"{{{pairs}{', ...' if len(wrong_case) > 5 else ''}}}"
        keyword = "columns=" if hasattr(type(df), "iloc") else ""
        message += (
            f" Symbols begin with a capital letter and go on in small ones: "
            f"df.rename({keyword}{arguments})."
        )
    if len(wrong_case) < len(refused):
        good = [repr(name) for j, name in enumerate(names) if j not in refused]
        selection = ", ".join([*good[:5], *(["..."] if len(good) > 5 or not good else [])])
        message += f" Select the columns of components: df[[{selection}]]."
        if not good:
            message += " (from_weight_percent takes a column of alloy names by itself.)"
    return message


def _meant(name: object, error: FormulaError) -> str | None:
    """Return "Mn (wt%)" for "MN (wt%)" or "mn (wt%)"; None if no component is known to be meant."""
    if not isinstance(name, str):
        return None
    text, _ = _split_unit(name)
    meant = text.capitalize()
    if meant not in _NATURAL:
        # `AL2O3`, but not `co2`, in which one element or two may be meant.
        meant = error.suggestion or ""
        if len(set(re.findall("[A-Z][a-z]?", meant)) & _NATURAL) < 2:
            return None
    corrected = name.replace(text, meant, 1)
    return corrected if corrected != name and _all_components([corrected]) else None


def _all_components(names: list[str]) -> bool:
    reader = FormulaReader()
    try:
        for name in names:
            _read_name(name, reader)
    except FormulaError:
        return False
    return True


# Tables


def _read_table(df: Any, unit: str, balance: str | None) -> "pd.DataFrame":
    """Return the amounts of elements in a table: moles of 100 moles, or of 100 g."""
    if not is_dataframe(df):
        raise ValueError(
            f"the table of components is of type {type(df).__name__}: pass a pandas or polars "
            "DataFrame"
        )
    import pandas as pd

    components = _read_columns(df, unit)
    rest = None if balance is None else _read_balance(balance, unit)
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
        over = np.flatnonzero(sums > 100 + _ROUNDING)
        if len(over):
            raise ValueError(
                f"row {over[0]} adds up to {_written(sums[over[0]])}, which leaves nothing for the "
                f"balance ({len(over)} such rows in all)"
            )
        components = [*components, rest]
        balances = 100 - sums
        balances[np.abs(balances) <= _ROUNDING] = 0
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
        raise ValueError(f"row {lost[0]}: the amounts are too large or too small to add them up")
    if rest is None:
        _warn_of_sums(sums)
    else:
        _warn_of_fractions(sums)
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
    return _split_unit(name)[0] if isinstance(name, str) else name


def _written(value: float) -> str:
    """Return a sum for a message, with digits enough to tell it from 100."""
    return f"{value:.6g}" if abs(value - 100) > 1e-3 else f"{value:.10g}"


# stacklevel=4 names the user's line: it called a public function, which called a private one, which
# called these.


def _warn_of_sums(sums: np.ndarray, rows: np.ndarray | None = None) -> None:
    whole = np.zeros(len(sums), dtype=bool)
    for total in (1, 100):
        whole |= np.abs(sums - total) <= _SUM_TOLERANCE * total * (1 + 1e-9)
    odd = np.flatnonzero(~whole)
    if len(odd):
        row = odd[0] if rows is None else rows[odd[0]]
        warnings.warn(
            f"{len(odd)} of {len(sums)} rows add up to neither 100 nor 1, the first of them row "
            f"{row}: {_written(sums[odd[0]])}. Amounts are relative, so the compositions are "
            "defined. But if a component is left out, name it, such as balance='Fe'",
            UserWarning,
            stacklevel=4,
        )


def _warn_of_fractions(sums: np.ndarray) -> None:
    if len(sums) and 0 < sums.max() <= 1:
        warnings.warn(
            f"no row adds up to more than {_written(sums.max())} without the balance. Are these "
            "fractions? The balance is 100 minus their sum: multiply fractions by 100",
            UserWarning,
            stacklevel=4,
        )


# Mappings and alloy names


def _items_of(X: Any) -> list:
    if isinstance(X, str | Mapping):
        raise ValueError(f"{shown(X)} is a single composition: pass a list of them")
    if hasattr(type(X), "to_list"):  # a Series
        return X.to_list()
    if hasattr(type(X), "__array__"):
        X = np.asarray(X)
        if X.ndim != 1 or X.dtype.kind in "biufc":
            raise ValueError(
                f"X is an array of {X.dtype} of shape {X.shape}, whose columns have no names: pass "
                "a DataFrame with symbols as column names, or a list of mappings or alloy names"
            )
        return X.tolist()
    if isinstance(X, Sequence):
        return list(X)
    raise ValueError(
        f"X is of type {type(X).__name__}: pass a DataFrame, or a list of mappings or alloy names"
    )


def _convert_items(items: list, balance: _Component | None) -> list[dict[str, float]]:
    reader = _ItemReader(balance)
    converted: list[dict[str, float]] = []
    errors: list[tuple[int, FormulaError]] = []
    bad_rows: list[int] = []
    for row, item in enumerate(items):
        try:
            converted.append(reader.read(item, row))
        except FormulaError as error:
            bad_rows.append(row)
            if len(errors) < _ERRORS_SHOWN:
                errors.append((row, error))
    if errors:
        first = errors[0][1]
        message = _describe(errors, len(bad_rows), len(items))
        refusal = formula_error(message, first.kind, first.suggestion)
        refusal.rows = tuple(bad_rows)
        raise refusal from first
    if reader.sums:
        sums = np.array(reader.sums)
        if balance is None:
            _warn_of_sums(sums, np.array(reader.rows))
        else:
            _warn_of_fractions(sums)
    return converted


class _ItemReader:
    """Reads mappings and alloy names; remembers keys, and the sums of mappings."""

    def __init__(self, balance: _Component | None) -> None:
        self.balance = balance
        self.sums: list[float] = []
        self.rows: list[int] = []
        self._formulas = FormulaReader()
        self._components: dict[Hashable, tuple[_Component, float]] = {}

    def read(self, item: object, row: int) -> dict[str, float]:
        """Return the atomic percent of each element; raise FormulaError."""
        if isinstance(item, str):
            moles = self._read_alloy(item)
        elif isinstance(item, Mapping):
            moles = self._read_mapping(item, row)
        elif is_missing(item):
            raise formula_error(
                f"{item!r} is a missing value: remove the row or say what it holds", "missing"
            )
        else:
            raise formula_error(
                f"{shown(item)} is of type {type(item).__name__}: expected a mapping element -> "
                "weight percent or an alloy name such as 'Ti-6Al-4V'",
                "type",
            )
        total = sum(_checked(item, moles).values())
        return {ELEMENTS[z - 1]: n / total * 100 for z, n in moles.items()}

    def _read_mapping(self, mapping: Mapping, row: int) -> Amounts:
        moles: Amounts = {}
        total = 0.0
        for key, value in mapping.items():
            component, moles_per_gram = self._component(mapping, key)
            weight = _mapping_amount(mapping, key, value)
            if self.balance is not None and component.amounts == self.balance.amounts:
                raise formula_error(
                    f"{shown(mapping)}: {shown(key)} is the balance, which must not have an amount",
                    "amount",
                )
            total += weight
            _add(moles, component, weight * moles_per_gram)
        if self.balance is not None and mapping:
            rest = 100 - total
            if rest < -_ROUNDING:
                raise formula_error(
                    f"{shown(mapping)}: adds up to {_written(total)}, which leaves nothing for the "
                    "balance",
                    "amount",
                )
            if rest > _ROUNDING:
                _add(moles, self.balance, rest * self.balance.moles("wt%"))
        if total == math.inf:
            raise formula_error(
                f"{shown(mapping)}: the amounts are too large to add them up", "amount"
            )
        self.sums.append(total)
        self.rows.append(row)
        return moles

    def _component(self, mapping: Mapping, key: Hashable) -> tuple[_Component, float]:
        known = self._components.get(key)
        if known is None:
            # pymatgen's Element and Species carry their symbol.
            name = key if isinstance(key, str) else getattr(key, "symbol", key)
            try:
                component = _read_name(name, self._formulas)
            except FormulaError as error:
                meant = _meant(name, error)
                hint = str(error) if isinstance(error, _NotAComponent) else meant and f"{meant}?"
                raise formula_error(
                    f"{shown(mapping)}: {shown(key)} is not a component such as 'Fe' or 'SiO2'"
                    + (f" ({hint})" if hint else ""),
                    "unknown_element",
                ) from error
            if component.unit == "mol%":
                raise formula_error(
                    f"{shown(mapping)}: {shown(key)} is not weight percent", "amount"
                )
            known = self._components[key] = component, component.moles("wt%")
        return known

    def _read_alloy(self, text: str) -> Amounts:
        name, unit = _split_unit(text)
        if unit == "mol%":
            raise formula_error(f"{shown(text)}: says atomic percent, not weight percent", "amount")
        terms = [term.strip() for term in name.translate(_DASHES).split("-")]
        weights: dict[int, float] = {}
        balances: list[int] = []
        for term in terms:
            match = _TERM.fullmatch(term)
            z = None if match is None else ATOMIC_NUMBERS.get(match["symbol"])
            if match is None or z is None:
                self._refuse_alloy(text, term, match)
            if z in weights or z in balances:
                raise formula_error(f"{shown(text)}: {match['symbol']} comes twice", "amount")
            if match["amount"] is None:
                balances.append(z)
            else:
                weights[z] = float(match["amount"])
                if weights[z] == 0:
                    raise formula_error(f"{shown(text)}: an amount of zero ({term!r})", "amount")
        if len(balances) != 1:
            raise formula_error(f"{shown(text)}: {_about_balances(balances)}", "amount")
        rest = 100 - sum(weights.values())
        if rest <= _ROUNDING:
            raise formula_error(
                f"{shown(text)}: the numbers add up to {_written(100 - rest)}, which leaves "
                f"nothing for {ELEMENTS[balances[0] - 1]}",
                "amount",
            )
        if self.balance is not None and self.balance.amounts != {balances[0]: 1.0}:
            raise formula_error(
                f"{shown(text)}: its balance is {ELEMENTS[balances[0] - 1]}, not that of balance=",
                "amount",
            )
        weights = {balances[0]: rest, **weights}
        return {z: weight / ATOMIC_WEIGHTS[z - 1] for z, weight in weights.items()}

    def _refuse_alloy(self, text: str, term: str, match: re.Match | None) -> NoReturn:
        """Refuse a text for a term that is no element with its weight percent in front."""
        if not text.strip():
            raise formula_error(
                f"{shown(text)} is empty: expected a mapping or an alloy name", "empty"
            )
        if match is not None:
            symbol, suggestion = match["symbol"], None
            reason = f"unknown element {shown(symbol)}"
            if symbol.capitalize() in _NATURAL:
                reason += f" (write {symbol.capitalize()})"
                suggestion = text.replace(term, term.replace(symbol, symbol.capitalize()), 1)
            raise formula_error(f"{shown(text)}: {reason}", "unknown_element", suggestion)
        try:
            self._formulas.read(text)
        except FormulaError:
            raise FormulaError(
                f"{shown(text)}: no composition can be read from it ({shown(term)} is not a term "
                "such as 6Al in 'Ti-6Al-4V'). For a trade name or grade pass its composition as a "
                "mapping"
            ) from None
        raise FormulaError(
            f"{shown(text)}: is this a grade or a formula? Pass the composition of a grade as a "
            "mapping. A formula counts atoms and goes to estimators as it is"
        )


def _add(moles: Amounts, component: _Component, amount: float) -> None:
    """Add an amount of a component, in moles, to the elements; nothing of zero is added."""
    if amount > 0:
        for z, n in component.amounts.items():
            moles[z] = moles.get(z, 0.0) + amount * n


def _about_balances(balances: list[int]) -> str:
    if not balances:
        return (
            "every element has a number, so the balance is unknown (write it without a number in "
            "front, as Fe in 'Fe-18Cr-8Ni', or pass a mapping)"
        )
    symbols = ", ".join(ELEMENTS[z - 1] for z in balances)
    return f"the elements {symbols} have no number, but only one can be the balance"
