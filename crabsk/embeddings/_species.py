"""Tables of species vectors: vectors of elements in oxidation states."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pandas as pd
from elementembeddings.utils.config import DEFAULT_SPECIES_EMBEDDINGS

from .._text import ERRORS_SHOWN, few
from ..composition import (
    ATOMIC_NUMBERS,
    ELEMENTS,
    N_ELEMENTS,
    SpeciesCompositions,
    split_species,
)
from ._elements import OWN_NAME, checked_numbers, mapping_to_frame, read_only


@dataclass(frozen=True, slots=True, eq=False)
class SpeciesTable:
    """One vector for each species: an element in an oxidation state.

    Parameters
    ----------
    name : str
        Name of the table in feature names and messages.
    values : ndarray of shape (n_species, n_features), float64, read-only
        The vectors.
    species : dict
        Row in `values` of each pair (atomic number, oxidation state).
    feature_names : tuple of str
        Names of the columns.

    Examples
    --------
    >>> from crabsk.embeddings import load_species_embedding
    >>> table = load_species_embedding("skipspecies")
    >>> table.values.shape
    (336, 200)
    >>> (26, 3.0) in table.species  # Fe3+
    True
    """

    name: str
    values: np.ndarray
    species: dict[tuple[int, float], int]
    feature_names: tuple[str, ...]

    def fill(
        self, compositions: SpeciesCompositions, missing: str = "error"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return vectors, and the row of the vector of each species in some compositions.

        Parameters
        ----------
        compositions : SpeciesCompositions
            The compositions that the vectors have to cover.
        missing : {"error", "mean", "zero"}, default="error"
            What to do about a species that the table lacks, or an element whose oxidation state is
            not known. "error" refuses the compositions. "mean" fills in the mean of the element's
            species in the table, or of all species if the table has none of that element. "zero"
            fills in zeros.

        Returns
        -------
        vectors : ndarray of shape (n_vectors, n_features)
        rows : ndarray of shape (n_tokens,), int64

        Raises
        ------
        ValueError
            If `missing` is "error" and a vector is missing.
        """
        numbers, states = compositions.atomic_numbers, compositions.oxidation_states
        pairs = list(zip(numbers.tolist(), states.tolist(), strict=True))
        rows = np.array([self.species.get(pair, -1) for pair in pairs], dtype=np.int64)
        lacking = rows < 0
        if not lacking.any():
            return self.values, rows
        if missing == "error":
            self._refuse(compositions, lacking)
        # A vector more for each element.
        fills = np.zeros((N_ELEMENTS, self.values.shape[1]))
        if missing == "mean":
            fills[:] = self.values.mean(axis=0)
            for z in np.unique(numbers[lacking]).tolist():
                own = [row for (other, _), row in self.species.items() if other == z]
                if own:
                    fills[z - 1] = self.values[own].mean(axis=0)
        rows[lacking] = len(self.values) + numbers[lacking] - 1
        return np.vstack([self.values, fills]), rows

    def _refuse(self, compositions: SpeciesCompositions, lacking: np.ndarray) -> None:
        unknown = lacking & np.isnan(compositions.oxidation_states)
        for mask, problem, way_out in (
            (
                unknown,
                "have no oxidation states",
                "give species, as in {'Fe3+': 2, 'O2-': 3}, guess them with "
                'oxidation_states="guess" (for formulas of up to 40 atoms, if a guess balances)',
            ),
            (lacking, "hold species that it lacks", "remove these rows"),
        ):
            if not mask.any():
                continue
            rows = np.unique(compositions.row_of_token[mask]).tolist()
            first = np.flatnonzero(mask)[0]
            symbol = ELEMENTS[compositions.atomic_numbers[first] - 1]
            state = compositions.oxidation_states[first]
            example = symbol
            if not np.isnan(state):
                size = "" if abs(state) == 1 else f"{abs(state):g}"
                example += size + ("-" if state < 0 else "+")
            raise ValueError(
                f"embedding {self.name!r} holds species, but {len(rows)} rows {problem} (row "
                f"{', '.join(map(str, rows[:ERRORS_SHOWN]))}"
                f"{', ...' if len(rows) > ERRORS_SHOWN else ''}; first {example}): {way_out}, or "
                "fill the gaps with missing='mean'"
            )


def species_embedding_names() -> list[str]:
    """Return the names that `load_species_embedding` knows.

    Examples
    --------
    >>> from crabsk.embeddings import species_embedding_names
    >>> species_embedding_names()
    ['skipspecies', 'skipspecies_induced']
    """
    return sorted(DEFAULT_SPECIES_EMBEDDINGS)


