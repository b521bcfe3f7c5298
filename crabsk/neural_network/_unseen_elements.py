"""Compositions with an element that no training composition held."""

import numpy as np

from ..composition import (
    ELEMENTS,
    N_ELEMENTS,
    Compositions,
    reduced_formula,
    warn_of_table,
)
from ._nested_warnings import is_nested


class UnseenElementsWarning(UserWarning):
    """A composition holds an element that no training composition held.

    The prediction relies only on the similarity of elements. Its standard deviation says little
    about its error. `CalibratedRegressorCV` gives larger standard deviations for such elements.

    Examples
    --------
    >>> import warnings
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.neural_network import UnseenElementsWarning
    >>> model = CrabNetRegressor(max_epochs=1, n_estimators=1, random_state=0)
    >>> model = model.fit(["NiAl", "Ni3Al", "Fe3Al"], [-0.6, -0.4, -0.2])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", UnseenElementsWarning)
    ...     _ = model.predict(["TiAl"])
    """


class UnseenElements:
    """Looks for elements that were not seen, chunk by chunk, and warns of them at the end.

    Parameters
    ----------
    seen : list of int or None
        Atomic numbers of those that were; None if nobody knows.
    """

    def __init__(self, seen: list[int] | None) -> None:
        self.is_new = np.ones(N_ELEMENTS + 1, dtype=bool)
        self.is_new[slice(None) if seen is None else seen] = False
        self.n_rows = 0
        self.first = ""
        self.found: set[int] = set()

    def look(self, start: int, compositions: Compositions) -> None:
        """Look at a chunk of X, whose first row has the number `start`."""
        tokens = np.flatnonzero(self.is_new[compositions.atomic_numbers])
        if not len(tokens):
            return
        rows = np.unique(compositions.row_of_token[tokens])
        if not self.n_rows:
            formula = reduced_formula(compositions.take(rows[:1]))[0]
            self.first = f"{formula} in row {start + int(rows[0])}"
        self.n_rows += len(rows)
        self.found.update(compositions.atomic_numbers[tokens].tolist())

    def warn(self) -> None:
        """Warn of what was found."""
        if self.n_rows and not is_nested():
            symbols = ", ".join(ELEMENTS[z - 1] for z in sorted(self.found))
            warn_of_table(
                f"{self.n_rows} composition(s), the first {self.first}, hold elements that "
                f"no training composition held: {symbols}. Their predictions are extrapolations",
                UnseenElementsWarning,
            )


def warn_of_unseen_elements(seen: list[int] | None, compositions: Compositions) -> None:
    """Warn of elements in compositions that are not among those seen, if these are known."""
    elements = UnseenElements(seen)
    elements.look(0, compositions)
    elements.warn()
