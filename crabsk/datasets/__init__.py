"""Data sets of chemical formulas and measured or computed properties.

They come as those of `sklearn.datasets` do: ``load_*`` reads what is shipped with the package,
``fetch_*`` downloads once and keeps the file.
"""

from ._formation_enthalpy import load_formation_enthalpy
from ._matbench import fetch_matbench, matbench_folds

__all__ = ["fetch_matbench", "load_formation_enthalpy", "matbench_folds"]
