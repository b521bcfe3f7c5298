"""Weight percent to atomic percent, for tables, mappings and the names of alloys."""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .._text import shown
from ._atomic_weights import ATOMIC_WEIGHTS
from ._component_names import (
    NATURAL,
    Component,
    NotAComponentError,
    probable_name,
    read_balance,
    read_component,
    split_unit,
)
from ._components import ROUNDING, read_table, warn_of_fractions, warn_of_sums, written
from ._elements import ATOMIC_NUMBERS, ELEMENTS
from ._errors import FormulaError, RowErrors, formula_error, is_missing
from ._formula import FormulaReader, checked, mapping_amount
from ._input import is_dataframe
from ._parts import Amounts

if TYPE_CHECKING:
    import pandas as pd

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣-", "-"))
_TERM = re.compile(
    r"""(?:(?P<amount>[0-9]++(?:\.[0-9]++)?|\.[0-9]++)
        \s*+(?:(?i:(?:wt|weight|mass)\.?\s*+)?%)?\s*+)?
    (?P<symbol>[A-Za-z]{1,2})""",
    re.VERBOSE,
)


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
          ``"Ti-6Al-4V"``. In an alloy name each element has its weight percent in front. The one
          element without a number is the balance. Numbers that add up to 100 need no balance
          (``"63Sn-37Pb"``).
    balance : str, optional
        A component that the DataFrame or the mappings leave out, such as ``"Fe"``. Its amount is
        100 minus the sum of the others. Alloy names have their own balance, which must be the same.

    Returns
    -------
    pandas DataFrame, pandas Series or list
        Atomic percent: the elements of each row add up to 100. For a DataFrame, the result is a
        DataFrame of shape (n_samples, n_elements) with the same index. For a Series it is a Series
        of dicts with the same index, and for anything else a list of dicts; the dicts map symbols
        to atomic percent. Every estimator of crabsk takes these as X.

    Raises
    ------
    FormulaError
        A `ValueError`, if an item of a sequence cannot be read. Examples are a trade name
        (``"AISI 304"``), an alloy name with no balance or two, an unknown element, a negative or
        missing amount, or a sum above 100. The message shows the first five such rows and counts
        the rest; ``error.rows`` holds the positions of all of them.
    ValueError
        If X has any other form, or is a DataFrame that `compositions_from_components` refuses.

    Warns
    -----
    TableWarning
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
        table = read_table(X, "wt%", balance)
        amounts = table.to_numpy()
        table[:] = amounts / amounts.sum(axis=1, keepdims=True) * 100
        return table
    items = _items_of(X)
    converted = _convert_items(items, None if balance is None else read_balance(balance, "wt%"))
    if type(X).__name__ != "Series":
        return converted
    import pandas as pd

    index = X.index if hasattr(type(X), "iloc") else None  # polars has none
    return pd.Series(converted, index=index, name=X.name, dtype=object)


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


def _convert_items(items: list, balance: Component | None) -> list[dict[str, float]]:
    reader = _ItemReader(balance)
    converted: list[dict[str, float]] = []
    errors = RowErrors()
    for row, item in enumerate(items):
        try:
            converted.append(reader.read(item, row))
        except FormulaError as error:
            errors.add(row, error)
    errors.raise_if_any(len(items))
    if reader.sums:
        sums = np.array(reader.sums)
        if balance is None:
            warn_of_sums(sums, np.array(reader.rows))
        else:
            warn_of_fractions(sums)
    return converted


