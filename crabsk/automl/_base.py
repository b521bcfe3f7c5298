"""What finding the best model has in common for numbers and for classes."""

import warnings
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer_names
from sklearn.utils import Tags, _safe_indexing, check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._validation import (
    CompositionTable,
    Interval,
    StrOptions,
    group_numbers,
    validate_compositions,
)
from ..neural_network import (
    bar_of,
    equal_samples,
    nested,
    warn_of_conflicts,
    warn_of_unseen_elements,
)
from ..pretrained import resolve
from ._blend import greedy_weights, scorer_of
from ._checkpoint import Checkpoints
from ._cost import Budget
from ._fitting import ask
from ._folds import cut, rows_of
from ._leaderboard import leaderboard
from ._plot import LeaderboardDisplay
from ._portfolio import Candidate, choose
from ._search import Outcome, Work

# Rows that are predicted at a time.
_CHUNK = 65_536


class CandidateWarning(UserWarning):
    """A candidate failed, or the search was interrupted, and the ensemble does without.

    Examples
    --------
    >>> import warnings
    >>> from crabsk.automl import CandidateWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", CandidateWarning)  # rather stop
    """


class BaseAuto(BaseEstimator):
    """Base of AutoRegressor and AutoClassifier."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "candidates": [list, tuple, Mapping, None],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "scoring": [StrOptions(set(get_scorer_names())), callable],
        "cv": ["cv_object"],
        "weights": [str, PathLike, None],
        "n_jobs": [Integral, None],
        "checkpoint": [str, PathLike, None],
        "progress": ["boolean"],
        "random_state": ["random_state"],
    }
    _of_classes: ClassVar[bool]

    def __init__(
        self,
        candidates: Any,
        *,
        time_limit: float | None,
        scoring: Any,
        cv: Any,
        weights: Any,
        n_jobs: int | None,
        checkpoint: Any,
        progress: bool,
        random_state: Any,
    ) -> None:
        self.candidates = candidates
        self.time_limit = time_limit
        self.scoring = scoring
        self.cv = cv
        self.weights = weights
        self.n_jobs = n_jobs
        self.checkpoint = checkpoint
        self.progress = progress
        self.random_state = random_state

    # ------------------------------------------------------------------------------------- fitting

    def _search(self, X: Any, y: np.ndarray, groups: Any, classes: np.ndarray | None) -> None:
        """Train what there is time for, and blend it."""
        budget = Budget(self.time_limit)
        table = validate_compositions(self, X, reset=True)
        check_consistent_length(X, y, groups)
        if self.weights is not None:
            resolve(self.weights)  # raises if there are none, before anything is trained
        self._seen_elements = np.unique(table.compositions.atomic_numbers).tolist()
        warn_of_conflicts(table, y if classes is None else np.searchsorted(classes, y))
        numbers = group_numbers(table, groups)
        checkpoints = Checkpoints.opened(self, table, y, numbers)
        seed = checkpoints.seed(check_random_state(self.random_state).randint(2**31 - 1))
        X = rows_of(X)
        folds = cut(
            self.cv,
            X,
            y,
            numbers,
            seed,
            of_classes=self._of_classes,
            has_groups=groups is not None,
        )
        work = Work(
            X,
            y,
            folds,
            classes=classes,
            same=equal_samples(table),
            seed=seed,
            budget=budget,
            n_jobs=self.n_jobs,
            checkpoints=checkpoints.of(folds),
        )
        chosen = choose(
            self.candidates,
            of_classes=self._of_classes,
            n_samples=len(y),
            weights=self.weights,
            n_threads=torch.get_num_threads() if effective_n_jobs(self.n_jobs) == 1 else 1,
        )
        outcomes = self._try_all(chosen, work)
        trained = [candidate for candidate in chosen if outcomes[candidate.name].fits]
        if not trained:
            raise ValueError(
                "no candidate could be trained: "
                + "; ".join(f"{name}: {outcome.note}" for name, outcome in outcomes.items())
            )
        names = [candidate.name for candidate in trained]
        if len(chosen) > len(trained) and not _better_than_a_guess(chosen, names):
            warnings.warn(
                f"nothing but {names[0]!r} was trained: the model is a guess. Take a longer "
                "time_limit, or see the notes of leaderboard_",
                CandidateWarning,
                stacklevel=4,
            )
        self._blend_candidates(trained, outcomes, work, numbers)

    def _try_all(self, chosen: list[Candidate], work: Work) -> dict[str, Outcome]:
        unfinished = Outcome([], "not finished when the search was interrupted")
        outcomes = {candidate.name: unfinished for candidate in chosen}
        best, leader = -np.inf, ""
        with bar_of(len(chosen) * len(work.folds), "fold", self.progress) as bar:
            try:
                for candidate in chosen:
                    bar.set_description(candidate.name)
                    outcome, score = self._attempt(candidate, work, bar)
                    outcomes[candidate.name] = outcome
                    if score > best:
                        best, leader = score, candidate.name
                    if outcome.fits:
                        bar.set_postfix_str(f"best: {leader} {best:.4g}{work.clock()}")
            except KeyboardInterrupt:
                finished = [name for name, outcome in outcomes.items() if outcome.fits]
                if not _better_than_a_guess(chosen, finished):
                    raise
                warnings.warn(
                    f"interrupted: the ensemble is made of {', '.join(finished)}",
                    CandidateWarning,
                    stacklevel=5,
                )
        return outcomes

    def _attempt(self, candidate: Candidate, work: Work, bar: Any) -> tuple[Outcome, float]:
        """Try a candidate, and score it; one that fails is left out, and named."""
        try:
            outcome = work.attempt(candidate, bar)
            if not outcome.fits:
                return outcome, -np.inf
            return outcome, self._fold_scores(work.out_of_fold(outcome.fits), work).mean()
        except Exception as error:
            # A scorer that refuses a mere guess, too, would refuse every candidate after its time.
            self._fold_scores(work.guess(), work)
            note = f"left out: {type(error).__name__}: {error}"
            if "could not convert string to float" in str(error):
                note += ". It reads numbers only: make_pipeline(CompositionTransformer(), ...)"
            warnings.warn(
                f"the candidate {candidate.name!r} is {note}", CandidateWarning, stacklevel=6
            )
            return Outcome([], note), -np.inf

    def _blend_candidates(
        self,
        trained: list[Candidate],
        outcomes: dict[str, Outcome],
        work: Work,
        numbers: np.ndarray,
    ) -> None:
        fits = [outcomes[candidate.name].fits for candidate in trained]
        predictions = np.stack([work.out_of_fold(its) for its in fits])
        weights = self._weigh(predictions, work.X, work.y)
        # Each fold is scored with weights that were learnt from the others.
        ensemble = np.empty_like(predictions[0])
        for _, test in work.folds:
            rest = np.setdiff1d(np.arange(len(work.y)), test)
            X_rest = _safe_indexing(work.X, rest)
            without = self._weigh(predictions[:, rest], X_rest, work.y[rest])
            ensemble[test] = np.tensordot(without, predictions[:, test], axes=1)
        names = [candidate.name for candidate in trained]
        board = leaderboard(
            {
                name: self._fold_scores(its, work)
                for name, its in zip(names, predictions, strict=True)
            },
            self._fold_scores(ensemble, work),
            dict(zip(names, weights, strict=True)),
            outcomes,
        )
        self._board = board.reset_index().to_dict("list")
        self.weights_, self.estimators_ = {}, {}
        self._features, self._features_of = {}, {}
        for candidate, weight, its in zip(trained, weights, fits, strict=True):
            if not weight > 0:
                continue
            self.weights_[candidate.name] = float(weight)
            self.estimators_[candidate.name] = [fit.estimator for fit in its]
            if candidate.features is not None:
                key = candidate.features_key
                self._features_of[candidate.name] = key
                self._features[key] = work.transformer(candidate)
        self._y = work.y
        self.out_of_fold_ = ensemble
        self._learn_errors(weights, predictions, fits, work, numbers)

    def _learn_errors(
        self,
        weights: np.ndarray,
        predictions: np.ndarray,
        fits: list[list],
        work: Work,
        numbers: np.ndarray,
    ) -> None:
        """Learn how far off the ensemble is. Classes have probabilities for that."""

    def _weigh(self, predictions: np.ndarray, X: Any, y: np.ndarray) -> np.ndarray:
        if len(predictions) == 1:
            return np.ones(1)
        return greedy_weights(predictions, lambda blend: self._score(blend, X, y))

    def _fold_scores(self, predicted: np.ndarray, work: Work) -> np.ndarray:
        return np.array(
            [
                self._score(predicted[test], _safe_indexing(work.X, test), work.y[test])
                for _, test in work.folds
            ]
        )

    def _score(self, predicted: np.ndarray, X: Any, y: np.ndarray) -> float:
        """Score predictions as scikit-learn's scorers do: greater is better."""
        classes = getattr(self, "classes_", None)
        scorer = scorer_of(self.scoring, classes)
        return float(scorer(_Answers(predicted, classes), X, y))

    # ---------------------------------------------------------------------------------- predicting

    def _chunks(self, X: Any) -> Iterator[tuple[Any, CompositionTable]]:
        """Yield some rows of X at a time, so that features of all need not be held at once."""
        check_is_fitted(self)
        table = validate_compositions(self, X, reset=False)
        warn_of_unseen_elements(self._seen_elements, table.compositions)
        X = rows_of(X)
        n_samples = len(table.compositions)
        for start in range(0, n_samples, _CHUNK):
            rows = slice(start, min(start + _CHUNK, n_samples))
            some = CompositionTable(table.compositions.take(rows), table.extra[rows])
            yield _safe_indexing(X, rows), some

    def _fold_answers(self, X: Any) -> Iterator[tuple[float, int, np.ndarray, np.ndarray | None]]:
        """Yield for each model and fold: weight, fold, predictions and own standard deviations."""
        made = {key: step.transform(X) for key, step in self._features.items()}
        classes = getattr(self, "classes_", None)
        for name, weight in self.weights_.items():
            key = self._features_of.get(name)
            seen = X if key is None else made[key]
            for k, estimator in enumerate(self.estimators_[name]):
                with nested():
                    answer = ask(estimator, seen, classes)
                yield weight, k, *answer

    def _n_folds(self) -> int:
        return len(next(iter(self.estimators_.values())))

    def _blend(self, X: Any) -> np.ndarray:
        """Return the weighted mean over models of the mean over folds."""
        parts = []
        for some, _ in self._chunks(X):
            total: Any = 0.0
            for weight, _, predicted, _ in self._fold_answers(some):
                total = total + weight / self._n_folds() * predicted
            parts.append(total)
        return np.concatenate(parts)

    # -------------------------------------------------------------------------------------- report

    @property
    def leaderboard_(self) -> pd.DataFrame:
        """A row for the ensemble and one for each candidate, the best first."""
        # What is kept is plain data, which skops can save.
        return pd.DataFrame(self._board).set_index("candidate")

    def plot(self) -> LeaderboardDisplay:
        """Draw the leaderboard, and what the ensemble said of samples that were left out.

        Returns
        -------
        LeaderboardDisplay
            With `figure_` and `axes_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        check_is_fitted(self)
        return LeaderboardDisplay.from_estimator(self)

    def _html_repr(self) -> str:
        html = super()._html_repr()
        if hasattr(self, "leaderboard_"):
            html += self.leaderboard_.round(4).to_html(border=0, na_rep="")
        return html

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.positive_only = True
        return tags


def _better_than_a_guess(chosen: list[Candidate], names: list[str]) -> bool:
    """Whether one of these candidates looks at X."""
    guesses = DummyClassifier | DummyRegressor
    return any(
        not isinstance(candidate.estimator, guesses)
        for candidate in chosen
        if candidate.name in names
    )


class _Answers(BaseEstimator):
    """Predictions that are there, as an estimator that scorers can ask."""

    def __init__(self, predicted: np.ndarray, classes: np.ndarray | None) -> None:
        self.predicted = predicted
        self.classes = classes
        if classes is not None:
            self.classes_ = classes

    def predict(self, X: Any) -> np.ndarray:
        if self.classes is None:
            return self.predicted
        return self.classes[self.predicted.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        # Scorers ask for sums of 1, which rounding may miss.
        return self.predicted / self.predicted.sum(axis=1, keepdims=True)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor" if self.classes is None else "classifier"
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return True
