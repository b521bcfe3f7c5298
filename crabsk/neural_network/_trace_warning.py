"""Compositions with less of an element than any that was trained on."""

import numpy as np

from ..composition import ELEMENTS, Compositions, warn_of_table
from ._nested_warnings import is_quiet

# Below this share of the least fraction in training, a fraction is far below it.
FAR_BELOW = 0.1


class TraceWarning(UserWarning):
    """The fraction of an element is far below all fractions in the training compositions.

    The networks have not learnt what such a trace does. With ``architecture="crabsk"``, the
    prediction of CrabNet is close to that for the composition without the element.

    Examples
    --------
    >>> import warnings
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.neural_network import TraceWarning
    >>> model = CrabNetRegressor(max_epochs=1, n_estimators=1, random_state=0)
    >>> model = model.fit(["NiAl", "Ni3Al", "Fe3Al"], [-0.6, -0.4, -0.2])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", TraceWarning)
    ...     _ = model.predict(["Ni3AlB0.001"])
    """


class Traces:
    """Looks for traces in compositions, chunk by chunk, and warns of them at the end.

    Parameters
    ----------
    least : float
        The least fraction of an element in the training compositions.
    """

    def __init__(self, least: float) -> None:
        self.least = least
        self.n_rows = 0
        self.first = ""

    def look(self, start: int, compositions: Compositions) -> None:
        """Look at a chunk of X, whose first row has the number `start`."""
        tokens = np.flatnonzero(compositions.fractions < FAR_BELOW * self.least)
        if not len(tokens):
            return
        if not self.n_rows:
            token = tokens[0]
            symbol = ELEMENTS[compositions.atomic_numbers[token] - 1]
            row = start + compositions.row_of_token[token]
            amount = f"{compositions.fractions[token]:.2g}"
            self.first = f"the atomic fraction of {symbol} in row {row} is {amount}"
        self.n_rows += len(np.unique(compositions.row_of_token[tokens]))

    def warn(self) -> None:
        """Warn of what was found."""
        if self.n_rows and not is_quiet():
            warn_of_table(
                f"{self.n_rows} composition(s) hold an element in a fraction far below all those "
                f"in training: {self.first}, and the least in training was {self.least:.2g}. "
                "The networks have not learnt what such traces do",
                TraceWarning,
            )
