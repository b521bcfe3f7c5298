"""Tables of the vectors of species: elements in oxidation states."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import pandas as pd
from elementembeddings.utils.config import DEFAULT_SPECIES_EMBEDDINGS

from .._text import ERRORS_SHOWN
from ..composition import (
    ATOMIC_NUMBERS,
    ELEMENTS,
    N_ELEMENTS,
    SpeciesCompositions,
    split_species,
)
from ._elements import read_only


@dataclass(frozen=True, slots=True, eq=False)
class SpeciesTable:
    """One vector for each species: an element in an oxidation state.

    Parameters
    ----------
    name : str
        What the table is called in feature names and messages.
    values : ndarray of shape (n_species, n_features), float64, read-only
        The vectors.
    species : dict
        The row of each pair of atomic number and oxidation state.
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
        """Return vectors, and which of them each species of some compositions has.

        Parameters
        ----------
        compositions : SpeciesCompositions
            What the vectors are to describe.
        missing : {"error", "mean", "zero"}, default="error"
            What to do about a species that the table lacks, or an element whose oxidation state is
            not known. "error" refuses the compositions. "mean" puts the mean of the element's
            species in the table, or of all species if there is none. "zero" puts zeros.

        Returns
        -------
        vectors : ndarray of shape (n_vectors, n_features)
        rows : ndarray of shape (n_tokens,), int64

        Raises
        ------
        ValueError
            If `missing` is "error" and something is missing.
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
                'oxidation_states="guess" (of up to 40 atoms a formula, where a guess balances)',
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
                f"embedding {self.name!r} is one of species, and {len(rows)} rows {problem} (row "
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


@cache
def load_species_embedding(name: str) -> SpeciesTable:
    """Return a table of the vectors of species.

    Parameters
    ----------
    name : str
        A name of `species_embedding_names`. "skipspecies" are the vectors of SkipSpecies [1]_;
        in "skipspecies_induced", those of rare species were induced from their neighbours.

    Returns
    -------
    SpeciesTable

    Raises
    ------
    ValueError
        If there is no such table.

    References
    ----------
    .. [1] Onwuli, A., Butler, K. T. and Walsh, A., "Ionic species representations for materials
       informatics", APL Machine Learning 2, 036112 (2024).

    Examples
    --------
    >>> from crabsk.embeddings import load_species_embedding
    >>> len(load_species_embedding("skipspecies_induced").species)
    336
    """
    if name not in DEFAULT_SPECIES_EMBEDDINGS:
        raise ValueError(
            f"unknown embedding of species {name!r}: the names are "
            f"{', '.join(species_embedding_names())}"
        )
    folder = files("elementembeddings") / "data" / "species_representations"
    with as_file(folder / DEFAULT_SPECIES_EMBEDDINGS[name]) as path:
        frame = pd.read_csv(path, index_col="species")
    species = {}
    for row, label in enumerate(frame.index):
        found = split_species(label)
        if found is None:
            raise ValueError(f"embedding {name!r} has a row that is no species: {label!r}")
        species[ATOMIC_NUMBERS[found[0]], found[1]] = row
    values = read_only(frame.to_numpy(dtype=np.float64))
    return SpeciesTable(name, values, species, tuple(map(str, frame.columns)))
