"""Atomic weights, for compositions that are given by weight.

The values are the abridged standard atomic weights of 2021, to five significant figures where
nature allows them: T. Prohaska et al., "Standard atomic weights of the elements 2021 (IUPAC
Technical Report)", Pure Appl. Chem. 94, 573-600 (2022), doi:10.1515/pac-2019-0603, Table 1.

Elements without a standard atomic weight have the mass number of their longest-lived isotope, as on
IUPAC's periodic table of May 2022: Tc, Pm, Po to Ac, and everything from Np on.
"""

_WEIGHTS = """
    1.0080 4.0026
    6.94 9.0122 10.81 12.011 14.007 15.999 18.998 20.180
    22.990 24.305 26.982 28.085 30.974 32.06 35.45 39.95
    39.098 40.078 44.956 47.867 50.942 51.996 54.938 55.845 58.933 58.693 63.546 65.38 69.723 72.630
    74.922 78.971 79.904 83.798
    85.468 87.62 88.906 91.224 92.906 95.95 97 101.07 102.91 106.42 107.87 112.41 114.82 118.71
    121.76 127.60 126.90 131.29
    132.91 137.33 138.91 140.12 140.91 144.24 145 150.36 151.96 157.25 158.93 162.50 164.93 167.26
    168.93 173.05 174.97 178.49 180.95 183.84 186.21 190.23 192.22 195.08 196.97 200.59 204.38 207.2
    208.98 209 210 222
    223 226 227 232.04 231.04 238.03 237 244 243 247 247 251 252 257 258 259 262 267 268 269 270 269
    277 281 282 285 286 290 290 293 294 294
"""

ATOMIC_WEIGHTS: tuple[float, ...] = tuple(map(float, _WEIGHTS.split()))
"""Relative atomic weights: ``ATOMIC_WEIGHTS[z - 1]`` is that of atomic number ``z``."""
