"""One candidate on one fold."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from .._validation import predicts_std
from ..neural_network import nested
from ._portfolio import network_in, one_thread, seeded


@dataclass(frozen=True)
class FoldFit:
    """A candidate that was trained without a fold, and what it says of that fold.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    predicted : ndarray of shape (n_test,) or (n_test, n_classes)
        Targets, or probabilities of all classes.
    own_std : ndarray of shape (n_test,) or None
        Standard deviations that the estimator itself gives.
    fit_seconds, predict_seconds : float
        How long it took.
    """

    estimator: Any
    predicted: np.ndarray
    own_std: np.ndarray | None
    fit_seconds: float
    predict_seconds: float
    shortened: bool
    """Whether a network was trained in fewer epochs than it would be without a limit of time."""


def fit_fold(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    fold: tuple[np.ndarray, np.ndarray],
    *,
    classes: np.ndarray | None,
    seed: int,
    time_limit: float | None,
) -> FoldFit:
    """Train a clone without a fold, and ask it about the fold.

    Parameters
    ----------
    estimator : estimator
        What to clone.
    X, y : array-likes of n_samples
        All samples.
    fold : pair of ndarray of int
        Training and test rows.
    classes : ndarray or None
        All classes, if targets are classes.
    seed : int
        For whatever `random_state` of the estimator is None.
    time_limit : float or None
        Seconds that a network may take.
    """
    own = seeded(clone(estimator), seed)
    network = network_in(own)
    if network is not None and time_limit is not None and network.checkpoint is None:
        limit = network.time_limit
        network.set_params(time_limit=time_limit if limit is None else min(limit, time_limit))
    train, test = fold
    start = time.perf_counter()
    # Folds lack elements here and there.
    with one_thread(own), nested():
        own.fit(_safe_indexing(X, train), y[train])
        fitted = time.perf_counter()
        predicted, own_std = ask(own, _safe_indexing(X, test), classes)
    if not np.isfinite(predicted).all():
        raise ValueError("it predicts what is no finite number")
    if own_std is not None and not np.isfinite(own_std).all():
        raise ValueError("it predicts standard deviations that are no finite numbers")
    return FoldFit(
        own,
        predicted,
        own_std,
        fitted - start,
        time.perf_counter() - fitted,
        shortened=network is not None and time_limit is not None and network._is_shortened,
    )


def ask(estimator: Any, X: Any, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return targets with the estimator's own standard deviations, or probabilities and None."""
    n_samples = _num_samples(X)
    if classes is not None:
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"{type(estimator).__name__} has no predict_proba: wrap it in "
                "sklearn.calibration.CalibratedClassifierCV"
            )
        shares = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        if shares.shape != (n_samples, len(estimator.classes_)):
            raise ValueError(
                f"it predicts probabilities of the shape {shares.shape} for {n_samples} samples "
                f"and {len(estimator.classes_)} classes"
            )
        whole = np.zeros((n_samples, len(classes)))
        # A fold may have left out all samples of a class.
        whole[:, np.searchsorted(classes, estimator.classes_)] = shares
        return whole, None
    if predicts_std(estimator):
        mean, std = estimator.predict(X, return_std=True)
        return _one_each(mean, n_samples), _one_each(std, n_samples)
    return _one_each(estimator.predict(X), n_samples), None


def _one_each(values: Any, n_samples: int) -> np.ndarray:
    """Return one number for each sample; a column of them is taken, too."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape not in ((n_samples,), (n_samples, 1)):
        raise ValueError(f"it predicts the shape {values.shape} for {n_samples} samples")
    return values.reshape(-1)
