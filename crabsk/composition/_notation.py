"""Read any formula that people write: brackets, hydrates, mixtures, digits of other scripts.

The text is read once, into *parts*: what stands between two separators, within one bracket. Each
part is weighed when it ends (`_weighing`), because only the whole part shows whether a number in
front of it, or a point inside of it, can mean two things.
"""

import math
import re

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
from ._elements import FORMULA_SYMBOLS
from ._parts import Amounts, Frame, Item
from ._weighing import (
    SOLVENT_NEXT,
    counts_molecules,
    refuse_alloy,
    refuse_bare_point,
    refuse_number_before_all,
    refuse_numbers_in_front_of_symbols,
    refuse_point,
    refuse_points_between_compounds,
    refuse_slashes_between_compounds,
    shares_of_brackets,
)

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


def read_notation(original: str) -> Amounts:
    """Read any formula; raise FormulaError for a text that is none, or is ambiguous."""
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
            if "." in token and item.may_end_in_a_point and SOLVENT_NEXT.match(self.plain, end):
                refuse_point(self.text, item)
        elif not frame.items and not frame.multiplier_token:
            if self.text.original[position] in SUPERSCRIPTS:
                self.text.refuse(
                    position,
                    "isotope",
                    f"{self.text.original[position]!r} in front of a symbol is a mass number: "
                    "isotopes are not distinguished (leave it out)",
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
            refuse_bare_point(self.text, position, token)
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
            if frame.multiplier_token and not counts_molecules(self.text, frame, position):
                frame.only_numbered = True
            elif len(frame.items) == 1 and not frame.items[0].token:
                frame.only_numbered = frame.items[0].only_numbered
            if frame.only_numbered and not self.stack:
                refuse_number_before_all(self.text, frame)
        if frame.dash is not None and not self.stack:
            refuse_alloy(self.text)
        if frame.dash is not None and frame.has_unnumbered_part:
            self.text.refuse(
                frame.dash,
                "mixture",
                "a dash divides the parts of a mixture only if each has its number, as in "
                "'0.7Li2S-0.3P2S5'",
            )

    def _end_part(self, position: int) -> list[float] | None:
        """Weigh the part that ends here and add it to its frame; return shares of its brackets."""
        frame = self.frame
        if not frame.items:
            self.text.refuse(position, "unreadable", "an element is missing here")
        shares = None
        if frame.multiplier_token:
            shares = shares_of_brackets(self.text, frame)
            if shares is None:
                refuse_numbers_in_front_of_symbols(self.text, frame)
        if frame.has_points and shares is None:
            refuse_points_between_compounds(self.text, frame)
            refuse_slashes_between_compounds(self.text, frame)
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
