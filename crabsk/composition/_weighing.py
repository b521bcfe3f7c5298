"""Weigh a part of a formula that has been read: what in it can mean two things.

These are numbers in front, and points and slashes between compounds.
"""

import math
import re
from collections import Counter
from itertools import accumulate
from typing import NoReturn

from .._text import shown
from ._doubts import Text
from ._elements import NON_METALS
from ._parts import Frame, Item, are_compounds, halide_follows, is_whole

# A molecule that crystals take up. Right behind a decimal number it makes the point ambiguous:
# `4.5H2O` may be 4.5 atoms, then H2O, or 4 atoms, then 5 H2O. The quantifiers are possessive (`++`)
# so that no text makes them try again.
_SOLVENT = r"""(?:
      (?:[HDT]2O2? | O[HDT]2 | N[HDT]3)(?![0-9a-z])
      # Organic molecules only where the part ends: mixed halides go on behind theirs.
    | C[0-9]*+[HDT](?![a-z])[0-9]*+(?:(?:Cl|[CFHNOS](?![a-z]))[0-9]*+)*+(?![\w(\[{])
    )"""
SOLVENT_NEXT = re.compile(rf"\s*+(?:[(\[{{]\s*+)?+{_SOLVENT}", re.VERBOSE)
_SOLVENT_ALONE = re.compile(rf"\s*+{_SOLVENT}\s*+", re.VERBOSE)

_ALLOY_RUN = re.compile(r"\s*[0-9.]+[A-Z][a-z]?(?:\s*-\s*[0-9.]+[A-Z][a-z]?)+\s*")


def shares_of_brackets(text: Text, frame: Frame) -> list[float] | None:
    """Return the shares in `0.9(Bi2Te3)0.1(Sb2Te3)`, or None where brackets have none."""
    numbers = frame.numbers_in_front()
    if not numbers or len(numbers) < 2 or not all(item.is_bracket for item in frame.items):
        return None
    if not is_whole(sum(numbers)):
        text.refuse(
            frame.multiplier_position,
            "number_in_front",
            f"the numbers in front of the brackets add up to {sum(numbers):g}: shares must add "
            "up to 1 or 100 (write amounts after the brackets, or '·' between the parts)",
        )
    return numbers


def refuse_numbers_in_front_of_symbols(text: Text, frame: Frame) -> None:
    """Refuse `50Fe50Ni`: FeNi for a metallurgist, 50 times Fe50Ni by the rule for 2H2O."""
    numbers = frame.numbers_in_front()
    if numbers and len(numbers) > 1 and is_whole(sum(numbers)):
        text.refuse(
            frame.multiplier_position,
            "number_in_front",
            f"the amounts in front of the symbols add up to {sum(numbers):g}: does each "
            "belong to its symbol, or does the first multiply the whole formula? Write amounts "
            "after their symbols",
        )
    if frame.multiplier < 1:
        # `0.05Sr0.4Pr0.55Mn1O3` was La0.05Sr0.4Pr0.55MnO3.
        amounts = [
            math.nan if item.is_bracket or not item.token else item.amount for item in frame.items
        ]
        sums = list(accumulate([frame.multiplier, *amounts]))
        if any(map(is_whole, sums[1:])):
            token = frame.multiplier_token
            text.refuse(
                frame.multiplier_position,
                "number_in_front",
                f"the number {token!r} in front and the amounts after it add up to a whole: "
                "is a symbol missing before the number?",
            )


def counts_molecules(text: Text, frame: Frame, end: int) -> bool:
    """Whether the number in front counts the molecules of one hydrate or solvent."""
    behind = text.plain[frame.multiplier_position + len(frame.multiplier_token) : end]
    first = frame.items[0]
    is_hydrate = _SOLVENT_ALONE.fullmatch(behind) or (
        len(frame.items) == 1
        and not first.token
        and (first.n_parts > 1 or (first.is_bracket and SOLVENT_NEXT.match(behind)))
    )
    return bool(is_hydrate) and frame.multiplier.is_integer() and frame.multiplier > 0


