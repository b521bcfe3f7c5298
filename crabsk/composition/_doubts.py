"""What one look at a formula's text shows to be doubtful: each function refuses one kind.

What only a whole part of a formula shows (numbers in front, points between compounds) is weighed
in `_weighing`.
"""

import re
import unicodedata
from functools import cached_property
from typing import NoReturn

from .._text import shown
from ._elements import ANIONS, ATOMIC_NUMBERS, FORMULA_SYMBOLS
from ._errors import formula_error, refuse

# Sub- and superscript and full-width digits stand for the digits that they show. The translation
# maps one character to one, so a position in the translated text is a position in the user's.
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_PLAIN = str.maketrans(
    f"₀₁₂₃₄₅₆₇₈₉{SUPERSCRIPTS}０１２３４５６７８９（）．₊₋⁺⁻−‐‑–—",
    "012345678901234567890123456789().+-+------",
)

# `H₂¹⁸O` is not H218O, nor `H₂2O` H22O: digits of two kinds are two numbers.
_SUPERSCRIPT = re.compile(f"[{SUPERSCRIPTS}]")
_NOT_SUPERSCRIPT = re.compile("[0-9₀-₉]")
_MIXED_NUMBER = re.compile(r"[₀-₉]\.?[0-9]|[0-9]\.?[₀-₉]")

SEPARATORS = "·•*⋅∙‧・×"
"""Characters that divide the parts of a formula; a point does so only where it is plain."""

# Nanocrystals, nanosheets and others.
_WORDS = frozenset(["NC", "NP", "NS", "NW", "NR", "NT", "NF", "BCC", "FCC", "HCP"])
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"))
_BETWEEN_PARTS = re.compile(rf"[{SEPARATORS}-]|\.(?![0-9])|(?<![0-9])\.")

# `Ti-6Al-4V` is in percent by weight, and leaves the amount of the first element out.
_ALLOY_NAME = re.compile(r"\s*[A-Z][a-z]?(?:-[0-9.]+[A-Z][a-z]?)+\s*")
_STATE_OF_MATTER = re.compile(r"\((?:s|l|g|aq|cr|am)\)$")
# `TiO2 (rutile)`, `Fe2O3 powder`; `α-Al2O3`, `h-BN`.
_PHASE_IN_FRONT = re.compile(r"\s*[a-zα-ω]['′]?-(?=[A-Z])")
# Amounts as LaTeX, HTML and plain text write them.
_MARKUP = re.compile(r"</?sub>|[$_{}]")
_VARIABLE = re.compile(r"[xyznmkδ](?![a-z])|[XYZ](?![a-z0-9(])")
# What people type for a missing formula; NaN is one, and so is NO.
_MISSING = frozenset(
    ["na", "n/a", "n.a.", "nd", "n.d.", "none", "null", "no", "-", "--", "?", "unknown"]
)
_SPACE_BEFORE_AMOUNT = re.compile(r"(?<=[A-Za-z)\]}])\s+(?=[0-9.])|(?<=[0-9])\s+(?=[A-Z(\[{])")

# Names of oxide superconductors. Taken for symbols, YBCO would be a carbide, and BSCF a compound
# of californium. Layers are counted by four digits behind the cations.
_ACRONYM = re.compile(r"\s*((?:[YNH]BCO|[HT]BCCO|BSCCO|BSCF)(?![a-z]))")
# Acetate and propoxide, which would be actinium and praseodymium; materials without a number.
_LIGAND = re.compile(r"OAc(?![a-z])|\(OPr\)")
_ABBREVIATIONS = frozenset(["KDP", "DKDP", "PVDF"])
ACRONYM_BEGINNINGS = frozenset(["YBCO", "NBCO", "HBCO", "HBCC", "BSCC", "BSCF"])
"""How these acronyms begin; that with a T is met at the T."""
LAYER_NUMBERS = frozenset(
    ["1201", "1212", "1222", "1223", "1232", "1234", "2201", "2212", "2222", "2223", "2234"]
)
"""Numbers of layers, as in Bi-2212."""
_LAYERS = re.compile(rf"\s*((?:[A-Z][a-z]?+)++)({'|'.join(sorted(LAYER_NUMBERS))})\s*")

# At the end of the text or of a bracket.
_OXYGEN_AND_Y = re.compile(r"O ?Y(?=$|[)\]}])")

_DECIMAL_WITH_ZERO = re.compile(r"(?<![0-9])0\.[0-9]")

# Amounts in a table of alloys may all be padded to one width: `Co33W07Al33Nb24Cr03`.
_PADDED = re.compile(r"\s*+(?:(?:[A-Z][a-z]?[0-9]{2}\s*+)++|(?:[A-Z][a-z]?[0-9]{3}\s*+)++)")
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
            plain[: number.start()] + number[0].replace(".", "·") + plain[number.end() :]
            if "." in number[0]
            else None,
        )
    return plain


