"""What a model says of candidates."""

import warnings
from collections.abc import Mapping
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._text import few, shown
from .._validation import predicts_std
from ..composition import is_dataframe

# Up to this share of its size, a number in a column is that of the context: float32 rounds.
_ROUNDING = 1e-6
# Up to this one, it is hardly another condition.
NEARLY = 0.1


def means_and_stds(model: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations, each of shape (n_samples, n_targets).

    Raises
    ------
    TypeError
        If the model has no standard deviations.
    ValueError
        If something is not finite, by which nothing can be ranked.
    """
    name = type(model).__name__
    if not predicts_std(model):
        raise TypeError(
            f"predict of {name} has no return_std: take a model that predicts standard deviations "
            '(CalibratedRegressorCV, AutoRegressor, a Gaussian process), or acquisition="mean"'
        )
    mean, std = model.predict(X, return_std=True)
    return _finite(mean, "mean", X, name), _finite(std, "standard deviation", X, name)


def means(model: Any, X: Any) -> np.ndarray:
    """Return means, of shape (n_samples, n_targets).

    Raises
    ------
    ValueError
        If one is not finite.
    """
    return _finite(model.predict(X), "mean", X, type(model).__name__)


def _finite(values: Any, what: str, X: Any, name: str) -> np.ndarray:
    """Return predictions of shape (n_samples, n_targets); refuse what is not finite."""
    table = np.asarray(values, dtype=np.float64)
    table = table.reshape(len(table), -1)
    rows = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(rows):
        sample = X.iloc[rows[0]].to_dict() if isinstance(X, pd.DataFrame) else X[rows[0]]
        raise ValueError(
            f"{name} predicts a {what} of {', '.join(map(str, table[rows[0]].tolist()))} for "
            f"{shown(sample)} ({len(rows)} such candidate(s) among {len(table)}): nothing can be "
            "ranked by it"
        )
    return table


def read_context(context: Mapping[str, float] | None) -> dict[str, float]:
    """Return the number that each column beside the formulas has.

    Raises
    ------
    ValueError
        If a column has something else, such as one number for each candidate.
    """
    columns = dict(context or {})
    for name, value in columns.items():
        if not isinstance(value, Real) or not isfinite(value):
            raise ValueError(
                f"context= gives {shown(value)} for the column {shown(name)}, which must have one "
                "finite number, the same for all candidates: screen once for each"
            )
    return columns


def warn_of_extrapolation(context: dict[str, float], X_known: Any) -> None:
    """Warn of a context beyond what is known."""
    for name, value in context.items():
        if not is_dataframe(X_known) or name not in X_known.columns:
            continue
        column = _numbers(X_known[name], name)
        column = column[np.isfinite(column)]
        if not len(column):
            continue
        low, high = column.min(), column.max()
        slack = _ROUNDING * max(abs(low), abs(high))
        if not low - slack <= value <= high + slack:
            warnings.warn(
                f"context= gives {value:g} for the column {shown(name)}, and X_known has {low:g} "
                f"to {high:g}: predictions beyond that are extrapolations",
                UserWarning,
                stacklevel=4,
            )


def own_context(model: Any, context: dict[str, float]) -> dict[str, float]:
    """Return what a second model was fitted to of the first one's columns."""
    names = getattr(model, "feature_names_in_", ())
    return {name: value for name, value in context.items() if name in names}


def at_context(
    X: Any, context: dict[str, float], tolerance: float = _ROUNDING
) -> np.ndarray | None:
    """Return which rows have the numbers of a context; None if X lacks a column of it."""
    same = np.ones(len(X), dtype=bool)
    for name, value in context.items():
        if not is_dataframe(X) or name not in X.columns:
            return None
        same &= np.isclose(_numbers(X[name], name), value, tolerance, 0.0)
    return same


def _numbers(column: Any, name: str) -> np.ndarray:
    """Return a column of known numbers.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"context= gives a number for the column {shown(name)}, and X_known has something "
            f"else there: {error}"
        ) from error


def seen_elements(model: Any) -> list[int] | None:
    """Return the atomic numbers of the elements that a model was trained on; None if unknown."""
    model = getattr(model, "best_estimator_", model)  # of a search
    if isinstance(model, Pipeline):
        model = model[-1]
    return getattr(model, "_seen_elements", None)


def with_context(model: Any, formulas: Any, context: dict[str, float]) -> Any:
    """Return formulas in the form that a model was fitted to: with columns beside them, or alone.

    Raises
    ------
    ValueError
        If the model was fitted without these columns, or with others.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        if context:
            check_is_fitted(model)
            raise ValueError(
                f"context= gives {few(context)}, but the model was not fitted to a DataFrame with "
                "such columns"
            )
        return formulas
    rest = [name for name in names if name not in context]
    unknown = [name for name in context if name not in names]
    if unknown or len(rest) != 1:
        raise ValueError(
            f"the model was fitted to the columns {few(names)}: context= must give a number for "
            f"each of them but that of the formulas, and gives {few(context) or 'none'}"
        )
    columns = {name: formulas if name == rest[0] else context[name] for name in names}
    return pd.DataFrame(columns)