def refuse_number_before_all(text: Text, frame: Frame) -> None:
    """Refuse `0.44LiI`: a number that multiplies the whole formula changes nothing.

    Something must be missing.
    """
    if not frame.multiplier_token:
        text.refuse(
            0,
            "number_in_front",
            "the number in front of everything in the bracket changes nothing: is a symbol or "
            "another part missing before the number? If not, leave the number out",
        )
    numbers = frame.numbers_in_front() or []
    if len(numbers) > 1 and not any(NON_METALS & item.group.keys() for item in frame.items):
        guess = (
            "is this an alloy whose balance is left out? Write all amounts after their "
            "symbols; if these are percent by weight, give 'Fe-18Cr-8Ni' to "
            "crabsk.composition.from_weight_percent"
        )
    elif frame.multiplier < 1:
        guess = (
            "is a symbol missing before the number, or another part of "
            f"{1 - frame.multiplier:g}? If not, leave the number out"
        )
    else:
        guess = (
            "is a symbol or another part missing before the number? If not, leave the number out"
        )
    text.refuse(
        frame.multiplier_position,
        "number_in_front",
        f"the number {shown(frame.multiplier_token)} before the whole formula changes nothing: "
        f"{guess}",
    )


def refuse_alloy(text: Text) -> None:
    """Refuse `63Sn-37Pb` and `6Al-4V`, alloys in percent, among mixtures such as Li2S-P2S5."""
    run = _ALLOY_RUN.fullmatch(text.plain)
    if run and sum(map(float, re.findall(r"[0-9.]*[0-9]", run[0]))) > 1 + 1e-6:
        text.refuse(
            0,
            "mixture",
            "this is the name of an alloy: crabsk.composition.from_weight_percent reads it if "
            "its numbers are percent by weight (and its balance is named, as in 'Ti-6Al-4V'); "
            "write numbers of atoms after their symbols",
        )


def refuse_points_between_compounds(text: Text, frame: Frame) -> None:
    """Refuse `Al2O3.2SiO2`: an amount of 3.2, or a point between two compounds.

    Such a point follows a non-metal or a bracket. It may divide compounds if an element before it
    occurs again after it, or if both sides look like compounds. Another decimal in the part shows
    that its amounts are decimal. The point is then doubtful only if its own element occurs again
    outside of brackets, or an element of a halide after it.
    """
    items = frame.items
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
        if is_letter_for_zero(text, item):
            refuse_point(text, item)
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
            refuse_point(text, item)


def is_letter_for_zero(text: Text, item: Item) -> bool:
    """Whether the O of `SeO.5Te0.5` may be a zero: other decimals there have theirs."""
    follows_letter = text.plain[item.position - 1 : item.position].isalpha()
    return (
        item.token[:1] == "." and item.is_oxygen and follows_letter and text.has_decimals_with_zeros
    )


def refuse_slashes_between_compounds(text: Text, frame: Frame) -> None:
    """Refuse `SiO2/25Na2O`: a fraction of oxygen, or a slash between two compounds."""
    items = frame.items
    fractions = [k for k, item in enumerate(items) if "/" in item.token]
    if len(fractions) != 1:
        return
    (k,) = fractions
    if 0 < k < len(items) - 1 and not items[k].is_bracket and items[k].ends_compound:
        position = text.plain.index("/", items[k].position)
        text.refuse(
            position,
            "ambiguous_point",
            "'/' is ambiguous: a fraction, or two compounds? (write the fraction as a decimal, "
            "'·' between compounds)",
        )


def refuse_point(text: Text, item: Item) -> NoReturn:
    """Refuse the point in the amount of an item."""
    token = item.token
    position = text.plain.index(token, item.position)
    whole, _, decimals = token.partition(".")
    if is_letter_for_zero(text, item):
        text.refuse(
            item.position,
            "ambiguous_point",
            f"'O{token}' is ambiguous: is the letter O a zero, as in '0{token}'? (write "
            f"'O0{token}' for oxygen)",
            text.replaced(item.position, "O", "0"),
        )
    if not whole:
        refuse_bare_point(text, position, token)
    text.refuse(
        position,
        "ambiguous_point",
        f"{token!r} is ambiguous: an amount of {token}, or {whole} and a point between two "
        f"compounds? (write '{whole}·{decimals}' for two compounds, and a bracket such as "
        f"'({shown(text.plain[item.position : position])[1:-1]}{token})' for the amount)",
        text.replaced(position, token, f"{whole}·{decimals}"),
    )


def refuse_bare_point(text: Text, position: int, token: str) -> NoReturn:
    """Refuse a point without a digit in front."""
    number = shown(token)[1:-1]
    text.refuse(
        position,
        "ambiguous_point",
        f"'{number}' is ambiguous: write '0{number}' for an amount or '·{number[1:]}' for a "
        "second compound",
        text.replaced(position, ".", "·"),
    )
