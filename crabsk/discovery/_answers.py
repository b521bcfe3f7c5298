"""What a model says of candidates."""

from typing import Any

import numpy as np
import pandas as pd

from .._text import few
from .._validation import predicts_std


def means_and_stds(model: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations, each of shape (n_samples, n_targets).

    Raises
    ------
    TypeError
        If the model has none.
    """
    name = type(model).__name__
    if not predicts_std(model):
        raise TypeError(
            f"predict of {name} has no return_std: take a model that predicts standard deviations "
            '(CalibratedRegressorCV, AutoRegressor, a Gaussian process), or acquisition="mean"'
        )
    mean, std = (np.asarray(part, dtype=np.float64) for part in model.predict(X, return_std=True))
    return mean.reshape(len(mean), -1), std.reshape(len(std), -1)


def means(model: Any, X: Any) -> np.ndarray:
    """Return means, of shape (n_samples, n_targets)."""
    mean = np.asarray(model.predict(X), dtype=np.float64)
    return mean.reshape(len(mean), -1)


def own_context(model: Any, context: dict[str, float]) -> dict[str, float]:
    """Return what a second model was fitted to of the first one's columns."""
    names = getattr(model, "feature_names_in_", ())
    return {name: value for name, value in context.items() if name in names}


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
