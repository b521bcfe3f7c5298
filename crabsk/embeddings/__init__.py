"""Tables of element vectors and of species vectors."""

from ._elements import MISSING, ElementTable, embedding_names, load_embedding
from ._species import SpeciesTable, load_species_embedding, species_embedding_names
from ._species import is_of_species as is_of_species

__all__ = [
    "MISSING",
    "ElementTable",
    "SpeciesTable",
    "embedding_names",
    "load_embedding",
    "load_species_embedding",
    "species_embedding_names",
]
