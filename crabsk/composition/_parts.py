"""The parts of a formula: what stands between two separators, within one bracket."""

import math
import re

from ._elements import CHALCOGENS, ENDS_OF_COMPOUNDS, HALOGENS, NON_METALS

Amounts = dict[int, float]
"""Atomic number -> amount, in the order of first appearance."""

# Nobody writes 0 atoms in front of a point between compounds, nor 05 molecules behind it.
_MAYBE_TWO_NUMBERS = re.compile(r"(?:[1-9][0-9]*)?\.[1-9][0-9]*")


class Item:
    """A symbol or a bracket of a part, with the number behind it."""

    __slots__ = ("amount", "group", "n_parts", "only_numbered", "position", "token")

    def __init__(
        self, group: Amounts, position: int, n_parts: int = 0, only_numbered: bool = False
    ) -> None:
        self.group = group
        self.position = position
        self.n_parts = n_parts  # in the bracket; 0 for a symbol
        self.only_numbered = only_numbered  # whether it holds a single part with a number in front
        self.amount = 1.0
        self.token = ""  # the amount as it is written, if it is

    @property
    def is_bracket(self) -> bool:
        return self.n_parts > 0

    @property
    def is_oxygen(self) -> bool:
        return not self.is_bracket and 8 in self.group

    @property
    def ends_compound(self) -> bool:
        """Whether it is a non-metal that often ends the formula of a compound."""
        return not self.is_bracket and bool(self.group.keys() & ENDS_OF_COMPOUNDS)

    @property
    def may_end_in_a_point(self) -> bool:
        """Whether the amount may be an amount, a point and the number of the next part."""
        return _MAYBE_TWO_NUMBERS.fullmatch(self.token) is not None


class Frame:
    """One open bracket, or the whole text: its finished parts, and the part being read."""

    __slots__ = (
        "bracket", "dash", "has_points", "has_unnumbered_part", "items", "multiplier",
        "multiplier_position", "multiplier_token", "n_parts", "only_numbered", "position", "total",
    )  # fmt: skip

    def __init__(self, bracket: str, position: int) -> None:
        self.bracket = bracket
        self.position = position
        self.total: Amounts = {}
        self.n_parts = 0
        self.dash: int | None = None  # place of a dash between parts
        self.has_unnumbered_part = False
        self.only_numbered = False
        self.begin_part()

    def begin_part(self) -> None:
        self.items: list[Item] = []
        self.has_points = False
        self.multiplier = 1.0
        self.multiplier_token = ""
        self.multiplier_position = 0

    def numbers_in_front(self) -> list[float] | None:
        """Return the numbers of `50Fe30Ni20Cr`, one in front of each item and none behind."""
        *first, last = self.items
        if not self.multiplier_token or last.token or not all(item.token for item in first):
            return None
        return [self.multiplier, *(item.amount for item in first)]


def are_compounds(items: list[Item], k: int) -> bool:
    """Whether a point behind item `k`, a non-metal, may divide one compound from another.

    Layers of oxide and of pnictide or chalcogenide are one compound (Sr4V2O5.6Fe2As2).
    """
    last = items[-1]
    if k < 1 or len(items) < k + 3 or (items[k].is_oxygen and last.group.keys() & CHALCOGENS):
        return False
    return last.is_bracket or last.ends_compound


def halide_follows(items: list[Item], k: int) -> bool:
    """Whether a metal stands behind item `k`, and a halogen at the end."""
    if len(items) < k + 3 or items[k + 1].is_bracket or items[-1].is_bracket:
        return False
    is_metal = not NON_METALS & items[k + 1].group.keys()
    return is_metal and bool(HALOGENS & items[-1].group.keys())


def is_whole(total: float) -> bool:
    """Whether shares or percentages add up."""
    return any(math.isclose(total, whole, rel_tol=1e-6) for whole in (1, 100))
