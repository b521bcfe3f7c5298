"""Weights of models from what they said of samples that they had not seen."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import log_loss, make_scorer

# Models are added at most so many times; the weight of each is its share. More steps fit the
# samples left out more closely, and new ones less well.
_N_STEPS = 10


def log_loss_of(classes: np.ndarray) -> Any:
    """Return the scorer "neg_log_loss" for samples that need not be of all classes."""
    return make_scorer(
        log_loss, greater_is_better=False, response_method="predict_proba", labels=classes
    )


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
