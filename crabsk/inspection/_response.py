"""How a prediction changes as an element is added to a composition or replaces another."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_regressor

from .._validation import predicts_std
from ..composition import ATOMIC_NUMBERS
from ._composition_lines import atomic_fractions, mixed


def composition_response(
    estimator: Any,
    base: str,
    element: str,
    *,
    replacing: str | None = None,
    max_fraction: float | None = None,
    n_points: int = 51,
    context: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return predictions as an element is added to a composition or replaces another element.

    This answers "what does more chromium do to this steel?", according to the model. All other
    elements keep their proportions. The result is the partial dependence on one element, for a
    single base composition.

    Parameters
    ----------
    estimator : regressor
        A fitted regressor that takes formulas: a network, a pipeline, `CalibratedRegressorCV` or
        `AutoRegressor`.
    base : str
        Formula of the composition to start from.
    element : str
        Symbol of the element to add.
    replacing : str, default=None
        Symbol of the element of `base` that is replaced, atom for atom. By default all elements of
        `base` are, in proportion to their amounts.
    max_fraction : float, default=None
        Largest atomic fraction of added atoms. By default 0.2 or, with `replacing`, the fraction of
        that element in `base`.
    n_points : int, default=51
        Number of compositions, 2 or more; the first is `base`.
    context : mapping of str to float, default=None
        Values of the columns beside the formula, such as ``{"temperature": 600}``, for an estimator
        that was fitted to a DataFrame with these columns.

    Returns
    -------
    DataFrame of shape (n_points, 3 or 4)
        - ``added``: atomic fraction of the added atoms;
        - ``formula``: the composition, as atomic fractions;
        - ``mean``: the prediction, in the unit of the target;
        - ``std``: its standard deviation, if the estimator predicts one.

    Raises
    ------
    TypeError
        If `estimator` is not a regressor.
    ValueError
        If `base` cannot be read, if `element` is not an element symbol, if `replacing` is not
        another element of `base`, if `max_fraction` is not above 0 or is larger than the available
        fraction, if `n_points` is below 2, or if the estimator predicts several targets.

    Warns
    -----
    TraceWarning, UnseenElementsWarning
        As `predict` warns: the first steps may hold less of the element than any training row did.

    See Also
    --------
    CompositionResponseDisplay : A plot of these predictions.
    element_contributions : What each element adds to one prediction.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import composition_response
    >>> X, y = ["FeNi", "FeCr", "Fe3Ni", "Fe3Cr"], [1.0, 2.0, 1.5, 2.5]
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=2, random_state=0).fit(X, y)
    >>> table = composition_response(model, "Fe3Ni", "Cr", replacing="Ni", n_points=3)
    >>> table[["added", "formula"]]
       added          formula
    0  0.000       Fe0.75Ni0.25
    1  0.125  Fe0.75Ni0.125Cr0.125
    2  0.250       Fe0.75Cr0.25
    """
    if not is_regressor(estimator):
        raise TypeError(f"{type(estimator).__name__} is not a regressor")
    start = atomic_fractions(base)
    end, room = _end(start, element, replacing, base)
    last = (0.2 if replacing is None else room) if max_fraction is None else max_fraction
    if not 0 < last <= room:
        raise ValueError(f"max_fraction={max_fraction} must be above 0 and at most {room:g}")
    if n_points < 2:
        raise ValueError(f"n_points={n_points} must be 2 or more")
    added = np.linspace(0, last, n_points)
    formulas = [_written(mixed(start, end, x / room)) for x in added.tolist()]
    X: Any = formulas
    if context is not None:
        X = pd.DataFrame({"formula": formulas, **context})
    table = pd.DataFrame({"added": added, "formula": formulas})
    if predicts_std(estimator):
        mean, std = estimator.predict(X, return_std=True)
        answers = {"mean": mean, "std": std}
    else:
        answers = {"mean": estimator.predict(X)}
    if np.ndim(answers["mean"]) > 1:
        raise ValueError(f"{type(estimator).__name__} predicts several targets; one is needed")
    return table.assign(**answers)


def _end(
    start: dict[str, float], element: str, replacing: str | None, base: str
) -> tuple[dict[str, float], float]:
    """Return the composition with the largest possible amount of the element, and that amount."""
    if element not in ATOMIC_NUMBERS:
        raise ValueError(f"element={element!r} is not an element symbol")
    if replacing is None:
        return {element: 1.0}, 1.0
    if replacing not in start or replacing == element:
        raise ValueError(f"replacing={replacing!r} must be another element of {base}")
    end = dict(start)
    room = end.pop(replacing)
    end[element] = end.get(element, 0.0) + room
    return end, room


def _written(fractions: Mapping[str, float]) -> str:
    """Write a formula with twelve digits, and without what it does not hold."""
    digits = {symbol: f"{x:.12f}".rstrip("0").rstrip(".") for symbol, x in fractions.items()}
    return "".join(
        f"{symbol}{amount if amount != '1' else ''}"
        for symbol, amount in digits.items()
        if amount != "0"
    )
