"""What one look at a formula's text shows to be doubtful: each function refuses one kind.

What only a whole part of a formula shows (numbers in front, points between compounds) is weighed
in `_notation`.
"""

import re
import unicodedata
from typing import NoReturn

from ._elements import ANIONS, ATOMIC_NUMBERS, FORMULA_SYMBOLS
from ._errors import formula_error, refuse, shown

# Sub- and superscript and full-width digits stand for the digits that they show. The translation
# maps one character to one, so a position in the translated text is a position in the user's.
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_PLAIN = str.maketrans(
    f"₀₁₂₃₄₅₆₇₈₉{SUPERSCRIPTS}０１２３４５６７８９（）．₊₋⁺⁻−‐‑–",
    "012345678901234567890123456789().+-+-----",
)

# `H₂¹⁸O` is not H218O, nor `H₂2O` H22O: digits of two kinds are two numbers.
_SUPERSCRIPT = re.compile(f"[{SUPERSCRIPTS}]")
_NOT_SUPERSCRIPT = re.compile("[0-9₀-₉]")
_MIXED_NUMBER = re.compile(r"[₀-₉]\.?[0-9]|[0-9]\.?[₀-₉]")

SEPARATORS = "·•*⋅∙‧・"
"""Characters that divide the parts of a formula; a point does so only where it is plain."""

_BETWEEN_PARTS = re.compile(rf"[{SEPARATORS}-]|\.(?![0-9])|(?<![0-9])\.")

# `Ti-6Al-4V` is in percent by weight, and leaves the amount of the first element out.
_ALLOY_NAME = re.compile(r"\s*[A-Z][a-z]?(?:-[0-9.]+[A-Z][a-z]?)+\s*")
_STATE_OF_MATTER = re.compile(r"\s*\((?:s|l|g|aq|cr|am)\)\s*$")
_SPACE_BEFORE_AMOUNT = re.compile(r"(?<=[A-Za-z)\]}])\s+(?=[0-9.])|(?<=[0-9])\s+(?=[A-Z(\[{])")

# Names of oxide superconductors. Taken for symbols, YBCO would be a carbide, and BSCF a compound
# of californium. Layers are counted by four digits behind the cations.
_ACRONYM = re.compile(r"\s*((?:[YNH]BCO|[HT]BCCO|BSCCO|BSCF)(?![a-z]))")
ACRONYM_BEGINNINGS = frozenset(["YBCO", "NBCO", "HBCO", "HBCC", "BSCC", "BSCF"])
"""How these acronyms begin; that with a T is met at the T."""
LAYER_NUMBERS = frozenset(
    ["1201", "1212", "1222", "1223", "1232", "1234", "2201", "2212", "2222", "2223", "2234"]
)
"""Numbers of layers, as in Bi-2212."""
_LAYERS = re.compile(rf"\s*((?:[A-Z][a-z]?+)++)({'|'.join(sorted(LAYER_NUMBERS))})\s*")

# Amounts in a table of alloys may all be padded to one width: `Co33W07Al33Nb24Cr03`.
_PADDED = re.compile(r"\s*(?:(?:[A-Z][a-z]?[0-9]{2})++|(?:[A-Z][a-z]?[0-9]{3})++)\s*")
_DIGITS = re.compile(r"[0-9]+")

_OTHER_SYMBOLS = {"D": "Dy", "T": "Ti, Ta or Te"}
_ISOTOPES = {"D": "deuterium", "T": "tritium"}


def plain_digits(original: str) -> str:
    """Return a text in plain digits and brackets; refuse numbers in digits of two kinds."""
    plain = original.translate(_PLAIN)
    if plain == original:
        return plain
    superscript = _SUPERSCRIPT.search(original)
    if superscript and _NOT_SUPERSCRIPT.search(original):
        refuse(
            original,
            superscript.start(),
            "isotope",
            f"{superscript[0]!r} beside other digits is a charge or a mass number (leave it out, "
            "or write all amounts in plain digits)",
        )
    number = _MIXED_NUMBER.search(original)
    if number:
        refuse(
            original,
            number.start(),
            "amount",
            f"{number[0]!r} mixes plain and subscript digits: one number or two? (write all "
            "amounts in plain digits, hydrates with '·')",
        )
    return plain


