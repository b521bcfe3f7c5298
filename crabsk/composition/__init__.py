"""Chemical formulas to ragged batches of compositions.

Everything downstream works on `Compositions`; nothing but this subpackage knows what a formula is.
Names that are imported `as` themselves are for other parts of crabsk, not for users.
"""

from ._amounts import check_amounts as check_amounts
from ._amounts import element_columns
from ._amounts import refuse_empty_rows as refuse_empty_rows
from ._components import compositions_from_components
from ._elements import ATOMIC_NUMBERS, ELEMENTS, N_ELEMENTS
from ._elements import split_species as split_species
from ._errors import FormulaError
from ._errors import RowErrors as RowErrors
from ._formula import FormulaReader as FormulaReader
from ._input import FormulaTable, find_formulas, is_dataframe, read_compositions
from ._input import find_formulas_at as find_formulas_at
from ._keys import chemical_system, reduced_formula
from ._lint import check_formulas
from ._ragged import Compositions, compositions_from_matrix, parse_formulas
from ._species import SpeciesCompositions as SpeciesCompositions
from ._species import species_of as species_of
from ._table_warning import TableWarning
from ._table_warning import warn_of_table as warn_of_table
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
