"""What all candidates are trained on, fold by fold and within what time."""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from ..neural_network import pure_error
from ._checkpoint import Checkpoints
from ._cost import Budget, seconds_of_a_fit
from ._fitting import FoldFit, fit_fold
from ._folds import Folds
from ._portfolio import Candidate, network_in

# Left for the last weights, and for what estimates err.
_RESERVE = 0.03
# A network is trained in fewer passes if time is short, down to about this share of its time.
_SHORTEST = 0.4


@dataclass(frozen=True)
class Outcome:
    """What became of a candidate.

    Parameters
    ----------
    fits : list of FoldFit
        In the order of the folds; empty if it was left out.
    note : str
        Why it was left out, or what was different.
    """

    fits: list[FoldFit]
    note: str


def _too_long(needed: float, left: float) -> str:
    if left <= 0:
        return "left out: no time left"
    return f"left out: about {needed:.0f} s needed, {left:.0f} s left"


class Work:
    """The samples, the folds, and the time that there is.

    Parameters
    ----------
    X, y : array-likes of n_samples
        Samples.
    folds : list of pairs of ndarray of int
        Training and test rows.
    classes : ndarray or None
        All classes, if targets are classes.
    same : ndarray of shape (n_samples,)
        What `equal_samples` returns.
    seed : int
        Of the first fold; the others have the next ones.
    budget : Budget
        Seconds that are left.
    n_jobs : int or None
        Folds at a time.
    checkpoints : Checkpoints
        What was trained before.
    """

    def __init__(
        self,
        X: Any,
        y: np.ndarray,
        folds: Folds,
        *,
        classes: np.ndarray | None,
        same: np.ndarray,
        seed: int,
        budget: Budget,
        n_jobs: int | None,
        checkpoints: Checkpoints,
    ) -> None:
        self.X = X
        self.y = y
        self.folds = folds
        self._classes = classes
        self._same = same
        self._seed = seed
        self._budget = budget
        self._n_jobs = n_jobs
        self._checkpoints = checkpoints
        self._features: dict[str, tuple[Any, np.ndarray]] = {}

    @cached_property
    def _pure_error(self) -> float:
        """Return the pure error of what is trained on without the first fold."""
        train, _ = self.folds[0]
        known = self.y[train, None]
        labels = known if self._classes is None else known == self._classes
        return pure_error(self._same[train], labels, np.ones((len(train), 1), dtype=bool))

    def transformer(self, candidate: Candidate) -> Any:
        """Return the fitted transformer of a candidate that was tried."""
        return self._features[candidate.features_key][0]

    def out_of_fold(self, fits: list[FoldFit], what: str = "predicted") -> np.ndarray:
        """Return what models said of the samples that they had not seen, a row for each."""
        first = getattr(fits[0], what)
        whole = np.empty((len(self.y), *first.shape[1:]))
        for fit, (_, test) in zip(fits, self.folds, strict=True):
            whole[test] = getattr(fit, what)
        return whole

    def guess(self) -> np.ndarray:
        """Return the mean of the targets, or the shares of the classes, for each sample."""
        told = self.y if self._classes is None else self.y[:, None] == self._classes
        return np.broadcast_to(told.mean(axis=0), told.shape)

    def clock(self) -> str:
        """Return the seconds that are spent, for a progress bar."""
        limit = self._budget.seconds
        return "" if limit is None else f", {self._budget.spent():.0f} of {limit:g} s"

    def attempt(self, candidate: Candidate, bar: Any) -> Outcome:
        """Train a candidate without each fold in turn, if there is time.

        Parameters
        ----------
        candidate : Candidate
            What to train.
        bar : tqdm
            Counts the folds.
        """
        fits = self._checkpoints.read(
            candidate, len(self.folds), whole=self._budget.seconds is None
        )
        bar.update(len(fits))
        if len(fits) < len(self.folds) and self._left() <= 0:
            bar.update(len(self.folds) - len(fits))
            return Outcome([], _too_long(0, 0))
        X = self._data(candidate)
        is_network = network_in(candidate.estimator) is not None
        limited = self._budget.seconds is not None
        of_turn = 0.0
        if limited and len(fits) < len(self.folds):
            n_train = max(len(train) for train, _ in self.folds)
            of_turn = seconds_of_a_fit(
                candidate.estimator,
                X,
                self.y,
                n_train,
                self._seed,
                self._classes,
                self._pure_error,
            )
        while len(fits) < len(self.folds):
            todo = self._next_turn(len(fits))
            turns = -(-(len(self.folds) - len(fits)) // len(todo))
            left = self._left()
            needed = turns * of_turn
            if needed * (_SHORTEST if is_network else 1.0) > left:
                bar.update(len(self.folds) - len(fits))
                return Outcome([], _too_long(needed, left))
            start = self._budget.spent()
            new = self._fit(candidate, X, todo, left / turns if limited else None)
            of_turn = self._budget.spent() - start
            fits += new
            bar.update(len(new))
        shortened = any(fit.shortened for fit in fits)
        return Outcome(fits, "trained in fewer epochs, for want of time" if shortened else "")

    def _left(self) -> float:
        """Return the seconds that are left to train in."""
        return self._budget.left() - _RESERVE * (self._budget.seconds or 0.0)

    def _next_turn(self, n_done: int) -> range:
        """Return the folds that are trained next, side by side."""
        return range(n_done, min(n_done + effective_n_jobs(self._n_jobs), len(self.folds)))

    def _fit(
        self, candidate: Candidate, X: Any, todo: range, time_limit: float | None
    ) -> list[FoldFit]:
        # BLAS has one number of threads for the whole process: it is set here, not side by side.
        is_network = network_in(candidate.estimator) is not None
        with nullcontext() if is_network else threadpool_limits(1, user_api="blas"):
            new = Parallel(n_jobs=self._n_jobs, prefer="threads")(
                delayed(fit_fold)(
                    candidate.estimator,
                    X,
                    self.y,
                    self.folds[k],
                    classes=self._classes,
                    seed=(self._seed + k) % 2**31,
                    time_limit=time_limit,
                )
                for k in todo
            )
        for k, fit in zip(todo, new, strict=True):
            self._checkpoints.write(candidate, k, fit)
        return list(new)

    def _data(self, candidate: Candidate) -> Any:
        """Return what a candidate's estimator is fitted on: X, or its features."""
        if candidate.features is None:
            return self.X
        key = candidate.features_key
        if key not in self._features:
            transformer = clone(candidate.features)
            self._features[key] = transformer, transformer.fit_transform(self.X, self.y)
        return self._features[key][1]
