"""Read one chemical formula, or one mapping element -> amount.

The reader refuses what it would have to guess. Every refusal is a `FormulaError` whose message
names the place in the text; the row is added by the caller, who alone knows it.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import NoReturn

from ._elements import FORMULA_SYMBOLS

MAX_AMOUNT_CHARS = 40
"""Longest accepted amount: no measured stoichiometry has as many digits."""

MIN_FRACTION = 1e-300
"""Below it (or where the total overflows) an element could not be told from one that is absent."""


class FormulaError(ValueError):
    """A text or mapping that is not a chemical composition.

    Subclass of `ValueError`; raised by everything in crabsk that reads formulas.

    Attributes
    ----------
    rows : tuple of int
        Positions of all formulas that cannot be read, also of those that the message leaves out;
        empty where one formula was read by itself.

    Examples
    --------
    >>> from crabsk.composition import FormulaError, parse_formulas
    >>> try:
    ...     parse_formulas(["NaCl", "Xx2O3"])
    ... except FormulaError as error:
    ...     print(error)
    1 of 2 formulas cannot be read:
      row 1: 'Xx2O3', position 0: unknown element 'Xx'
    >>> try:
    ...     parse_formulas(["Xx2O3", "NaCl", "?"])
    ... except FormulaError as error:
    ...     print(error.rows)
    (0, 2)
    """

    rows: tuple[int, ...] = ()


# Sub- and superscript digits stand for the digits that they show. The translation maps one
# character to one, so a position in the translated text is a position in the user's.
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_PLAIN = str.maketrans(f"₀₁₂₃₄₅₆₇₈₉{_SUPERSCRIPTS}₊₋⁺⁻−‐‑–", "01234567890123456789+-+-----")

# `H₂¹⁸O` is not H218O, nor `H₂2O` H22O: digits of two kinds are two numbers.
_SUPERSCRIPT = re.compile(f"[{_SUPERSCRIPTS}]")
_NOT_SUPERSCRIPT = re.compile("[0-9₀-₉]")
_MIXED_NUMBER = re.compile(r"[₀-₉]\.?[0-9]|[0-9]\.?[₀-₉]")

_TOKEN = re.compile(
    r"""
      (?P<symbol>[A-Z][a-z]*)
    | (?P<number>[0-9]+(?:\.[0-9]+)*(?:[eE][+-]?[0-9]+)?)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<separator>[·•*⋅∙‧・.])
    | (?P<space>\s+)
    """,
    re.VERBOSE,
)
_DIGITS = re.compile(r"[0-9]+")
_CLOSING = {"(": ")", "[": "]", "{": "}"}

# `Fe(III)` would be read as iron triiodide.
_ROMAN = re.compile(r"\((?:I{1,3}|IV|VI{0,3})\)")

# A molecule that crystals take up. Right behind a decimal number it makes the point ambiguous:
# `4.5H2O` may be 4.5 atoms, then H2O, or 4 atoms, then 5 H2O. The quantifiers are possessive (`++`)
# so that no text makes them try again.
_SOLVENT = r"""(?:
      (?:[HDT]2O2? | O[HDT]2 | N[HDT]3)(?![0-9a-z])
      # Organic molecules only where the part ends: mixed halides go on behind theirs.
    | C[0-9]*+[HDT](?![a-z])[0-9]*+(?:(?:Cl|[CFHNOS](?![a-z]))[0-9]*+)*+(?![\w(\[{])
    )"""
_SOLVENT_NEXT = re.compile(rf"\s*+(?:[(\[{{]\s*+)?+{_SOLVENT}", re.VERBOSE)
_DECIMALS_AND_SOLVENT = re.compile(rf"\.[0-9]++{_SOLVENT}", re.VERBOSE)

# Shares in front of their symbols, as metallurgists write alloys, if they add up to 1 or 100.
_AMOUNTS_IN_FRONT = re.compile(r"(?:[0-9]++(?:\.[0-9]++)?+[A-Z][a-z]?+){2,}+")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")

# The flat path: a formula without nested brackets, spaces and separators is a run of terms, a term
# a symbol or one bracket with all that follows up to the next of either.
_FLAT = re.compile(r"[A-Z][^A-Z(]*|\([^)]*\)?[^A-Z(]*")
_FLAT_TERM = re.compile(r"([A-Z][a-z]?)([0-9]+(?:\.[0-9]+)?)?")
_FLAT_GROUP = re.compile(r"\(([A-Za-z0-9.]+)\)([0-9]+(?:\.[0-9]+)?)?")
_CACHED_TERMS = 200_000

Amounts = dict[int, float]
"""Atomic number -> amount, in the order of first appearance."""


class FormulaReader:
    """Reads formulas; remembers the terms (`Fe2`, `(SO4)3`) that it has seen in this call.

    Real data repeat a few thousand terms, so that nearly every flat formula is a handful of
    dictionary look-ups.
    """

    def __init__(self) -> None:
        self._terms: dict[str, tuple[tuple[int, float], ...]] = {}

    def read(self, item: object) -> Amounts:
        """Return the amounts in `item`, a formula or a mapping; raise FormulaError."""
        if isinstance(item, str):
            return self._read_flat(item) or _checked(item, _read_nested(item))
        if isinstance(item, Mapping):
            return _checked(item, _read_mapping(item))
        _refuse_type(item)

    def _read_flat(self, text: str) -> Amounts | None:
        """Read a formula of symbols, plain amounts and round brackets; None if it may be more."""
        if not "A" <= text[:1] <= "Z" or ("." in text and _DECIMALS_AND_SOLVENT.search(text)):
            # Not a symbol in front, or perhaps a hydrate: left to the careful path.
            return None
        terms = self._terms
        amounts: Amounts = {}
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
        return amounts


def _read_term(term: str) -> tuple[tuple[int, float], ...] | None:
    """Return the amounts in `Fe2` or `(SO4)3`; None leaves the formula to the careful path."""
    if len(term) > MAX_AMOUNT_CHARS:
        return None
    if term[0] != "(":
        element = _read_element(term)
        return None if element is None else (element,)
    group = _FLAT_GROUP.fullmatch(term)
    if group is None or not "A" <= group[1][0] <= "Z" or _ROMAN.match(term):
        return None
    factor = float(group[2] or 1)
    elements = []
    for part in _FLAT.findall(group[1]):
        element = _read_element(part)
        if element is None or not 1e-100 < element[1] * factor < 1e100:
            return None
        elements.append((element[0], element[1] * factor))
    return tuple(elements)


def _read_element(term: str) -> tuple[int, float] | None:
    match = _FLAT_TERM.fullmatch(term)
    if match is None:
        return None
    z = FORMULA_SYMBOLS.get(match[1])
    amount = float(match[2] or 1)
    # A term out of this range is for the careful path, which knows what to say of it.
    return (z, amount) if z is not None and 1e-100 < amount < 1e100 else None


def _read_nested(original: str) -> Amounts:
    """Read any formula with an explicit stack: depth costs memory, not recursion."""
    text = original.translate(_PLAIN)
    if not text.strip():
        raise FormulaError(f"{shown(original)} is empty: expected a chemical formula")
    if text != original:
        _refuse_mixed_digits(original)
    _refuse_amounts_in_front(original, text)

    # A frame is an open bracket: its character and place, what its finished parts add up to,
    # the part being read (parts are divided by hydrate dots) and that part's leading multiplier.
    frame: _Frame = _Frame("", 0)
    stack: list[_Frame] = []
    group: Amounts | None = None  # what a number coming now would multiply
    spaced = False  # a space stands between `group` and here
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            _refuse_character(original, text, position)
        token = match[0]
        kind = match.lastgroup
        if kind == "space":
            spaced = True
            position = match.end()
            continue
        if kind == "number":
            amount = _read_amount(original, position, token)
            if group is not None and not spaced:
                _refuse_hydrate_dot(original, text, position, token)
                frame.add(group, amount)
                group = None
            elif group is None and not frame.part and frame.multiplier is None:
                if original[position] in _SUPERSCRIPTS:
                    _refuse(
                        original,
                        position,
                        f"{original[position]!r} in front of a symbol is a mass number: isotopes "
                        "are not told apart (leave it out)",
                    )
                frame.multiplier = amount
            else:
                if text[match.end() : match.end() + 1] in ("+", "-"):
                    _refuse_character(original, text, match.end())
                _refuse(
                    original,
                    position,
                    f"the number {shown(token)} follows neither a symbol nor a bracket "
                    "(write amounts next to their symbol, hydrates with '·')",
                )
        else:
            if group is not None:
                frame.add(group, 1.0)
                group = None
            if kind == "symbol":
                group = {_read_symbol(original, position, token): 1.0}
            elif kind == "open":
                _refuse_oxidation_state(original, text, position)
                stack.append(frame)
                frame = _Frame(token, position)
            elif kind == "close":
                if not stack:
                    _refuse(original, position, f"{token!r} closes a bracket that was never opened")
                if _CLOSING[frame.bracket] != token:
                    _refuse(
                        original,
                        position,
                        f"{token!r} does not match the {frame.bracket!r} at position "
                        f"{frame.position}",
                    )
                frame.end_part(original, position)
                group = frame.total
                frame = stack.pop()
            else:
                if token == ".":
                    _refuse_bare_decimal(original, text, position)
                frame.end_part(original, position)
        spaced = False
        position = match.end()
    if group is not None:
        frame.add(group, 1.0)
    if stack:
        _refuse(original, frame.position, f"the bracket {frame.bracket!r} is never closed")
    frame.end_part(original, len(text))
    return frame.total


class _Frame:
    """One open bracket, or the whole text."""

    __slots__ = ("bracket", "multiplier", "part", "position", "total")

    def __init__(self, bracket: str, position: int) -> None:
        self.bracket = bracket
        self.position = position
        self.total: Amounts = {}
        self.part: Amounts = {}
        self.multiplier: float | None = None

    def add(self, group: Amounts, amount: float) -> None:
        for z, n in group.items():
            self.part[z] = self.part.get(z, 0.0) + n * amount

    def end_part(self, original: str, position: int) -> None:
        if not self.part:
            _refuse(original, position, "an element is missing here")
        multiplier = 1.0 if self.multiplier is None else self.multiplier
        for z, n in self.part.items():
            self.total[z] = self.total.get(z, 0.0) + n * multiplier
        self.part = {}
        self.multiplier = None


def _read_symbol(original: str, position: int, token: str) -> int:
    z = FORMULA_SYMBOLS.get(token)
    if z is None:
        hint = ""
        if token[-1] in "xyzn" and token[:-1] in FORMULA_SYMBOLS:
            hint = f" (if {token[-1]!r} stands for an unknown amount, write the number)"
        _refuse(original, position, f"unknown element {shown(token)}{hint}")
    return z


def _read_amount(original: str, position: int, token: str) -> float:
    if len(token) > MAX_AMOUNT_CHARS:
        _refuse(
            original,
            position,
            f"an amount of {len(token)} characters (at most {MAX_AMOUNT_CHARS} are read)",
        )
    if token.count(".") > 1:
        _refuse(
            original,
            position,
            f"{token!r} is ambiguous: a decimal point or a hydrate dot? "
            "(write the hydrate with '·' or '*')",
        )
    amount = float(token)
    if amount == 0:
        mantissa = token.lower().partition("e")[0]
        _refuse(
            original,
            position,
            f"the amount {token!r} is too small to be told from zero"
            if mantissa.strip("0.")
            else f"an amount of zero ({token!r})",
        )
    if math.isinf(amount):
        _refuse(original, position, f"the amount {token!r} is too large")
    return amount


def _read_mapping(mapping: Mapping) -> Amounts:
    amounts: Amounts = {}
    for key, value in mapping.items():
        # pymatgen's Element and Species carry their symbol; oxidation states do not change
        # which element it is.
        symbol = key if isinstance(key, str) else getattr(key, "symbol", None)
        z = FORMULA_SYMBOLS.get(symbol) if isinstance(symbol, str) else None
        if z is None:
            raise FormulaError(
                f"{shown(mapping)}: unknown element {shown(key)} (keys are symbols such as 'Fe')"
            )
        amount = _mapping_amount(mapping, symbol, value)
        if amount > 0:
            amounts[z] = amounts.get(z, 0.0) + amount
    if not amounts:
        raise FormulaError(f"{shown(mapping)}: no element has an amount above zero")
    return amounts


def _mapping_amount(mapping: Mapping, symbol: object, value: object) -> float:
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
    raise FormulaError(f"{shown(mapping)}: the amount of {symbol} is {reason}")


def _checked(item: object, amounts: Amounts) -> Amounts:
    """Refuse amounts whose products left the range in which fractions can be told from 0."""
    total = sum(amounts.values())
    if not (0 < total < math.inf and min(amounts.values()) / total > MIN_FRACTION):
        raise FormulaError(
            f"{shown(item)}: the amounts are too large, or too far apart, to be told from zero"
        )
    return amounts


def _refuse(original: str, position: int, reason: str) -> NoReturn:
    raise FormulaError(f"{shown(original)}, position {position}: {reason}")


def _refuse_amounts_in_front(original: str, text: str) -> None:
    """Refuse 50Fe50Ni: FeNi for a metallurgist, 50 times Fe50Ni by the rule for 2H2O."""
    if _AMOUNTS_IN_FRONT.fullmatch(text.strip()):
        total = sum(float(amount) for amount in _NUMBER.findall(text))
        if any(math.isclose(total, whole, rel_tol=1e-6) for whole in (1, 100)):
            _refuse(
                original,
                0,
                f"the amounts in front of the symbols add up to {total:g}: are they the symbols' "
                "own, or does the first multiply the whole? Write amounts behind their symbols",
            )


def _refuse_mixed_digits(original: str) -> None:
    superscript = _SUPERSCRIPT.search(original)
    if superscript and _NOT_SUPERSCRIPT.search(original):
        _refuse(
            original,
            superscript.start(),
            f"{superscript[0]!r} beside other digits is a charge or a mass number (leave it out, "
            "or write all amounts in plain digits)",
        )
    number = _MIXED_NUMBER.search(original)
    if number:
        _refuse(
            original,
            number.start(),
            f"{number[0]!r} mixes plain and subscript digits: one number or two? (write all "
            "amounts in plain digits, hydrates with '·')",
        )


def _refuse_oxidation_state(original: str, text: str, position: int) -> None:
    numeral = _ROMAN.match(text, position)
    if numeral and position > 0:
        _refuse(
            original,
            position,
            f"{numeral[0]!r} is an oxidation state: leave it out (or write iodine and vanadium "
            "without a bracket)",
        )


def _refuse_hydrate_dot(original: str, text: str, position: int, token: str) -> None:
    """Refuse `4.5` in front of a solvent: an amount, or an amount and a hydrate."""
    whole, _, decimals = token.partition(".")
    # Nobody writes 0 atoms in front of a hydrate, nor 05 molecules.
    if (
        whole.strip("0")
        and decimals.isdigit()
        and decimals[0] != "0"
        and _SOLVENT_NEXT.match(text, position + len(token))
    ):
        _refuse(
            original,
            position,
            f"{token!r} before a solvent is ambiguous: an amount of {token}, or {whole} and a "
            f"hydrate dot? (write '{whole}·{decimals}' for the hydrate, a bracket such as "
            f"'(O{token})' around symbol and amount otherwise)",
        )


def _refuse_bare_decimal(original: str, text: str, position: int) -> None:
    """Refuse `.5`, which is half an atom or five of the next molecule."""
    digits = _DIGITS.match(text, position + 1)
    if digits:
        number = shown(digits[0])[1:-1]
        _refuse(
            original,
            position,
            f"'.{number}' is ambiguous: write '0.{number}' for an amount or '·{number}' for a "
            "hydrate",
        )


def _refuse_character(original: str, text: str, position: int) -> NoReturn:
    character = text[position]
    if character in "+-":
        _refuse(
            original,
            position,
            f"{original[position]!r} is a charge, a sum or a negative amount: leave charges out "
            "('Fe3+' could be Fe3), work out sums such as 1-x",
        )
    if character.islower():
        _refuse(
            original,
            position,
            f"{character!r} starts no element symbol (symbols begin with a capital letter; "
            "variables such as x must be numbers)",
        )
    # A Cyrillic O shows as the Latin one does.
    name = "" if character.isascii() else f" ({unicodedata.name(original[position], 'no name')})"
    _refuse(original, position, f"{original[position]!r}{name} does not belong in a formula")


def _refuse_type(item: object) -> NoReturn:
    if is_missing(item):
        raise FormulaError(f"{item!r} is a missing value: remove the row or give its formula")
    raise FormulaError(
        f"{shown(item)} is of type {type(item).__name__}: expected a formula (str) or a mapping "
        "element -> amount"
    )


def is_missing(item: object) -> bool:
    """Whether an item is None, NaN or pandas' NA or NaT."""
    # By name, because comparing NA answers NA and pandas need not be imported for it.
    return (
        item is None
        or type(item).__name__ in ("NAType", "NaTType")
        or (isinstance(item, Real) and item != item)
    )


def shown(item: object) -> str:
    """Return the repr of an item for a message, cut in its middle where it is long."""
    try:
        text = repr(item[:200] + item[-200:] if isinstance(item, str) and len(item) > 400 else item)
    except ValueError:  # Python writes out no int of more than 4300 digits
        text = f"<{type(item).__name__}>"
    text = text.replace("\n", " ")  # of tables and arrays, which fill several lines
    return text if len(text) <= 100 else f"{text[:70]}...{text[-25:]}"
