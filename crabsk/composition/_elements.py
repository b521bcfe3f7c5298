"""The periodic table as the parser knows it: symbols and atomic numbers."""

import re

_PERIODS = """
    H He
    Li Be B C N O F Ne
    Na Mg Al Si P S Cl Ar
    K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe
    Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
    Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
    Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
    Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

ELEMENTS: tuple[str, ...] = tuple(_PERIODS.split())
"""Element symbols in order of atomic number: ``ELEMENTS[z - 1]`` has atomic number ``z``."""

N_ELEMENTS = len(ELEMENTS)

ATOMIC_NUMBERS: dict[str, int] = {symbol: z for z, symbol in enumerate(ELEMENTS, start=1)}
"""Atomic number of each element symbol."""

# Deuterium and tritium are written as elements in formulas, and are hydrogen to every table.
FORMULA_SYMBOLS: dict[str, int] = {**ATOMIC_NUMBERS, "D": 1, "T": 1}

# From the least to the most electronegative (Pauling's scale, equal values by symbol), as pymatgen
# and the Materials Project write formulas; then the elements without a value.
_BY_ELECTRONEGATIVITY = """
    Fr Cs K Rb Ba Ra Na Sr Li Ca Ac La Tb Yb Ce Pm Pr Nd Sm Eu Gd Dy Y Ho Er Tm Lu Pu Am Bk Cf Cm
    Es Fm Hf Lr Md No Th Mg Zr Np Sc U Pa Ta Ti Mn Be Nb Al Tl V Zn Cr Cd In Ga Fe Co Cu Re Si Tc
    Ni Ag Sn Hg Po Ge Bi B Sb Te Mo As P At H Ir Os Pd Rn Ru Pt Rh Pb W Au C Se S Xe I Br Kr N Cl
    O F Ar Bh Cn Db Ds Fl He Hs Lv Mc Mt Ne Nh Og Rf Rg Sg Ts
"""

PLACES_IN_FORMULAS: tuple[int, ...] = tuple(
    _BY_ELECTRONEGATIVITY.split().index(symbol) for symbol in ELEMENTS
)
"""Place of each element in a formula: ``PLACES_IN_FORMULAS[z - 1]``."""

_NON_METALS = "H He B C N O F Ne Si P S Cl Ar As Se Br Kr Te I Xe At Rn"
NON_METALS: frozenset[int] = frozenset(ATOMIC_NUMBERS[symbol] for symbol in _NON_METALS.split())
"""Atomic numbers of the elements that do not begin the formula of a salt."""

HALOGENS = frozenset(ATOMIC_NUMBERS[symbol] for symbol in ("F", "Cl", "Br", "I"))
CHALCOGENS = frozenset(ATOMIC_NUMBERS[symbol] for symbol in ("S", "Se", "Te"))
ANIONS = HALOGENS | {ATOMIC_NUMBERS["O"]}
"""Atomic numbers of the elements that end the formula of an oxide or a halide."""

ENDS_OF_COMPOUNDS = (
    ANIONS | CHALCOGENS | {ATOMIC_NUMBERS[symbol] for symbol in ("H", "B", "C", "N")}
)
"""Atomic numbers of the non-metals that often end the formula of a compound."""


_SPECIES = re.compile(r"([A-Z][a-z]?)([0-9]*(?:\.[0-9]+)?)([+-])")


def split_species(key: str) -> tuple[str, float] | None:
    """Return symbol and oxidation state of a species such as ``Fe3+``, ``Cl-`` or ``Cu0+``.

    None if `key` is no such text.
    """
    match = _SPECIES.fullmatch(key)
    if match is None or match[1] not in FORMULA_SYMBOLS:
        return None
    size = float(match[2] or 1)
    return match[1], -size if match[3] == "-" else size
