"""What all candidates are trained on, fold by fold and within what time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from ._checkpoint import Checkpoints
from ._cost import Budget, network_in, seconds_of_a_fit
from ._fitting import FoldFit, fit_fold
from ._folds import Folds
from ._portfolio import Candidate

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
        seed: int,
        budget: Budget,
        n_jobs: int | None,
        checkpoints: Checkpoints,
    ) -> None:
        self.X = X
        self.y = y
        self.folds = folds
        self._classes = classes
        self._seed = seed
        self._budget = budget
        self._n_jobs = n_jobs
        self._checkpoints = checkpoints
        self._features: dict[str, tuple[Any, np.ndarray]] = {}

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

    def attempt(self, candidate: Candidate, bar: Any) -> Outcome:
        """Train a candidate without each fold in turn, if there is time.

        Parameters
        ----------
        candidate : Candidate
            What to train.
        bar : tqdm
            Counts the folds.
        """
        fits = self._checkpoints.read(candidate, len(self.folds))
        bar.update(len(fits))
        X = self._data(candidate)
        is_network = network_in(candidate.estimator) is not None
        limited = self._budget.seconds is not None
        of_turn = 0.0
        if limited and len(fits) < len(self.folds):
            n_train = max(len(train) for train, _ in self.folds)
            of_turn = seconds_of_a_fit(candidate.estimator, X, self.y, n_train)
        note = ""
        while len(fits) < len(self.folds):
            todo = self._next_turn(len(fits))
            turns = -(-(len(self.folds) - len(fits)) // len(todo))
            left = self._budget.left() - _RESERVE * (self._budget.seconds or 0.0)
            needed = turns * of_turn
            if needed * (_SHORTEST if is_network else 1.0) > left:
                bar.update(len(self.folds) - len(fits))
                return Outcome([], f"left out: needs about {needed:.0f} s of {max(left, 0):.0f} s")
            if is_network and needed > left:
                note = "fewer passes, for want of time"
            start = self._budget.spent()
            new = self._fit(candidate, X, todo, left / turns if limited else None)
            of_turn = self._budget.spent() - start
            fits += new
            bar.update(len(new))
        return Outcome(fits, note)

    def _next_turn(self, n_done: int) -> range:
        """Return the folds that are trained next, side by side."""
        return range(n_done, min(n_done + effective_n_jobs(self._n_jobs), len(self.folds)))

    def _fit(
        self, candidate: Candidate, X: Any, todo: range, time_limit: float | None
    ) -> list[FoldFit]:
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