class Text:
    """A formula as it was written, for messages, and in plain digits and brackets.

    Positions are the same in both.
    """

    def __init__(self, original: str) -> None:
        self.original = original
        self.plain = plain_digits(original)

    @cached_property
    def has_decimals_with_zeros(self) -> bool:
        """Whether a decimal is written as 0.5 and not as .5."""
        return _DECIMAL_WITH_ZERO.search(self.plain) is not None

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
    if text.plain.strip() in _ABBREVIATIONS:
        text.refuse(0, "acronym", "this is the name of a material: write its formula")
    if ligand := _LIGAND.search(text.plain):
        text.refuse(
            ligand.start(),
            "acronym",
            f"{ligand[0]!r} is short for a ligand: write its atoms, such as '(C2H3O2)' for acetate "
            "(and '(AcO)' or '(PrO)' if actinium or praseodymium is meant)",
        )
    if layers := _LAYERS.fullmatch(text.plain):
        text.refuse(
            layers.start(2),
            "acronym",
            f"{layers[2]!r} counts the layers of a superconductor: write its formula (or, if it is "
            "an amount, write a 1 after the other symbols)",
        )


def refuse_spaced_words(text: Text) -> None:
    """Refuse `PbTe NCs`: a word behind the formula, which the symbols N and Cs spell as well."""
    for part in _BETWEEN_PARTS.split(text.plain):
        words = [word for word in part.split() if any(map(str.isupper, word))]
        *_, formula, word = ["", "", *words]
        spells_symbols = sum(map(str.isupper, word)) > 1
        # In `H (HH·H)2` the bracket goes on behind the point, and so does its amount.
        is_whole = all(word.count(opening) == word.count(closing) for opening, closing in _BRACKETS)
        if formula and spells_symbols and is_whole and not any(map(str.isdigit, word)):
            position = text.plain.rindex(word)
            # The same letters may be a compound: `Al2O3 MgO`.
            is_word = word.rstrip("s") in _WORDS
            text.refuse(
                position,
                "spaces",
                f"{shown(word)} after {shown(formula)} is a word or another compound: remove it, "
                "or write '·' between compounds",
                text.plain[:position].strip() if is_word else None,
            )


def refuse_unknown_oxygen(text: Text) -> None:
    """Refuse `YBa2Cu3OY`, in which the Y stands for the unknown amount of oxygen."""
    found = _OXYGEN_AND_Y.search(text.plain.rstrip(" ."))
    if found and len(re.findall(r"O(?![a-z])", text.plain)) == 1:
        text.refuse(
            found.start(),
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
        f"{written!r} may not be {_ISOTOPES[token]}: is "
        f"{meant or f'another symbol such as {_OTHER_SYMBOLS[token]}'} meant? (write H for "
        f"{_ISOTOPES[token]}: isotopes are not distinguished)",
        # ND3 is ammonia as well as neodymium.
        text.replaced(place, written, meant) if meant and place == position else None,
    )


