"""How long a fit will take, from short ones."""

import time
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from ..neural_network import BaseCompositionNetwork, nested
from ._portfolio import network_in, one_thread, seeded

# Passes that are timed: the first pays for memory and late imports.
_PASSES = 3
# Samples of the longer of two short fits, and of so few that none is worth while.
_FEW, _FEWEST = 1000, 100
# Fits take time that grows at least in proportion to the number of samples, and at most with its
# cube, as a Gaussian process does.
_EXPONENTS = (1.0, 3.0)


class Budget:
    """Seconds that there are, and that are left.

    Parameters
    ----------
    seconds : float or None
        All there are; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._start = time.perf_counter()

    def spent(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self._start

    def left(self) -> float:
        """Return the seconds that are left; infinite without a limit."""
        return float("inf") if self.seconds is None else self.seconds - self.spent()


def seconds_of_a_fit(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    n_samples: int,
    seed: int,
    classes: np.ndarray | None,
    pure_error: float,
) -> float:
    """Return about how long a fit to so many samples takes; spend little time to find out.

    Parameters
    ----------
    estimator : estimator
        Unfitted.
    X, y : array-likes of n_samples or more
        Some of which are fitted.
    n_samples : int
        How many samples the fit will have.
    seed : int
        For whatever `random_state` of the estimator is None.
    classes : ndarray or None
        All classes, if targets are classes.
    pure_error : float
        Share of the variance of y within groups of equal samples, on which the passes of networks
        depend.
    """
    trial = seeded(clone(estimator), seed)
    network = network_in(trial)
    if network is not None:
        return _seconds_of_a_network(trial, network, X, y, n_samples, classes, pure_error)
    if n_samples < _FEWEST:
        return 0.0  # the first fold will tell
    sizes = [min(_FEW, n_samples // 2) // part for part in (2, 1)]
    seconds = [_seconds(clone(trial), X, y, _some_rows(y, size, classes)) for size in sizes]
    exponent = np.log(seconds[1] / seconds[0]) / np.log(sizes[1] / sizes[0])
    return float(seconds[1] * (n_samples / sizes[1]) ** np.clip(exponent, *_EXPONENTS))


def _seconds_of_a_network(
    trial: Any,
    network: BaseCompositionNetwork,
    X: Any,
    y: np.ndarray,
    n_samples: int,
    classes: np.ndarray | None,
    pure_error: float,
) -> float:
    """Time some passes of one network, of a trial's last step, over some samples."""
    n_members, passes = network.n_estimators, network._n_epochs(n_samples, pure_error)
    network.set_params(
        max_epochs=_PASSES,
        n_estimators=1,
        batch_size=network._batch_size(n_samples),
        time_limit=None,
        checkpoint=None,
        progress=False,
        callbacks=None,
    )
    rows = _some_rows(y, _FEW, classes)
    whole = _seconds(trial, X, y, rows)
    durations = [epoch["dur"] for epoch in network.history_[0]]
    of_pass = min(durations)
    turns = -(-n_members // min(n_members, torch.get_num_threads()))
    return whole - sum(durations) + turns * passes * of_pass * n_samples / len(rows)


def _some_rows(y: np.ndarray, size: int, classes: np.ndarray | None) -> np.ndarray:
    """Return some rows at random, but two of each class, if targets are classes."""
    order = np.random.RandomState(0).permutation(len(y))
    if classes is None:
        return order[:size]
    of_classes = [order[y[order] == name][:2] for name in classes]
    return np.unique(np.concatenate([*of_classes, order[:size]]))


def _seconds(estimator: Any, X: Any, y: np.ndarray, rows: np.ndarray) -> float:
    start = time.perf_counter()
    with one_thread(estimator), nested():
        estimator.fit(_safe_indexing(X, rows), y[rows])
    return time.perf_counter() - start
