"""Read any formula that people write: brackets, hydrates, mixtures, digits of other scripts.

The text is read once, into *parts*: what stands between two separators, within one bracket. Each
part is weighed when it ends, because only the whole part shows whether a number in front of it,
or a point inside of it, can mean two things.
"""

import math
import re
from collections import Counter
from itertools import accumulate
from typing import NoReturn

from ._doubts import (
    SEPARATORS,
    SUPERSCRIPTS,
    Text,
    is_padded,
    refuse_character,
    refuse_doubtful_hydrogen,
    refuse_doubts,
    refuse_leading_zero,
    refuse_sign,
    refuse_spaced_words,
    refuse_stray_number,
    refuse_unknown_element,
    refuse_unknown_oxygen,
)
from ._elements import FORMULA_SYMBOLS, NON_METALS
from ._errors import shown
from ._parts import Amounts, Frame, Item, are_compounds, halide_follows, is_whole

MAX_AMOUNT_CHARS = 40
"""Longest accepted amount: no measured stoichiometry has as many digits."""

_TOKEN = re.compile(
    rf"""
      (?P<symbol>[A-Z][a-z]*)
    | (?P<number>[0-9]+/[0-9]+(?![0-9./])
               | (?:[0-9]+(?:\.[0-9]+)*|(?<!\.)\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<open>[(\[{{])
    | (?P<close>[)\]}}])
    | (?P<separator>[{SEPARATORS}.])
    | (?P<sign>[+-])
    | (?P<space>\s+)
    """,
    re.VERBOSE,
)
_NUMBER_NEXT = re.compile(r"-\s*[0-9.]")
_CLOSING = {"(": ")", "[": "]", "{": "}"}

OXIDATION_STATE = re.compile(r"\((?:I{1,3}|IV|VI{0,3})\)")
"""`Fe(III)` would be read as iron triiodide."""

# A molecule that crystals take up. Right behind a decimal number it makes the point ambiguous:
# `4.5H2O` may be 4.5 atoms, then H2O, or 4 atoms, then 5 H2O. The quantifiers are possessive (`++`)
# so that no text makes them try again.
_SOLVENT = r"""(?:
      (?:[HDT]2O2? | O[HDT]2 | N[HDT]3)(?![0-9a-z])
      # Organic molecules only where the part ends: mixed halides go on behind theirs.
    | C[0-9]*+[HDT](?![a-z])[0-9]*+(?:(?:Cl|[CFHNOS](?![a-z]))[0-9]*+)*+(?![\w(\[{])
    )"""
_SOLVENT_NEXT = re.compile(rf"\s*+(?:[(\[{{]\s*+)?+{_SOLVENT}", re.VERBOSE)
_SOLVENT_ALONE = re.compile(rf"\s*+{_SOLVENT}\s*+", re.VERBOSE)

_ALLOY_RUN = re.compile(r"\s*[0-9.]+[A-Z][a-z]?(?:\s*-\s*[0-9.]+[A-Z][a-z]?)+\s*")


def read_notation(original: str) -> Amounts:
    """Read any formula; raise FormulaError for what is none, or can mean two things."""
    text = Text(original)
    refuse_doubts(text)
    amounts = _Reading(text).read()
    refuse_spaced_words(text)
    refuse_unknown_oxygen(text)
    return amounts


