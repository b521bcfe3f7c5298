"""How long a fit will take, from short ones."""

import time
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from ..neural_network import BaseCompositionNetwork

# Passes that are timed: the first pays for memory and late imports.
_PASSES = 3
# Samples of the longer of two short fits.
_FEW = 1000
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


def network_in(estimator: Any) -> BaseCompositionNetwork | None:
    """Return the network that an estimator is, or that a pipeline ends in."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return last if isinstance(last, BaseCompositionNetwork) else None


def seconds_of_a_fit(estimator: Any, X: Any, y: np.ndarray, n_samples: int) -> float:
    """Return about how long a fit to so many samples takes; spend little time to find out.

    Parameters
    ----------
    estimator : estimator
        Unfitted.
    X, y : array-likes of n_samples or more
        Some of which are fitted.
    n_samples : int
        How many samples the fit will have.
    """
    network = network_in(estimator)
    if network is not None:
        return _seconds_of_a_network(estimator, network, X, y, n_samples)
    if n_samples <= _FEW:
        return 0.0  # the first fold will tell
    order = np.random.RandomState(0).permutation(len(y))
    sizes = (_FEW // 2, _FEW)
    seconds = [_seconds(clone(estimator), X, y, order[:size]) for size in sizes]
    exponent = np.log(seconds[1] / seconds[0]) / np.log(sizes[1] / sizes[0])
    return float(seconds[1] * (n_samples / sizes[1]) ** np.clip(exponent, *_EXPONENTS))


def _seconds_of_a_network(
    estimator: Any, network: BaseCompositionNetwork, X: Any, y: np.ndarray, n_samples: int
) -> float:
    """Time some passes of one network over some samples."""
    trial = clone(estimator)
    own = network_in(trial)
    assert own is not None
    own.set_params(
        max_epochs=_PASSES,
        n_estimators=1,
        batch_size=network._batch_size(n_samples),
        time_limit=None,
        checkpoint=None,
        progress=False,
        callbacks=None,
    )
    rows = np.random.RandomState(0).permutation(len(y))[:_FEW]
    whole = _seconds(trial, X, y, rows)
    durations = [epoch["dur"] for epoch in own.history_[0]]
    of_pass = min(durations)
    side_by_side = min(network.n_estimators, torch.get_num_threads())
    turns = -(-network.n_estimators // side_by_side)
    passes = network._n_epochs(n_samples)
    return whole - sum(durations) + turns * passes * of_pass * n_samples / len(rows)


def _seconds(estimator: Any, X: Any, y: np.ndarray, rows: np.ndarray) -> float:
    start = time.perf_counter()
    estimator.fit(_safe_indexing(X, rows), y[rows])
    return time.perf_counter() - start