def refuse_unknown_element(text: Text, position: int, token: str) -> NoReturn:
    """Refuse a symbol that no element has."""
    plain = text.plain
    if plain.strip().lower() in _MISSING:
        text.refuse(position, "missing", "this stands for a missing value: remove the row")
    before, after = plain[position - 1 : position], plain[position + 1 : position + 2]
    hint, suggestion = "", None
    if token[-1] in "xyzn" and token[:-1] in FORMULA_SYMBOLS:
        hint = f" (if {token[-1]!r} stands for an unknown amount, write the number)"
    elif token in ("X", "Z") and before == "O":
        hint = f" (if 'O{token}' is oxygen of unknown amount, write the number)"
    elif before + token.lower() in ATOMIC_NUMBERS and token + after.lower() in ATOMIC_NUMBERS:
        hint = f" (is {before + token.lower()} or {token + after.lower()} meant?)"
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
    plain = text.plain
    suggestion = None
    if "." in token:
        suggestion = text.replaced(position, token, re.sub("^0+(?=[0-9])", "", token))
    elif re.search(r"[0-9]\.[0-9]", plain) and len(token) > 2:
        suggestion = text.replaced(position, token, f"0.{token[1:]}")
    elif re.fullmatch("0[1-9]", token) and re.search(r"[A-NP-Z][a-z]?$|O[a-z]$", plain[:position]):
        suggestion = text.replaced(position, token, f"O{token[1:]}")
    text.refuse(
        position,
        "leading_zero",
        f"the amount {shown(token)} begins with a zero: is it the letter O typed as zero, or is a "
        "decimal point missing?",
        suggestion,
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
    plain, character = text.plain, text.plain[position]
    if plain.strip().lower() in _MISSING:
        text.refuse(position, "missing", "this stands for a missing value: remove the row")
    if state := _STATE_OF_MATTER.search(plain.rstrip()):
        text.refuse(
            state.start(),
            "word",
            f"{state[0]!r} is a state of matter: leave it out",
            plain[: state.start()].rstrip(),
        )
    if phase := _PHASE_IN_FRONT.match(plain):
        text.refuse(
            0,
            "word",
            f"{phase[0].strip()!r} is the name of a phase: leave it out",
            plain[phase.end() :],
        )
    if character.islower():
        formula = plain[:position].rstrip(" (,_-")
        if formula and len(formula) < position:
            text.refuse(
                len(formula),
                "word",
                f"{shown(plain[len(formula) :].strip())} is a word: leave it out",
                formula,
            )
        in_lower_case = plain == plain.lower()
        text.refuse(
            position,
            "character",
            f"{character!r} cannot start an element symbol (symbols begin with a capital letter; "
            "variables such as x must be numbers)",
            # `fe2o3`, where each run of letters is a symbol
            _capitalised(plain) if in_lower_case else None,
        )
    # A Cyrillic O shows as the Latin one does.
    written = text.original[position]
    name = "" if character.isascii() else f" ({unicodedata.name(written, 'no name')})"
    reason, suggestion = f"{written!r}{name} does not belong in a formula", None
    if re.match(r"(?<=[0-9]),[0-9]", plain[position:]) or re.search(r"[0-9],[0-9]", plain):
        reason += ": decimals have a point"
        suggestion = re.sub(r"(?<=[0-9]),(?=[0-9])", ".", plain)
    elif character == ",":
        reason += ": write the share of each element, such as (Mg0.9Fe0.1)2SiO4"
    elif character in "/:@|":
        reason += ": give a support, dopant or second compound its amount, or leave it out"
    elif character in "$_<":
        reason += ": write amounts in plain digits"
        suggestion = _MARKUP.sub("", plain)
    text.refuse(position, "character", reason, suggestion)


def _capitalised(plain: str) -> str | None:
    """Return `fe2o3` as Fe2O3; None for `co2`, which may be one element or two."""
    runs = re.findall("[a-z]+", plain)
    if any(len(run) == 2 and set(run.upper()) <= ATOMIC_NUMBERS.keys() for run in runs):
        return None
    return re.sub("[a-z]+", lambda run: run[0].capitalize(), plain)


def refuse_sign(text: Text, position: int, *, behind_formula: bool) -> NoReturn:
    """Refuse a plus or minus: a charge, a sum, or a mixture without its numbers."""
    plain, sign = text.plain, text.original[position]
    if plain.strip().lower() in _MISSING:
        text.refuse(position, "missing", "this stands for a missing value: remove the row")
    if _is_alloy_name(plain):
        text.refuse(
            position,
            "mixture",
            "this is the name of an alloy: crabsk.composition.from_weight_percent reads it if its "
            "numbers are percent by weight; write numbers of atoms as in 'Ti48Al48Cr2Nb2'",
        )
    behind = plain[position + 1 :].lstrip()
    if _VARIABLE.match(behind):
        text.refuse(
            position,
            "variable",
            f"{behind[0]!r} is a variable: work out the amount and write its number",
        )
    if word := re.match(r"[a-z]{2,}", behind):
        text.refuse(
            position, "word", f"{word[0]!r} is a word: leave it out", plain[:position].strip()
        )
    if behind_formula and behind[:1] and (behind[0].isupper() or behind[0] in "([{0123456789."):
        text.refuse(
            position,
            "mixture" if behind[0] not in "0123456789." or _starts_compound(behind) else "charge",
            f"{sign!r} is a charge, a difference or a mixture: leave charges out, work out "
            "differences, and write '·' between the parts of a mixture, each with its number in "
            "front ('0.7Li2S-0.3P2S5' is read)",
        )
    text.refuse(
        position,
        "charge",
        f"{sign!r} is a charge or a negative amount: leave charges out ('Fe3+' could be Fe3)",
    )


def _starts_compound(behind: str) -> bool:
    """Whether a number begins a part such as `0.3P2S5` or `8Y2O3`."""
    return re.match(r"[0-9.]+\s*(?:[A-Z][a-z]?[0-9.]*){2}", behind) is not None


def _is_alloy_name(plain: str) -> bool:
    symbols = re.findall(r"[A-Z][a-z]?", plain) if _ALLOY_NAME.fullmatch(plain) else []
    numbers = {ATOMIC_NUMBERS.get(symbol, 0) for symbol in symbols}
    return bool(numbers) and 0 not in numbers and not numbers & ANIONS
