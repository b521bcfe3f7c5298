"""Texts of any length that a parser may need too long for."""

from collections.abc import Callable

LONG_TEXTS: dict[str, Callable[[int], str]] = {
    "open brackets": lambda n: "(" * n,
    "nested brackets": lambda n: "(" * n + "Fe" + ")2" * n,
    "brackets": lambda n: "(Fe)2" * n,
    "elements": lambda n: "Fe" * n,
    "amounts": lambda n: "Fe1.5" * n,
    "one symbol": lambda n: "F" + "e" * n,
    "one amount": lambda n: "1" * n,
    "one amount behind a symbol": lambda n: "Fe1.5O" + "1" * n,
    "hydrates": lambda n: "·".join(["Fe"] * n),
    "dots": lambda n: "." * n,
    "dots and elements": lambda n: "Fe." * n,
    "dots and digits": lambda n: "Fe" + "1." * n,
    "spaces": lambda n: "Fe1.5" + " " * n + "X",
    "spaces in a bracket": lambda n: "Fe1.5 (" + " " * n + "X",
    "solvent": lambda n: "Fe1.5C1H1" + "N1" * n + "P",
    "organic solvent": lambda n: "Fe1.5" + "CH" * n + "P",
    "solvents": lambda n: "Fe1.5CH" * n,
    "superscripts": lambda n: "O³" * n,
    "subscripts": lambda n: "O₂" * n,
    "bad bracket": lambda n: "[" * n + "Fe" + ")" * n,
    "charges": lambda n: "Fe" + "+" * n,
    "half an exponent": lambda n: "Fe1e" * n,
}