def is_of_species(embedding: Any) -> bool:
    """Whether an embedding holds vectors of species, not of elements."""
    if isinstance(embedding, str):
        return embedding in DEFAULT_SPECIES_EMBEDDINGS
    if _is_of_library(embedding):
        return True
    labels = embedding.index if isinstance(embedding, pd.DataFrame) else embedding
    if not isinstance(labels, pd.Index | Mapping):
        return False
    return any(isinstance(label, str) and split_species(label) for label in labels)


def _is_of_library(embedding: Any) -> bool:
    """Whether it is a SpeciesEmbedding, whose module is not imported: see `_elements`."""
    return hasattr(embedding, "get_element_oxi_states") and hasattr(embedding, "embedding_name")


def load_species_embedding(embedding: Any) -> SpeciesTable:
    """Return a table of species vectors, given by name or as your own table.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or SpeciesEmbedding
        A name from `species_embedding_names`, a DataFrame indexed by species such as ``Fe3+``, a
        mapping from species to vector, or a ``SpeciesEmbedding`` of elementembeddings.
        "skipspecies" holds the vectors of SkipSpecies [1]_. In "skipspecies_induced", the vectors
        of rare species were induced from their neighbours.

    Returns
    -------
    SpeciesTable

    Raises
    ------
    TypeError
        If `embedding` is none of these.
    ValueError
        If the name is unknown; or if your own table has rows that are not species, repeated
        species, or values that are missing or not finite numbers.

    References
    ----------
    .. [1] Onwuli, A., Butler, K. T. and Walsh, A., "Ionic species representations for materials
       informatics", APL Machine Learning 2, 036112 (2024).

    Examples
    --------
    >>> from crabsk.embeddings import load_species_embedding
    >>> len(load_species_embedding("skipspecies_induced").species)
    336
    >>> load_species_embedding({"Fe2+": [0.78], "Fe3+": [0.645]}).species
    {(26, 2.0): 0, (26, 3.0): 1}
    """
    if isinstance(embedding, str):
        return _load_named(embedding)
    if _is_of_library(embedding):
        name = embedding.embedding_name or OWN_NAME
        frame = mapping_to_frame(embedding.embeddings)
        return _from_frame(name, frame.set_axis(embedding.feature_labels, axis=1))
    if isinstance(embedding, pd.DataFrame):
        return _from_frame(OWN_NAME, embedding)
    if isinstance(embedding, Mapping):
        return _from_frame(OWN_NAME, mapping_to_frame(embedding))
    raise TypeError(
        "an embedding of species is a name, a pandas DataFrame indexed by species, a mapping "
        f"species -> vector or a SpeciesEmbedding of elementembeddings, not {type(embedding)}"
    )


@cache
def _load_named(name: str) -> SpeciesTable:
    if name not in DEFAULT_SPECIES_EMBEDDINGS:
        raise ValueError(
            f"unknown embedding of species {name!r}: the names are "
            f"{', '.join(species_embedding_names())}"
        )
    folder = files("elementembeddings") / "data" / "species_representations"
    with as_file(folder / DEFAULT_SPECIES_EMBEDDINGS[name]) as path:
        return _from_frame(name, pd.read_csv(path, index_col="species"))


def _from_frame(name: str, frame: pd.DataFrame) -> SpeciesTable:
    """Check a table and note which row each species has."""
    found = [split_species(label) if isinstance(label, str) else None for label in frame.index]
    unknown = [label for label, own in zip(frame.index, found, strict=True) if own is None]
    if unknown:
        raise ValueError(
            f"embedding {name!r} has rows that are no species such as Fe3+: {few(unknown)}"
        )
    rows = [(ATOMIC_NUMBERS[own[0]], own[1]) for own in found if own is not None]
    # Fe+ and Fe1+ are one.
    first = {row: label for label, row in reversed(list(zip(frame.index, rows, strict=True)))}
    frame = frame.set_axis([first[row] for row in rows])
    values = checked_numbers(name, frame, "species")
    if np.isnan(values).any():
        gaps = frame.index[np.isnan(values).any(axis=1)].tolist()
        raise ValueError(
            f"embedding {name!r} lacks values of {few(gaps)}: fill them, or leave these species out"
        )
    species = {row: k for k, row in enumerate(rows)}
    return SpeciesTable(name, read_only(values), species, tuple(map(str, frame.columns)))