class _ItemReader:
    """Reads mappings and alloy names; remembers keys, and the sums of mappings."""

    def __init__(self, balance: Component | None) -> None:
        self.balance = balance
        self.sums: list[float] = []
        self.rows: list[int] = []
        self._formulas = FormulaReader()
        self._components: dict[Hashable, tuple[Component, float]] = {}

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
        total = sum(checked(item, moles).values())
        return {ELEMENTS[z - 1]: n / total * 100 for z, n in moles.items()}

    def _read_mapping(self, mapping: Mapping, row: int) -> Amounts:
        moles: Amounts = {}
        total = 0.0
        for key, value in mapping.items():
            component, moles_per_gram = self._component(mapping, key)
            weight = mapping_amount(mapping, key, value)
            if self.balance is not None and component.amounts == self.balance.amounts:
                raise formula_error(
                    f"{shown(mapping)}: {shown(key)} is the balance, which must not have an amount",
                    "amount",
                )
            total += weight
            _add(moles, component, weight * moles_per_gram)
        if self.balance is not None and mapping:
            rest = 100 - total
            if rest < -ROUNDING:
                raise formula_error(
                    f"{shown(mapping)}: adds up to {written(total)}, which leaves nothing for the "
                    "balance",
                    "amount",
                )
            if rest > ROUNDING:
                _add(moles, self.balance, rest * self.balance.moles("wt%"))
        if total == math.inf:
            raise formula_error(
                f"{shown(mapping)}: the amounts are too large to be added up", "amount"
            )
        self.sums.append(total)
        self.rows.append(row)
        return moles

    def _component(self, mapping: Mapping, key: Hashable) -> tuple[Component, float]:
        known = self._components.get(key)
        if known is None:
            # pymatgen's Element and Species carry their symbol.
            name = key if isinstance(key, str) else getattr(key, "symbol", key)
            try:
                component = read_component(name, self._formulas)
            except FormulaError as error:
                meant = probable_name(name, error)
                hint = (
                    str(error) if isinstance(error, NotAComponentError) else meant and f"{meant}?"
                )
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
        name, unit = split_unit(text)
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
        if not balances and abs(sum(weights.values()) - 100) <= ROUNDING:
            return {z: weight / ATOMIC_WEIGHTS[z - 1] for z, weight in weights.items()}
        if len(balances) != 1:
            raise formula_error(f"{shown(text)}: {_about_balances(balances)}", "amount")
        rest = 100 - sum(weights.values())
        if rest <= ROUNDING:
            raise formula_error(
                f"{shown(text)}: the numbers add up to {written(100 - rest)}, which leaves "
                f"nothing for {ELEMENTS[balances[0] - 1]}",
                "amount",
            )
        if self.balance is not None and self.balance.amounts != {balances[0]: 1.0}:
            raise formula_error(
                f"{shown(text)}: its balance is {ELEMENTS[balances[0] - 1]}, not the one given as "
                "balance=",
                "amount",
            )
        weights = {balances[0]: rest, **weights}
        return {z: weight / ATOMIC_WEIGHTS[z - 1] for z, weight in weights.items()}

    def _refuse_alloy(self, text: str, term: str, match: re.Match | None) -> NoReturn:
        """Refuse a text for a term that is not an element with its weight percent in front."""
        if not text.strip():
            raise formula_error(
                f"{shown(text)} is empty: expected a mapping or an alloy name", "empty"
            )
        if match is not None:
            symbol, suggestion = match["symbol"], None
            reason = f"unknown element {shown(symbol)}"
            if symbol.capitalize() in NATURAL:
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
            "mapping. A formula counts atoms: pass it to estimators as it is"
        )


def _add(moles: Amounts, component: Component, amount: float) -> None:
    """Add an amount of a component, in moles, to the elements; nothing of zero is added."""
    if amount > 0:
        for z, n in component.amounts.items():
            moles[z] = moles.get(z, 0.0) + amount * n


def _about_balances(balances: list[int]) -> str:
    if not balances:
        return (
            "every element has a number, but the numbers do not add up to 100 (write the balance "
            "without a number in front, as Fe in 'Fe-18Cr-8Ni', or pass a mapping)"
        )
    symbols = ", ".join(ELEMENTS[z - 1] for z in balances)
    return f"the elements {symbols} have no number, but only one can be the balance"
