"""Weights of models from what they said of samples that they had not seen."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer, log_loss

from ._fitting import ask

# Models are added at most so many times; the weight of each is its share. More steps fit the
# samples left out more closely, and new ones less well.
_N_STEPS = 10


def scorer_of(scoring: Any, classes: np.ndarray | None) -> Any:
    """Return a scorer of scikit-learn, but a "neg_log_loss" that folds may lack classes in.

    Parameters
    ----------
    scoring : str or callable
        A scorer, or its name.
    classes : ndarray or None
        All classes, if targets are classes.
    """
    if classes is not None and scoring == "neg_log_loss":
        return partial(_neg_log_loss, classes)
    return get_scorer(scoring)


def _neg_log_loss(classes: np.ndarray, estimator: Any, X: Any, y: np.ndarray) -> float:
    """Score probabilities, 0 where the estimator was trained without a class."""
    return -float(log_loss(y, ask(estimator, X, classes)[0], labels=classes))


def greedy_weights(predictions: np.ndarray, score: Callable[[np.ndarray], float]) -> np.ndarray:
    """Return weights that sum to 1, by adding again and again the model that helps most.

    Parameters
    ----------
    predictions : ndarray of shape (n_models, n_samples, ...)
        What each says.
    score : callable
        What a blend of predictions is worth; greater is better.

    Returns
    -------
    ndarray of shape (n_models,)
        The weights after the step with the best score.

    Raises
    ------
    ValueError
        If all scores are NaN.

    References
    ----------
    Caruana, R., Niculescu-Mizil, A., Crew, G. and Ksikes, A., "Ensemble selection from libraries of
    models", ICML 2004.

    Examples
    --------
    Errors of opposite sign cancel:

    >>> import numpy as np
    >>> from crabsk.automl._blend import greedy_weights
    >>> y = np.array([0.0, 1.0, 2.0])
    >>> predictions = np.stack([y + 1, y - 1, y + 5])
    >>> greedy_weights(predictions, lambda blend: -np.abs(blend - y).mean())
    array([0.5, 0.5, 0. ])
    """
    counts = np.zeros(len(predictions), dtype=int)
    total = np.zeros(predictions.shape[1:])
    best, best_counts = -np.inf, counts
    for step in range(1, _N_STEPS + 1):
        scores = [score((total + its) / step) for its in predictions]
        if np.isnan(scores).all():
            raise ValueError("scoring= has no value for these samples: every score is NaN")
        chosen = int(np.nanargmax(scores))
        counts[chosen] += 1
        total = total + predictions[chosen]
        if scores[chosen] > best + 1e-12:
            best, best_counts = scores[chosen], counts.copy()
    return best_counts / best_counts.sum()