class Text:
    """A formula as it was written, for messages, and in plain digits and brackets.

    Positions are the same in both.
    """

    def __init__(self, original: str) -> None:
        self.original = original
        self.plain = plain_digits(original)

    def refuse(
        self, position: int, kind: str, reason: str, suggestion: str | None = None
    ) -> NoReturn:
        """Raise a FormulaError about one place."""
        refuse(self.original, position, kind, reason, suggestion)

    def replaced(self, position: int, old: str, new: str) -> str:
        """Return the plain text with another wording at one place."""
        return self.plain[:position] + new + self.plain[position + len(old) :]


def refuse_doubts(text: Text) -> None:
    """Refuse what the whole text shows before any of it is read."""
    if not text.plain.strip():
        raise formula_error(f"{shown(text.original)} is empty: expected a formula", "empty")
    _refuse_acronym(text)


def _refuse_acronym(text: Text) -> None:
    """Refuse `YBCO6.7` and `EuRu1212`: names of materials, not formulas."""
    if acronym := _ACRONYM.match(text.plain):
        text.refuse(
            acronym.start(1),
            "acronym",
            f"{acronym[1]!r} is the name of a material: write its formula (with amounts of 1, such "
            "as 'Y1B1C1O1', if these elements are meant)",
        )
    if layers := _LAYERS.fullmatch(text.plain):
        text.refuse(
            layers.start(2),
            "acronym",
            f"{layers[2]!r} counts the layers of a superconductor: write its formula (with amounts "
            "of 1 behind the other symbols, if an amount is meant)",
        )


def refuse_spaced_words(text: Text) -> None:
    """Refuse `PbTe NCs`: a word behind the formula, which the symbols N and Cs spell as well."""
    for part in _BETWEEN_PARTS.split(text.plain):
        *_, formula, word = ["", "", *re.findall(r"\S*[A-Z]\S*", part)]
        spells_symbols = len(re.findall(r"[A-Z][a-z]?", word)) > 1
        if formula and spells_symbols and not any(map(str.isdigit, word)):
            position = text.plain.rindex(word)
            text.refuse(
                position,
                "spaces",
                f"{shown(word)} behind {shown(formula)} is a word or another compound: remove it, "
                "or write '·' between compounds",
                text.plain[:position].strip(),
            )


def refuse_unknown_oxygen(text: Text) -> None:
    """Refuse `YBa2Cu3OY`, in which the Y stands for the unknown amount of oxygen."""
    plain = text.plain.rstrip(" .")
    if plain.endswith("OY") and len(re.findall(r"O(?![a-z])", plain)) == 1:
        text.refuse(
            len(plain) - 2,
            "unknown_amount",
            "'OY' may be oxygen of unknown amount: write the amount (or 'OY1' for yttrium)",
        )


def refuse_doubtful_hydrogen(text: Text, position: int) -> None:
    """Refuse a D or T that may be half of another symbol: `TIO2`, `DY2O3`, `Al40Cu60T`."""
    plain, token = text.plain, text.plain[position]
    before, after = plain[position - 1 : position], plain[position + 1 : position + 2]
    single = after.isupper() and not plain[position + 2 : position + 3].islower()
    if before.isupper() and before + token.lower() in ATOMIC_NUMBERS:
        written, place, meant = before + token, position - 1, before + token.lower()
    elif single and token + after.lower() in ATOMIC_NUMBERS:
        written, place, meant = token + after, position, token + after.lower()
    elif after == token or (token == "T" and not (after.isdigit() or after == ".")):
        written, place, meant = token * (1 + (after == token)), position, ""
    else:
        return
    text.refuse(
        place,
        "hydrogen_isotope",
        f"{written!r} is not plainly {_ISOTOPES[token]}: is "
        f"{meant or f'another symbol such as {_OTHER_SYMBOLS[token]}'} meant? (write H for "
        f"{_ISOTOPES[token]}: isotopes are not told apart)",
        text.replaced(place, written, meant) if meant else None,
    )


