"""How far a shortlist is from what is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ..composition import (
    ELEMENTS,
    N_ELEMENTS,
    Compositions,
    find_formulas,
    parse_formulas,
    read_compositions,
    reduced_formula,
)
from ..neural_network import quiet
from ._answers import at_context, own_context, seen_elements, with_context
from ._space import Neighbours, make_space


class Surroundings:
    """The known compositions, and the domain of a model; see `screen` for the parameters.

    They are read before anything is screened, so that what is wrong with them is said at once.

    Attributes
    ----------
    left_out : frozenset of str
        Known compositions that are no candidates, as `reduced_formula` writes them.
    """

    def __init__(
        self,
        model: Any,
        X_known: Any,
        exclude_known: bool,
        domain: Any,
        space: Any,
        context: Mapping[str, float] | None,
    ) -> None:
        make_space(space)  # raises if it is none
        self.known = X_known is not None
        self.left_out: frozenset[str] = frozenset()
        if self.known:
            compositions = read_compositions(X_known)
            table = find_formulas(X_known)
            self._formulas = reduced_formula(compositions) if table is None else table.formulas
            self._neighbours = Neighbours(space, self._formulas)
            rows = at_context(X_known, dict(context or {}))
            if exclude_known and rows is not None:
                self.left_out = frozenset(reduced_formula(compositions)[rows].tolist())
            self._n_known = np.bincount(compositions.atomic_numbers, minlength=N_ELEMENTS + 1)
            seen = seen_elements(model)
            self._is_new = self._n_known == 0
            if seen is not None:
                self._is_new[:] = True
                self._is_new[seen] = False
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
            compositions = parse_formulas(formulas)
            counts = self._n_known[compositions.atomic_numbers]
            rows = rows.assign(
                nearest=[self._formulas[row] for row in nearest],
                distance=distances if self._neighbours.has_unit else np.nan,
                n_known=np.minimum.reduceat(counts, compositions.offsets[:-1]),
                unseen_elements=self._unseen(compositions),
            )
        if self._domain is not None:
            X = with_context(self._domain, formulas, self._context)
            with quiet():
                rows = rows.assign(in_domain=self._domain.predict(X) == 1)
        return rows

    def _unseen(self, compositions: Compositions) -> list[str]:
        """Return for each composition the elements that nothing has taught the model."""
        unseen: list[list[str]] = [[] for _ in range(len(compositions))]
        for token in np.flatnonzero(self._is_new[compositions.atomic_numbers]):
            symbol = ELEMENTS[compositions.atomic_numbers[token] - 1]
            unseen[compositions.row_of_token[token]].append(symbol)
        return [", ".join(own) for own in unseen]