class _Reading:
    """One pass over a formula, with an explicit stack: depth costs memory, not recursion."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.plain = text.plain
        self.frame = Frame("", 0)
        self.stack: list[Frame] = []
        self.takes_amount = False  # whether a number coming now belongs to the last item
        self.spaced = False  # whether a space stands between that item and here
        self.padded: bool | None = None  # whether amounts are padded with zeros, once known

    def read(self) -> Amounts:
        """Return the amounts of the elements, without those whose amount is zero."""
        position, end = 0, self._end()
        while position < end:
            match = _TOKEN.match(self.plain, position, end)
            if match is None:
                refuse_character(self.text, position)
            token = match[0]
            match match.lastgroup:
                case "symbol":
                    self._read_symbol(token, position)
                case "number":
                    self._read_number(token, position)
                case "open":
                    self._read_open(token, position)
                case "close":
                    self._read_close(token, position)
                case "separator":
                    self._begin_part(position)
                case "sign":
                    self._read_sign(position)
            self.spaced = token.isspace()
            position += len(token)
        if self.stack:
            self.text.refuse(
                self.frame.position,
                "bracket",
                f"the bracket {self.frame.bracket!r} is never closed",
            )
        self._end_frame(end)
        return self.frame.total

    def _end(self) -> int:
        """Return where the formula ends: before one point that ends a sentence."""
        stripped = self.plain.rstrip()
        if stripped.endswith(".") and stripped[-2:-1] not in ("", "."):
            return len(stripped) - 1
        return len(self.plain)

    def _read_symbol(self, token: str, position: int) -> None:
        z = FORMULA_SYMBOLS.get(token)
        if z is None:
            refuse_unknown_element(self.text, position, token)
        if token in ("D", "T"):
            refuse_doubtful_hydrogen(self.text, position)
        self._add(Item({z: 1.0}, position))

    def _read_open(self, token: str, position: int) -> None:
        numeral = OXIDATION_STATE.match(self.plain, position)
        if numeral and position > 0:
            self.text.refuse(
                position,
                "oxidation_state",
                f"{numeral[0]!r} is an oxidation state: leave it out (or write iodine and vanadium "
                "without a bracket)",
                self.text.replaced(position, numeral[0], ""),
            )
        self.stack.append(self.frame)
        self.frame = Frame(token, position)
        self.takes_amount = False

    def _read_close(self, token: str, position: int) -> None:
        frame = self.frame
        if not self.stack:
            self.text.refuse(
                position, "bracket", f"{token!r} closes a bracket that was never opened"
            )
        if _CLOSING[frame.bracket] != token:
            self.text.refuse(
                position,
                "bracket",
                f"{token!r} does not match the {frame.bracket!r} at position {frame.position}",
            )
        self._end_frame(position)
        self.frame = self.stack.pop()
        self._add(Item(frame.total, frame.position, frame.n_parts, frame.only_numbered))

    def _read_sign(self, position: int) -> None:
        """Take the dash of `0.7Li2S-0.3P2S5` for a separator; refuse all other signs."""
        frame = self.frame
        numbered = frame.multiplier_token and frame.items
        if not (numbered and _NUMBER_NEXT.match(self.plain, position)):
            refuse_sign(self.text, position, behind_formula=bool(frame.items))
        frame.dash = position
        self._begin_part(position)

    def _read_number(self, token: str, position: int) -> None:
        frame = self.frame
        end = position + len(token)
        if self.takes_amount and (not self.spaced or self._is_share(end)):
            item = frame.items[-1]
            item.amount = self._amount(token, position)
            item.token = token
            frame.has_points |= "." in token or "/" in token
            if "." in token and item.may_end_in_a_point and _SOLVENT_NEXT.match(self.plain, end):
                self._refuse_point(item)
        elif not frame.items and not frame.multiplier_token:
            if self.text.original[position] in SUPERSCRIPTS:
                self.text.refuse(
                    position,
                    "isotope",
                    f"{self.text.original[position]!r} in front of a symbol is a mass number: "
                    "isotopes are not told apart (leave it out)",
                    self.text.replaced(position, token, ""),
                )
            frame.multiplier = self._amount(token, position)
            if not frame.multiplier and self.stack and token == "0":
                self.text.refuse(
                    position,
                    "leading_zero",
                    "a zero in front of a symbol: is it the letter O?",
                    self.text.replaced(position, token, "O"),
                )
            frame.multiplier_token = token
            frame.multiplier_position = position
        elif self.plain[end : end + 1] in ("+", "-") and not self.plain[end + 1 :].strip():
            refuse_sign(self.text, end, behind_formula=False)
        elif token[0] == ".":
            self._refuse_bare_point(position, token)
        else:
            refuse_stray_number(self.text, position, token)
        self.takes_amount = False

    def _is_share(self, end: int) -> bool:
        """Whether a number behind a bracket and a space belongs to the next bracket."""
        frame = self.frame
        follows_share = frame.multiplier_token and frame.items[-1].is_bracket
        return bool(follows_share and self.plain[end : end + 1] in _CLOSING)

    def _amount(self, token: str, position: int) -> float:
        refuse = self.text.refuse
        if len(token) > MAX_AMOUNT_CHARS:
            refuse(
                position,
                "amount",
                f"an amount of {len(token)} characters (at most {MAX_AMOUNT_CHARS} are read)",
            )
        if token.count(".") > 1:
            refuse(
                position,
                "ambiguous_point",
                f"{token!r} is ambiguous: a decimal point or a hydrate dot? "
                "(write the hydrate with '·' or '*')",
                self.text.replaced(position, token, token.replace(".", "·", 1)),
            )
        if token[0] == "0" and token[1:2].isdigit():
            if self.padded is None:
                self.padded = is_padded(self.text)
            if not self.padded:
                refuse_leading_zero(self.text, position, token)
        if "/" in token:
            numerator, denominator = map(int, token.split("/"))
            if not denominator:
                refuse(position, "amount", f"the amount {token!r} divides by zero")
            return numerator / denominator
        amount = float(token)
        if amount == 0 and token.lower().partition("e")[0].strip("0."):
            refuse(position, "amount", f"the amount {token!r} is too small to be told from zero")
        if math.isinf(amount):
            refuse(position, "amount", f"the amount {token!r} is too large")
        return amount

    def _add(self, item: Item) -> None:
        self.frame.items.append(item)
        self.takes_amount = True

    def _begin_part(self, position: int) -> None:
        self._end_part(position)
        self.frame.begin_part()
        self.takes_amount = False

    def _end_frame(self, position: int) -> None:
        frame = self.frame
        is_single = not frame.n_parts
        shares = self._end_part(position)
        if is_single and shares is None:
            if frame.multiplier_token and not self._counts_molecules(position):
                frame.only_numbered = True
            elif len(frame.items) == 1 and not frame.items[0].token:
                frame.only_numbered = frame.items[0].only_numbered
            if frame.only_numbered and not self.stack:
                self._refuse_number_before_all()
        if frame.dash is not None and not self.stack:
            self._refuse_alloy()
        if frame.dash is not None and frame.has_unnumbered_part:
            self.text.refuse(
                frame.dash,
                "mixture",
                "a dash divides the parts of a mixture only where each has its number, as in "
                "'0.7Li2S-0.3P2S5'",
            )

    def _end_part(self, position: int) -> list[float] | None:
        """Weigh the part that ends here and add it to its frame; return shares of its brackets."""
        frame = self.frame
        if not frame.items:
            self.text.refuse(position, "unreadable", "an element is missing here")
        shares = None
        if frame.multiplier_token:
            shares = self._shares_of_brackets()
            if shares is None:
                self._refuse_numbers_in_front_of_symbols()
        if frame.has_points and shares is None:
            self._refuse_points_between_compounds()
            self._refuse_slashes_between_compounds()
        for k, item in enumerate(frame.items):
            share, number = (frame.multiplier, item.amount) if shares is None else (shares[k], 1.0)
            if not (share and number):
                continue  # a zero is an absence, as it is in mappings
            weight = share * number
            for z, amount in item.group.items():
                frame.total[z] = frame.total.get(z, 0.0) + amount * weight
        frame.n_parts += 1
        frame.has_unnumbered_part |= not frame.multiplier_token
        return shares

    def _shares_of_brackets(self) -> list[float] | None:
        """Return the shares in `0.9(Bi2Te3)0.1(Sb2Te3)`, or None where brackets have none."""
        frame = self.frame
        numbers = frame.numbers_in_front()
        if not numbers or len(numbers) < 2 or not all(item.is_bracket for item in frame.items):
            return None
        if not is_whole(sum(numbers)):
            self.text.refuse(
                frame.multiplier_position,
                "number_in_front",
                f"the numbers in front of the brackets add up to {sum(numbers):g}: shares add up "
                "to 1 or 100 (write amounts behind the brackets, or '·' between the parts)",
            )
        return numbers

    def _refuse_numbers_in_front_of_symbols(self) -> None:
        """Refuse `50Fe50Ni`: FeNi for a metallurgist, 50 times Fe50Ni by the rule for 2H2O."""
        frame = self.frame
        numbers = frame.numbers_in_front()
        if numbers and len(numbers) > 1 and is_whole(sum(numbers)):
            self.text.refuse(
                frame.multiplier_position,
                "number_in_front",
                f"the amounts in front of the symbols add up to {sum(numbers):g}: are they the "
                "symbols' own, or does the first multiply the whole? Write amounts behind their "
                "symbols",
            )
        if frame.multiplier < 1:
            # `0.05Sr0.4Pr0.55Mn1O3` was La0.05Sr0.4Pr0.55MnO3.
            amounts = [
                math.nan if item.is_bracket or not item.token else item.amount
                for item in frame.items
            ]
            sums = list(accumulate([frame.multiplier, *amounts]))
            if any(map(is_whole, sums[1:])):
                token = frame.multiplier_token
                self.text.refuse(
                    frame.multiplier_position,
                    "number_in_front",
                    f"the number {token!r} in front and the amounts behind it add up to a whole: "
                    "was a symbol lost in front of it?",
                )

    def _counts_molecules(self, end: int) -> bool:
        """Whether the number in front counts the molecules of one hydrate or solvent."""
        frame = self.frame
        behind = self.plain[frame.multiplier_position + len(frame.multiplier_token) : end]
        first = frame.items[0]
        is_hydrate = _SOLVENT_ALONE.fullmatch(behind) or (
            len(frame.items) == 1
            and not first.token
            and (first.n_parts > 1 or (first.is_bracket and _SOLVENT_NEXT.match(behind)))
        )
        return bool(is_hydrate) and frame.multiplier.is_integer() and frame.multiplier > 0

    def _refuse_number_before_all(self) -> None:
        """Refuse `0.44LiI`: a number that multiplies the whole formula changes nothing.

        Something was lost, then.
        """
        frame = self.frame
        if not frame.multiplier_token:
            self.text.refuse(
                0,
                "number_in_front",
                "the number in front of everything in the bracket changes nothing: was a symbol in "
                "front of it lost, or another part? Leave the number out if not",
            )
        numbers = frame.numbers_in_front() or []
        if len(numbers) > 1 and not any(NON_METALS & item.group.keys() for item in frame.items):
            guess = (
                "is this an alloy whose balance is left out? Write all atoms behind their "
                "symbols; if these are percent by weight, give 'Fe-18Cr-8Ni' to "
                "crabsk.composition.from_weight_percent"
            )
        elif frame.multiplier < 1:
            guess = (
                "was a symbol in front of it lost, or another part of "
                f"{1 - frame.multiplier:g}? Leave the number out if not"
            )
        else:
            guess = "was a symbol in front of it lost, or another part? Leave the number out if not"
        self.text.refuse(
            frame.multiplier_position,
            "number_in_front",
            f"the number {shown(frame.multiplier_token)} before the whole formula changes nothing: "
            f"{guess}",
        )

    def _refuse_alloy(self) -> None:
        """Refuse `63Sn-37Pb` and `6Al-4V`, alloys in percent, among mixtures such as Li2S-P2S5."""
        run = _ALLOY_RUN.fullmatch(self.plain)
        if run and sum(map(float, re.findall(r"[0-9.]*[0-9]", run[0]))) > 1 + 1e-6:
            self.text.refuse(
                0,
                "mixture",
                "this is the name of an alloy: crabsk.composition.from_weight_percent reads it if "
                "its numbers are percent by weight (and its balance is there, as in 'Ti-6Al-4V'); "
                "write atoms behind their symbols",
            )

    def _refuse_points_between_compounds(self) -> None:
        """Refuse `Al2O3.2SiO2`: an amount of 3.2, or a point between two compounds.

        It follows a non-metal or a bracket. It may divide compounds if an element of those before
        comes again behind it, or if both sides look like compounds. Another decimal in the part
        tells that its amounts are decimal. The point is doubtful, then, only if its own element
        comes again outside of brackets, or an element of a halide behind it.
        """
        items = self.frame.items
        points = sum(item.may_end_in_a_point for item in items[:-1])
        decimals = sum("." in item.token or not item.amount.is_integer() for item in items)
        before: set[int] = set()
        later = Counter(z for item in items for z in item.group)
        later_bare = Counter(z for item in items if not item.is_bracket for z in item.group)
        for k, item in enumerate(items[:-1]):
            before |= item.group.keys()
            later.subtract(item.group.keys())
            if not item.is_bracket:
                later_bare.subtract(item.group.keys())
            if self._is_letter_for_zero(item, decimals):
                self._refuse_point(item)
            if not item.may_end_in_a_point or not (item.is_bracket or item.ends_compound):
                continue
            if decimals == points:
                doubtful = any(later[z] > 0 for z in before)
                if points == 1:
                    doubtful |= are_compounds(items, k)
            else:
                doubtful = any(later_bare[z] > 0 for z in item.group)
                if not doubtful and halide_follows(items, k):
                    doubtful = any(later_bare[z] > 0 for z in before)
            if doubtful:
                self._refuse_point(item)

    def _is_letter_for_zero(self, item: Item, decimals: int) -> bool:
        """Whether the O in `SeO.5Te0.5` may be a zero: other decimals there have theirs."""
        if item.token[:1] != "." or not item.is_oxygen or decimals < 2:
            return False
        written_out = re.search(r"(?<![0-9])0\.[0-9]", self.plain)
        return written_out is not None

    def _refuse_slashes_between_compounds(self) -> None:
        """Refuse `SiO2/25Na2O`: a fraction of oxygen, or a slash between two compounds."""
        items = self.frame.items
        fractions = [k for k, item in enumerate(items) if "/" in item.token]
        if len(fractions) != 1:
            return
        (k,) = fractions
        if 0 < k < len(items) - 1 and not items[k].is_bracket and items[k].ends_compound:
            position = self.plain.index("/", items[k].position)
            self.text.refuse(
                position,
                "ambiguous_point",
                "'/' is ambiguous: a fraction, or two compounds? (write the fraction as a decimal, "
                "'·' between compounds)",
            )

    def _refuse_point(self, item: Item) -> NoReturn:
        token = item.token
        position = self.plain.index(token, item.position)
        whole, _, decimals = token.partition(".")
        follows_letter = self.plain[item.position - 1 : item.position].isalpha()
        if not whole and item.is_oxygen and follows_letter and "0." in self.plain:
            self.text.refuse(
                item.position,
                "ambiguous_point",
                f"'O{token}' is ambiguous: is the letter O a zero, as in '0{token}'? (write "
                f"'O0{token}' for oxygen)",
                self.text.replaced(item.position, "O", "0"),
            )
        if not whole:
            self._refuse_bare_point(position, token)
        self.text.refuse(
            position,
            "ambiguous_point",
            f"{token!r} is ambiguous: an amount of {token}, or {whole} and a point between two "
            f"compounds? (write '{whole}·{decimals}' for two compounds, and a bracket such as "
            f"'({shown(self.plain[item.position : position])[1:-1]}{token})' for the amount)",
            self.text.replaced(position, token, f"{whole}·{decimals}"),
        )

    def _refuse_bare_point(self, position: int, token: str) -> NoReturn:
        number = shown(token)[1:-1]
        self.text.refuse(
            position,
            "ambiguous_point",
            f"'{number}' is ambiguous: write '0{number}' for an amount or '·{number[1:]}' for a "
            "second compound",
            self.text.replaced(position, ".", "·"),
        )
