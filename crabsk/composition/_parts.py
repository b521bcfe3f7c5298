"""The parts of a formula: what stands between two separators, within one bracket."""

import math
import re
from collections.abc import Iterable

from ._elements import ANIONS, NON_METALS

Amounts = dict[int, float]
"""Atomic number -> amount, in the order of first appearance."""

# Nobody writes 0 atoms in front of a point between compounds, nor 05 molecules behind it.
_MAYBE_TWO_NUMBERS = re.compile(r"(?:[1-9][0-9]*)?\.[1-9][0-9]*")


class Item:
    """A symbol or a bracket of a part, with the number behind it."""

    __slots__ = ("amount", "group", "n_parts", "position", "token")

    def __init__(self, group: Amounts, position: int, n_parts: int = 0) -> None:
        self.group = group
        self.position = position
        self.n_parts = n_parts  # in the bracket; 0 for a symbol
        self.amount = 1.0
        self.token = ""  # the amount as it is written, if it is

    @property
    def is_bracket(self) -> bool:
        return self.n_parts > 0

    @property
    def may_end_in_a_point(self) -> bool:
        """Whether the amount may be an amount, a point and the number of the next part."""
        return _MAYBE_TWO_NUMBERS.fullmatch(self.token) is not None


class Frame:
    """One open bracket, or the whole text: its finished parts, and the part being read."""

    __slots__ = (
        "bracket", "dash", "has_points", "has_unnumbered_part", "items", "multiplier",
        "multiplier_position", "multiplier_token", "n_parts", "position", "total",
    )  # fmt: skip

    def __init__(self, bracket: str, position: int) -> None:
        self.bracket = bracket
        self.position = position
        self.total: Amounts = {}
        self.n_parts = 0
        self.dash: int | None = None  # place of a dash between parts
        self.has_unnumbered_part = False
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


def elements_of(items: Iterable[Item]) -> set[int]:
    """Return the atomic numbers of all elements of some items."""
    return {z for item in items for z in item.group}


def is_salt(items: list[Item]) -> bool:
    """Whether items begin with a metal and end in oxygen, a halogen or a bracket."""
    first, last = items[0], items[-1]
    if len(items) < 2 or first.is_bracket or NON_METALS & first.group.keys():
        return False
    return last.is_bracket or bool(ANIONS & last.group.keys())


def is_whole(total: float) -> bool:
    """Whether shares or percentages add up."""
    return any(math.isclose(total, whole, rel_tol=1e-6) for whole in (1, 100))
