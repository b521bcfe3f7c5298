"""Read one chemical formula, or one mapping element -> amount.

The reader refuses what it would have to guess. Every refusal is a `FormulaError` whose message
names the place in the text; the row is added by the caller, who alone knows it.
"""

import math
import re
from collections.abc import Mapping
from numbers import Real
from typing import NoReturn

from ._elements import FORMULA_SYMBOLS

MAX_AMOUNT_CHARS = 40
"""Longest accepted amount. No measured stoichiometry has as many digits; a typo or an attack has."""


class FormulaError(ValueError):
    """A text or mapping that is not a chemical composition.

    Subclass of `ValueError`; raised by everything in crabsk that reads formulas.
    """


# Sub- and superscript digits stand for the digits that they show. The translation maps one
# character to one, so a position in the translated text is a position in the user's.
_SCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹₊₋⁺⁻−", "01234567890123456789+-+--")

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

# One water molecule right behind a decimal number: `4.5H2O` may be "4.5 of H2 and O" or "4 · 5 H2O".
_WATER = re.compile(r"\s*[(\[{]?\s*(?:[HDT]2O|O[HDT]2)(?![0-9a-z])")

# The flat path: a formula without brackets, spaces and separators is a run of these.
_FLAT = re.compile(r"[A-Z][^A-Z]*")
_FLAT_TERM = re.compile(r"([A-Z][a-z]?)([0-9]+(?:\.[0-9]+)?)?")
_CACHED_TERMS = 200_000

Amounts = dict[int, float]
"""Atomic number -> amount, in the order of first appearance."""


class FormulaReader:
    """Reads formulas; remembers the terms (`Fe2`, `O3`) that it has seen in this call.

    Real data repeat a few thousand terms, so that nearly every flat formula is a handful of
    dictionary look-ups.
    """

    def __init__(self) -> None:
        self._terms: dict[str, tuple[int, float]] = {}

    def read(self, item: object) -> Amounts:
        """Return the amounts in `item`, a formula or a mapping; raise FormulaError."""
        if isinstance(item, str):
            return self._read_flat(item) or _checked(item, _read_nested(item))
        if isinstance(item, Mapping):
            return _checked(item, _read_mapping(item))
        _refuse_type(item)

    def _read_flat(self, text: str) -> Amounts | None:
        """Read a formula that is only symbols and plain amounts; None if it may be anything else."""
        if not "A" <= text[:1] <= "Z" or ("." in text and "2" in text and "O" in text):
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
            z, amount = known
            amounts[z] = amounts[z] + amount if z in amounts else amount
        return amounts


def _read_term(term: str) -> tuple[int, float] | None:
    match = _FLAT_TERM.fullmatch(term)
    if match is None or len(term) > MAX_AMOUNT_CHARS:
        return None
    z = FORMULA_SYMBOLS.get(match[1])
    amount = float(match[2] or 1)
    # A term out of this range is for the careful path, which knows what to say of it.
    return (z, amount) if z is not None and 1e-100 < amount < 1e100 else None


def _read_nested(original: str) -> Amounts:
    """Read any formula with an explicit stack: depth costs memory, not recursion."""
    text = original.translate(_SCRIPTS)
    if not text.strip():
        raise FormulaError(f"{_shown(original)} is empty: expected a chemical formula")

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
            amount = _read_amount(original, text, position, token)
            if group is not None and not spaced:
                frame.add(group, amount)
                group = None
            elif group is None and not frame.part and frame.multiplier is None:
                frame.multiplier = amount
            else:
                if text[match.end() : match.end() + 1] in ("+", "-"):
                    _refuse_character(original, text, match.end())
                _refuse(
                    original,
                    position,
                    f"the number {_shown(token)} follows neither a symbol nor a bracket "
                    "(write amounts next to their symbol, hydrates with '·')",
                )
        else:
            if group is not None:
                frame.add(group, 1.0)
                group = None
            if kind == "symbol":
                group = {_read_symbol(original, position, token): 1.0}
            elif kind == "open":
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
                    _refuse_bare_decimal(original, text, position, spaced)
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
        _refuse(original, position, f"unknown element {_shown(token)}{hint}")
    return z


def _read_amount(original: str, text: str, position: int, token: str) -> float:
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
    whole, dot, decimals = token.partition(".")
    if (
        dot
        and whole.strip("0")
        and decimals[0] != "0"
        and _WATER.match(text, position + len(token))
    ):
        _refuse(
            original,
            position,
            f"{token!r} before water is ambiguous: an amount of {token}, or {whole} and a hydrate "
            f"of {decimals} H2O? (write '{whole}·{decimals}H2O' for the hydrate)",
        )
    amount = float(token)
    if amount == 0:
        _refuse(original, position, f"an amount of zero ({token!r})")
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
            raise FormulaError(f"{_shown(mapping)}: unknown element {_shown(key)}")
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise FormulaError(
                f"{_shown(mapping)}: the amount of {symbol} is {_shown(value)}, not a finite number"
            )
        if value < 0:
            raise FormulaError(f"{_shown(mapping)}: the amount of {symbol} is negative ({value})")
        if value > 0:
            amounts[z] = amounts.get(z, 0.0) + float(value)
    if not amounts:
        raise FormulaError(f"{_shown(mapping)}: no element has an amount above zero")
    return amounts


def _checked(item: object, amounts: Amounts) -> Amounts:
    """Refuse amounts whose products left the range in which fractions can be told from 0."""
    total = sum(amounts.values())
    if not (0 < total < math.inf and min(amounts.values()) / total > 1e-300):
        raise FormulaError(
            f"{_shown(item)}: the amounts are too large, or too far apart, to be told from zero"
        )
    return amounts


def _refuse(original: str, position: int, reason: str) -> NoReturn:
    raise FormulaError(f"{_shown(original)}, position {position}: {reason}")


def _refuse_bare_decimal(original: str, text: str, position: int, spaced: bool) -> None:
    """Refuse `.5` behind a symbol or bracket: half an atom, or five of the next molecule?"""
    digits = _DIGITS.match(text, position + 1)
    if digits and position > 0 and not spaced:
        _refuse(
            original,
            position,
            f"'.{digits[0]}' is ambiguous: write '0.{digits[0]}' for an amount or "
            f"'·{digits[0]}' for a hydrate",
        )


def _refuse_character(original: str, text: str, position: int) -> NoReturn:
    character = text[position]
    if character in "+-":
        _refuse(
            original,
            position,
            f"{original[position]!r} is a charge or a sum: crabsk reads neutral compositions with "
            "numbers only (leave charges out: 'Fe3+' could be Fe3; work out sums such as 1-x)",
        )
    if character.islower():
        _refuse(
            original,
            position,
            f"{character!r} starts no element symbol (symbols begin with a capital letter; "
            "variables such as x must be numbers)",
        )
    _refuse(original, position, f"{original[position]!r} does not belong in a formula")


def _refuse_type(item: object) -> NoReturn:
    # NaN of any type differs from itself; comparing pandas' NA answers NA.
    if item is None or type(item).__name__ == "NAType" or item != item:
        raise FormulaError(f"{item!r} is a missing value: remove the row or give its formula")
    raise FormulaError(
        f"{_shown(item)} is a {type(item).__name__}: expected a formula (str) or a mapping "
        "element -> amount"
    )


def _shown(item: object) -> str:
    """Return the repr, cut in its middle where it is long."""
    text = (
        repr(item[:200] + item[-200:]) if isinstance(item, str) and len(item) > 400 else repr(item)
    )
    return text if len(text) <= 120 else f"{text[:80]}...{text[-30:]}"
