"""How far a shortlist is from what is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ..composition import (
    ELEMENTS,
    N_ELEMENTS,
    find_formulas,
    parse_formulas,
    read_compositions,
    reduced_formula,
)
from ._answers import own_context, with_context
from ._space import Neighbours, make_space


class Surroundings:
    """The known compositions, and the domain of a model; see `screen` for the parameters.

    They are read before anything is screened, so that what is wrong with them is said at once.
    """

    def __init__(
        self, X_known: Any, domain: Any, space: Any, context: Mapping[str, float] | None
    ) -> None:
        make_space(space)  # raises if it is none
        self.known = X_known is not None
        if self.known:
            compositions = read_compositions(X_known)
            table = find_formulas(X_known)
            self._formulas = reduced_formula(compositions) if table is None else table.formulas
            self._neighbours = Neighbours(space, self._formulas)
            self._is_new = np.ones(N_ELEMENTS + 1, dtype=bool)
            self._is_new[compositions.atomic_numbers] = False
        self._domain = domain
        if domain is not None:
            check_is_fitted(domain)
            self._context = own_context(domain, dict(context or {}))
            with_context(domain, [], self._context)  # raises if a column has no number

    def describe(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add to a shortlist how far each row is from what is known."""
        formulas = rows["formula"].tolist()
        if self.known:
            distances, nearest = self._neighbours.nearest(formulas)
            rows = rows.assign(
                nearest=[self._formulas[row] for row in nearest],
                distance=distances if self._neighbours.has_unit else np.nan,
                unseen_elements=self._unseen(formulas),
            )
        if self._domain is not None:
            X = with_context(self._domain, formulas, self._context)
            rows = rows.assign(in_domain=self._domain.predict(X) == 1)
        return rows

    def _unseen(self, formulas: list) -> list[str]:
        """Return for each formula the elements that no known composition has."""
        compositions = parse_formulas(formulas)
        unseen: list[list[str]] = [[] for _ in formulas]
        for token in np.flatnonzero(self._is_new[compositions.atomic_numbers]):
            symbol = ELEMENTS[compositions.atomic_numbers[token] - 1]
            unseen[compositions.row_of_token[token]].append(symbol)
        return [", ".join(own) for own in unseen]
