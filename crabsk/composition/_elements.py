"""The periodic table as the parser knows it: symbols and atomic numbers."""

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
