"""Data sets of chemical formulas and measured or computed properties.

They work like those of `sklearn.datasets`: ``load_*`` reads a set shipped with the package,
``fetch_*`` downloads a set once and keeps the file.
"""

from ._formation_enthalpy import load_formation_enthalpy
from ._matbench import fetch_matbench, matbench_folds

__all__ = ["fetch_matbench", "load_formation_enthalpy", "matbench_folds"]
