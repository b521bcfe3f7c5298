"""Names of components, as written in columns and keys of mappings: `SiO2 (mol%)`."""

import re
from dataclasses import dataclass

from .._text import shown
from ._atomic_weights import ATOMIC_WEIGHTS
from ._elements import ATOMIC_NUMBERS, ELEMENTS
from ._errors import FormulaError
from ._formula import FormulaReader
from ._parts import Amounts

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
ABBREVIATIONS = {
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
NATURAL = frozenset(
    symbol
    for symbol, weight in zip(ELEMENTS, ATOMIC_WEIGHTS, strict=True)
    if not weight.is_integer()
)
"""Elements with a standard atomic weight: others are not what somebody meant to write."""
_ISOTOPE = re.compile(r"[DT](?![a-z])")


@dataclass(frozen=True, slots=True)
class Component:
    """An element or compound, and the unit that its name carries."""

    amounts: Amounts
    unit: str | None = None  # "mol%", "wt%" or "%"

    def moles(self, unit: str) -> float:
        """Return the moles in one unit of it: in one mole, or in one gram."""
        if unit == "mol%":
            return 1.0
        return 1 / sum(n * ATOMIC_WEIGHTS[z - 1] for z, n in self.amounts.items())


class NotAComponentError(FormulaError):
    """A name that could be read, but probably does not mean a component."""


def read_component(name: object, reader: FormulaReader) -> Component:
    """Return the component that a column or a key is named by; raise FormulaError."""
    if not isinstance(name, str):
        raise NotAComponentError("not text")
    text, unit = split_unit(name)
    if _PARTS_PER_MILLION.search(text):
        raise NotAComponentError("convert parts per million to percent: 10,000 ppm are 1 %")
    if text in ABBREVIATIONS and unit is None:
        raise NotAComponentError(
            f"{ABBREVIATIONS[text]}? If a component is meant, write its unit: '{text} (wt%)'"
        )
    capitals = _IN_CAPITALS.fullmatch(text)
    if (
        capitals
        and capitals[1].capitalize() in NATURAL
        and set(capitals[1]) <= ATOMIC_NUMBERS.keys()
        and text != "CO2"  # a column of many tables of rocks
    ):
        meant = capitals[1].capitalize() + capitals[2]
        doubt = NotAComponentError(f"{meant}? If not, write '{text[0]}1{text[1:]}'")
        doubt.suggestion = meant
        raise doubt
    amounts = reader.read(text)
    isotope = _ISOTOPE.search(text)
    if isotope:
        raise NotAComponentError(
            f"{isotope[0]} would be an isotope of hydrogen: write H if hydrogen is meant"
        )
    return Component(amounts, unit)


def split_unit(text: str) -> tuple[str, str | None]:
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


def read_balance(balance: object, unit: str) -> Component:
    try:
        component = read_component(balance, FormulaReader())
    except FormulaError as error:
        raise ValueError(
            f"balance={shown(balance)} is not a component such as 'Fe' or 'SiO2': {error}"
        ) from error
    if component.unit not in (None, "%", unit):
        raise ValueError(f"balance={shown(balance)} is in {component.unit}, the rest in {unit}")
    return component


def probable_name(name: object, error: FormulaError) -> str | None:
    """Return "Mn (wt%)" for "MN (wt%)" or "mn (wt%)"; None if no component is known to be meant."""
    if not isinstance(name, str):
        return None
    text, _ = split_unit(name)
    meant = text.capitalize()
    if meant not in NATURAL:
        # `AL2O3`, but not `co2`, in which one element or two may be meant.
        meant = error.suggestion or ""
        if meant.lower() != text.lower():
            return None  # a matter of more than capitals
        if len(set(re.findall("[A-Z][a-z]?", meant)) & NATURAL) < 2:
            return None
    corrected = name.replace(text, meant, 1)
    return corrected if corrected != name and are_components([corrected]) else None


def are_components(names: list[str]) -> bool:
    """Whether all names are those of components."""
    reader = FormulaReader()
    try:
        for name in names:
            read_component(name, reader)
    except FormulaError:
        return False
    return True
