"""Chemical formulas to ragged batches of compositions.

Everything downstream works on `Compositions`; nothing but this room knows what a formula is.
"""

from ._components import compositions_from_components, from_weight_percent
from ._elements import ATOMIC_NUMBERS, ELEMENTS, N_ELEMENTS
from ._errors import FormulaError
from ._input import (
    FormulaTable,
    element_columns,
    find_formulas,
    is_dataframe,
    read_compositions,
)
from ._keys import chemical_system, reduced_formula
from ._ragged import Compositions, compositions_from_matrix, parse_formulas

__all__ = [
    "ATOMIC_NUMBERS",
    "ELEMENTS",
    "N_ELEMENTS",
    "Compositions",
    "FormulaError",
    "FormulaTable",
    "chemical_system",
    "compositions_from_components",
    "compositions_from_matrix",
    "element_columns",
    "find_formulas",
    "from_weight_percent",
    "is_dataframe",
    "parse_formulas",
    "read_compositions",
    "reduced_formula",
]
