"""Lines of compositions: from one to another, and from a base with more of an element."""

from collections.abc import Mapping

from ..composition import ELEMENTS, FormulaReader, parse_formulas


def atomic_fractions(formula: str) -> dict[str, float]:
    """Return the atomic fractions of a formula, in the order in which it names its elements."""
    parsed = parse_formulas([formula])
    of = dict(zip(parsed.atomic_numbers.tolist(), parsed.fractions.tolist(), strict=True))
    return {ELEMENTS[z - 1]: of[z] for z in FormulaReader().read(formula) if z in of}


def mixed(start: Mapping[str, float], end: Mapping[str, float], x: float) -> dict[str, float]:
    """Return the composition a fraction `x` of the way from `start` to `end`."""
    symbols = [*start, *(symbol for symbol in end if symbol not in start)]
    return {s: (1 - x) * start.get(s, 0.0) + x * end.get(s, 0.0) for s in symbols}
