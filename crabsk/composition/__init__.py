"""Chemical formulas to ragged batches of compositions.

Everything downstream works on `Compositions`; nothing but this subpackage knows what a formula is.
"""

from ._amounts import element_columns
from ._components import compositions_from_components
from ._elements import ATOMIC_NUMBERS, ELEMENTS, N_ELEMENTS
from ._errors import FormulaError
from ._input import (
    FormulaTable,
    find_formulas,
    is_dataframe,
    read_compositions,
)
from ._keys import chemical_system, reduced_formula
from ._lint import check_formulas
from ._ragged import Compositions, compositions_from_matrix, parse_formulas
from ._table_warning import TableWarning
from ._weight_percent import from_weight_percent

__all__ = [
    "ATOMIC_NUMBERS",
    "ELEMENTS",
    "N_ELEMENTS",
    "Compositions",
    "FormulaError",
    "FormulaTable",
    "TableWarning",
    "check_formulas",
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
