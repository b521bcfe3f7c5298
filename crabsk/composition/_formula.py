"""Read one chemical formula, or one mapping element -> amount.

The reader refuses what it would have to guess. Every refusal is a `FormulaError` whose message
names the place in the text; the caller adds the row. Plain formulas are
read here; `_notation` reads everything else that people write, and decides what is ambiguous.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import NoReturn

from .._text import shown
from ._doubts import ACRONYM_BEGINNINGS, LAYER_NUMBERS, plain_digits
from ._elements import ATOMIC_NUMBERS, ENDS_OF_COMPOUNDS, FORMULA_SYMBOLS, split_species
from ._errors import formula_error, is_missing
from ._notation import MAX_AMOUNT_CHARS, OXIDATION_STATE, read_notation
from ._parts import Amounts

MIN_FRACTION = 1e-300
"""Below it (or if the total overflows) an element cannot be distinguished from an absent one."""

# A plain formula has no nested brackets, spaces or separators: it is a run of terms, and a term is
# a symbol or one bracket with all that follows up to the next of either.
_FLAT = re.compile(r"[A-Z][^A-Z(]*|\([^)]*\)?[^A-Z(]*")
_AMOUNT = r"((?:0|[1-9][0-9]*)(?:\.[0-9]+)?)?"
_FLAT_TERM = re.compile(rf"([A-Z][a-z]?){_AMOUNT}")
_FLAT_GROUP = re.compile(rf"\(([A-Za-z0-9.]+)\){_AMOUNT}")

# A decimal whose point may stand between two compounds instead: `Al2O3.2SiO2`. The first search
# begins at the point, which is quicker to find; the second wants a non-metal or bracket before it.
_POINT_BETWEEN = re.compile(r"\.(?:(?<=[1-9]\.)|(?<=[0-9]0\.))[1-9][0-9]*+(?=[A-Z(])")
_NON_METAL_BEFORE = re.compile(r"(?:[HBCNOFSI)]|Cl|Br|Se|Te)[1-9][0-9]*\.[1-9][0-9]*+(?=[A-Z(])")
_CACHED_TERMS = 200_000

# Whether a text that begins with a letter may be an acronym such as YBCO.
_FIRST_LETTERS = {letter: letter in "YNHB" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

# `OAc` is acetate.
_ACTINIUM = ATOMIC_NUMBERS["Ac"]

Term = tuple[tuple[int, float], ...]
"""Atomic numbers and amounts in a term; none where its amount is zero."""


class FormulaReader:
    """Reads formulas; remembers the terms (`Fe2`, `(SO4)3`) that it has seen in this call.

    Real data repeat a few thousand terms, so that nearly every plain formula is a handful of
    dictionary look-ups.
    """

    def __init__(self) -> None:
        self._terms: dict[str, Term] = {}

    def read(self, item: object) -> Amounts:
        """Return the amounts in `item`, a formula or a mapping; raise FormulaError."""
        if isinstance(item, str):
            return self._read_flat(item) or self._read_otherwise(item)
        if isinstance(item, Mapping):
            return checked(item, _read_mapping(item))
        _refuse_type(item)

    def _read_otherwise(self, item: str) -> Amounts:
        """Read a formula that is not plain: in other digits, spaced, or with more to it."""
        if not item.isascii():
            amounts = self._read_flat(plain_digits(item))
            if amounts:
                return amounts
        return self._read_spaced(item) or checked(item, read_notation(item))

    def _read_flat(self, text: str) -> Amounts | None:
        """Read a formula of symbols, plain amounts and round brackets; None if it may be more."""
        may_be_acronym = _FIRST_LETTERS.get(text[:1])
        if may_be_acronym is None or (may_be_acronym and text[:4] in ACRONYM_BEGINNINGS):
            return None
        terms = self._terms
        amounts: Amounts = {}
        term = ""
        for term in _FLAT.findall(text):
            known = terms.get(term)
            if known is None:
                known = _read_term(term)
                if known is None:
                    return None
                if len(terms) < _CACHED_TERMS:
                    terms[term] = known
            for z, amount in known:
                amounts[z] = amounts[z] + amount if z in amounts else amount
        # The last Y may stand for an amount (`YBa2Cu3OY`).
        if term == "Y" or ("." in text and self._may_hold_a_point_between(text, amounts)):
            return None
        return amounts

    def _may_hold_a_point_between(self, text: str, amounts: Amounts) -> bool:
        """Whether it takes more care to say that no point divides compounds (`Al2O3.2SiO2`).

        It does if there is no other decimal, or if an element comes twice, be it as a zero.
        """
        if not (_POINT_BETWEEN.search(text) and _NON_METAL_BEFORE.search(text)):
            return False
        n_read = sum(len(_read_term(term) or ()) or 1 for term in _FLAT.findall(text))
        return len(_POINT_BETWEEN.findall(text)) == text.count(".") or n_read > len(amounts)

    def _read_spaced(self, text: str) -> Amounts | None:
        """Read symbols and amounts with a space behind each, as tables of alloys have them."""
        amounts: Amounts = {}
        for word in text.split():
            known = self._terms.get(word)
            if known is None:
                known = _read_term(word)
                if known is None:
                    return None
                if len(self._terms) < _CACHED_TERMS:
                    self._terms[word] = known
            if not known or word[0] == "(":
                return None
            ((z, amount),) = known
            if "." in text and (z in amounts or z in ENDS_OF_COMPOUNDS):
                return None  # a point may stand between compounds
            amounts[z] = amounts.get(z, 0.0) + amount
        return amounts


def _read_term(term: str) -> Term | None:
    """Return the amounts in `Fe2` or `(SO4)3`; None if that takes more care."""
    if len(term) > MAX_AMOUNT_CHARS:
        return None
    if term[0] != "(":
        return _read_element(term)
    group = _FLAT_GROUP.fullmatch(term)
    if group is None or not "A" <= group[1][0] <= "Z" or OXIDATION_STATE.match(term):
        return None
    if group[1] == "OPr":  # propoxide
        return None
    factor = float(group[2] or 1)
    amounts = []
    for part in _FLAT.findall(group[1]):
        element = _read_element(part)
        if element is None:
            return None
        for z, amount in element:
            if factor and not 1e-100 < amount * factor < 1e100:
                return None
            amounts.append((z, amount * factor))
    return tuple(amounts) if factor else ()


def _read_element(term: str) -> Term | None:
    match = _FLAT_TERM.fullmatch(term)
    if match is None or match[2] in LAYER_NUMBERS:
        return None
    z = ATOMIC_NUMBERS.get(match[1])
    if z is None or z == _ACTINIUM:
        return None
    amount = float(match[2] or 1)
    if not amount:
        # A zero is an absence, as it is in mappings.
        return ()
    # A term out of this range is for the careful path, which knows what to say of it.
    return ((z, amount),) if 1e-100 < amount < 1e100 else None


def _read_mapping(mapping: Mapping) -> Amounts:
    amounts: Amounts = {}
    for key, value in mapping.items():
        # pymatgen's Element and Species carry their symbol. Oxidation states do not change which
        # element it is; `_species` reads them.
        symbol = key if isinstance(key, str) else getattr(key, "symbol", None)
        z = FORMULA_SYMBOLS.get(symbol) if isinstance(symbol, str) else None
        if z is None and isinstance(key, str) and (species := split_species(key)):
            z = FORMULA_SYMBOLS[species[0]]
        if z is None:
            raise formula_error(
                f"{shown(mapping)}: unknown element {shown(key)} (keys are symbols such as 'Fe', "
                "or species such as 'Fe3+')",
                "unknown_element",
            )
        amount = mapping_amount(mapping, symbol, value)
        if amount > 0:
            amounts[z] = amounts.get(z, 0.0) + amount
    return amounts


def mapping_amount(mapping: Mapping, symbol: object, value: object) -> float:
    """Return an amount in a mapping as a float; raise FormulaError for what is none."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        reason = f"{shown(value)}, not a number"
    else:
        try:
            amount = float(value)
        except OverflowError:  # of an int that no float can hold
            amount = math.inf
        if amount < 0:
            reason = f"negative ({shown(value)})"
        elif not math.isfinite(amount):
            reason = f"{shown(value)}, not a finite number"
        elif amount == 0 and value != 0:
            reason = f"{shown(value)}, too small to be told from zero"
        else:
            return amount
    raise formula_error(f"{shown(mapping)}: the amount of {symbol} is {reason}", "amount")


def checked(item: object, amounts: Amounts) -> Amounts:
    """Refuse a composition of nothing, and fractions that cannot be told from 0."""
    if not amounts:
        raise formula_error(f"{shown(item)}: no element has an amount above zero", "nothing")
    total = sum(amounts.values())
    if not (0 < total < math.inf and min(amounts.values()) / total > MIN_FRACTION):
        raise formula_error(
            f"{shown(item)}: the amounts are too large, or too far apart, to be told from zero",
            "amount",
        )
    return amounts


def _refuse_type(item: object) -> NoReturn:
    if is_missing(item):
        raise formula_error(
            f"{item!r} is a missing value: remove the row or give its formula", "missing"
        )
    raise formula_error(
        f"{shown(item)} is of type {type(item).__name__}: expected a formula (str) or a mapping "
        "element -> amount",
        "type",
    )