def refuse_unknown_element(text: Text, position: int, token: str) -> NoReturn:
    """Refuse a symbol that no element has."""
    plain = text.plain
    before, after = plain[position - 1 : position], plain[position + 1 : position + 2]
    hint, suggestion = "", None
    if token[-1] in "xyzn" and token[:-1] in FORMULA_SYMBOLS:
        hint = f" (if {token[-1]!r} stands for an unknown amount, write the number)"
    elif token in ("X", "Z") and before == "O":
        hint = f" (if 'O{token}' is oxygen of unknown amount, write the number)"
    elif before + token.lower() in ATOMIC_NUMBERS:
        meant = before + token.lower()
        hint = f" (is {meant} meant?)"
        suggestion = text.replaced(position - 1, before + token, meant)
    elif token + after.lower() in ATOMIC_NUMBERS:
        hint = f" (is {token + after.lower()} meant?)"
        suggestion = text.replaced(position, token + after, token + after.lower())
    text.refuse(position, "unknown_element", f"unknown element {shown(token)}{hint}", suggestion)


def is_padded(text: Text) -> bool:
    """Whether all amounts are written with the same number of digits and add up to 100."""
    return bool(_PADDED.fullmatch(text.plain)) and (
        sum(map(int, _DIGITS.findall(text.plain))) == 100
    )


def refuse_leading_zero(text: Text, position: int, token: str) -> NoReturn:
    """Refuse the `04` of `P04` and the `010` of `Se010`."""
    text.refuse(
        position,
        "leading_zero",
        f"the amount {shown(token)} begins with a zero: is it the letter O typed as zero, or is a "
        "decimal point missing?",
        text.replaced(position, token, f"{'0.' if len(token) > 2 else 'O'}{token[1:]}"),
    )


def refuse_stray_number(text: Text, position: int, token: str) -> NoReturn:
    """Refuse a number that no symbol, bracket or part takes."""
    text.refuse(
        position,
        "spaces",
        f"the number {shown(token)} follows neither a symbol nor a bracket (remove spaces between "
        "symbols and amounts, write hydrates with '·')",
        _SPACE_BEFORE_AMOUNT.sub("", text.plain),
    )


def refuse_character(text: Text, position: int) -> NoReturn:
    """Refuse a character that stands for nothing in a formula."""
    character = text.plain[position]
    if character.islower():
        if state := _STATE_OF_MATTER.search(text.plain):
            suggestion = text.plain[: state.start()]
        else:
            # `fe2o3`, where each run of letters is a symbol
            suggestion = re.sub(r"[A-Za-z]+", lambda run: run[0].capitalize(), text.plain)
        text.refuse(
            position,
            "character",
            f"{character!r} starts no element symbol (symbols begin with a capital letter; "
            "variables such as x must be numbers)",
            suggestion,
        )
    # A Cyrillic O shows as the Latin one does.
    written = text.original[position]
    name = "" if character.isascii() else f" ({unicodedata.name(written, 'no name')})"
    text.refuse(position, "character", f"{written!r}{name} does not belong in a formula")


def refuse_sign(text: Text, position: int, *, behind_formula: bool) -> NoReturn:
    """Refuse a plus or minus: a charge, a sum, or a mixture without its numbers."""
    sign = text.original[position]
    if _is_alloy_name(text.plain):
        text.refuse(
            position,
            "mixture",
            f"{sign!r} divides the elements of an alloy in percent by weight: "
            "crabsk.composition.from_weight_percent reads it",
        )
    next_part = text.plain[position + 1 :].lstrip()[:1]
    if behind_formula and (next_part.isupper() or next_part in ("(", "[", "{")):
        text.refuse(
            position,
            "mixture",
            f"{sign!r} does not divide the parts of a mixture: write '·' between them, and give "
            "each its number ('0.7Li2S-0.3P2S5' is read)",
            text.plain.replace(text.plain[position], "·"),
        )
    text.refuse(
        position,
        "charge",
        f"{sign!r} is a charge, a sum or a negative amount: leave charges out ('Fe3+' could be "
        "Fe3), work out sums such as 1-x",
    )


def _is_alloy_name(plain: str) -> bool:
    symbols = re.findall(r"[A-Z][a-z]?", plain) if _ALLOY_NAME.fullmatch(plain) else []
    numbers = {ATOMIC_NUMBERS.get(symbol, 0) for symbol in symbols}
    return bool(numbers) and 0 not in numbers and not numbers & ANIONS
