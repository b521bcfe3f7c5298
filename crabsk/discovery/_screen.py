"""From a model and a stream of candidates to a shortlist."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_consistent_length

from .._text import few, shown
from ..composition import FormulaError, FormulaReader, RowErrors, is_dataframe
from ..neural_network import bar_of, quiet
from ._answers import (
    NEARLY,
    at_context,
    means,
    means_and_stds,
    own_context,
    read_context,
    warn_of_extrapolation,
    with_context,
)
from ._candidates import CHUNK, Candidates
from ._goals import improves, make_scoring, read_constraints, read_goals
from ._shortlist import Shortlist, check_size, spread_out
from ._surroundings import Surroundings


class Answers(NamedTuple):
    """What the models say of candidates.

    Parameters
    ----------
    mean : ndarray of shape (n_samples, n_targets)
    std : ndarray of shape (n_samples, n_targets), or None
    beside : list of ndarray, each of shape (n_samples, n_columns)
        What the model of each constraint says.
    """

    mean: np.ndarray
    std: np.ndarray | None
    beside: list[np.ndarray]


class Screening:
    """What is asked of each candidate; see `screen` for the parameters."""

    def __init__(
        self,
        model: Any,
        *,
        goal: Any,
        acquisition: Any,
        X_known: Any,
        y_known: Any,
        best: float | None,
        constraints: Sequence,
        context: Mapping[str, float] | None,
    ) -> None:
        if not hasattr(model, "predict") or hasattr(model, "predict_proba"):
            raise ValueError(
                f"model={shown(model)} must be a fitted regressor; a classifier is one of the "
                "constraints"
            )
        self.model = model
        self.context = read_context(context)
        self.goals = read_goals(goal)
        if (X_known is None) != (y_known is None):
            raise ValueError("X_known and y_known go together: pass both, or neither")
        known = None
        if y_known is not None:
            check_consistent_length(X_known, y_known)
            if not len(y_known):
                raise ValueError("X_known and y_known are empty: leave them out")
            known = np.asarray(y_known, dtype=np.float64).reshape(len(y_known), -1)
            if known.shape[1] != len(self.goals):
                raise ValueError(
                    f"y_known has {known.shape[1]} target(s), and there are {len(self.goals)} "
                    "goal(s)"
                )
            if not np.isfinite(known).all():
                row = int(np.argwhere(~np.isfinite(known))[0][0])
                raise ValueError(f"y_known holds no number in row {row}: leave such rows out")
            warn_of_extrapolation(self.context, X_known)
            if best is None and improves(self.goals, acquisition):
                known = known[self._comparable(X_known)]
        self.scoring = make_scoring(self.goals, acquisition, known, best)
        self.constraints = read_constraints(constraints)

    def _comparable(self, X_known: Any) -> np.ndarray:
        """Return which rows are known in the context, so that candidates can improve upon them."""
        rows = at_context(X_known, self.context)
        if rows is not None and rows.any():
            nearly = at_context(X_known, self.context, NEARLY)
            if nearly is not None and nearly.sum() > 2 * rows.sum():
                warnings.warn(
                    f"the best known value is that of {rows.sum()} row(s) of X_known with "
                    f"{self._context_text()}, and {nearly.sum()} rows are within {NEARLY:.0%} of "
                    "that: pass best=, or give such rows one number",
                    UserWarning,
                    stacklevel=4,
                )
            return rows
        why = (
            f"is no DataFrame with the columns of context= ({few(self.context)})"
            if rows is None
            else f"has no row with {self._context_text()}"
        )
        way_out = "pass best=" if len(self.goals) == 1 else "pass such rows"
        raise ValueError(
            f"improvement upon what? X_known {why}, so that the best at that context is not known: "
            f"{way_out}, or take another acquisition"
        )

    def _context_text(self) -> str:
        return ", ".join(f"{name}={value:g}" for name, value in self.context.items())

    def ask(self, formulas: list) -> pd.DataFrame:
        """Return a row for each formula: formula, mean, std, score and, if asked, feasible."""
        return self.judge(formulas, self.answers(formulas))

    def answers(self, formulas: list) -> Answers:
        """Return what the models say of formulas."""
        X = with_context(self.model, formulas, self.context)
        # The shortlist names the elements; of the rest nobody needs to know.
        with quiet():
            if self.scoring.needs_std:
                mean, std = means_and_stds(self.model, X)
            else:
                mean, std = means(self.model, X), None
            beside = []
            for constraint in self.constraints:
                context = own_context(constraint.model, self.context)
                its = with_context(constraint.model, formulas, context)
                beside.append(constraint.answers(its))
        return Answers(mean, std, beside)

    def judge(self, formulas: list, answers: Answers) -> pd.DataFrame:
        """Return what `ask` does, after what the models say."""
        mean, std, beside = answers
        if mean.shape[1] != len(self.goals):
            raise ValueError(
                f"the model predicts {mean.shape[1]} target(s), and there are {len(self.goals)} "
                "goal(s): goal= takes a list, one for each target"
            )
        score = self.scoring.score(mean, std)
        if score.shape != (len(formulas),):
            raise ValueError(
                f"acquisition returned shape {score.shape} for {len(formulas)} candidates"
            )
        rows: dict[str, Any] = {"formula": formulas}
        suffixes = [""] if len(self.goals) == 1 else [f"_{k}" for k in range(len(self.goals))]
        for k, suffix in enumerate(suffixes):
            rows[f"mean{suffix}"] = mean[:, k]
            if std is not None:
                rows[f"std{suffix}"] = std[:, k]
        if self.constraints:
            if (score < 0).any():
                raise ValueError(
                    "constraints multiply the score by a probability, which makes no sense of "
                    "scores below 0: take an expected improvement or a probability"
                )
            pairs = zip(self.constraints, beside, strict=True)
            rows["feasible"] = np.prod([one.probability(said) for one, said in pairs], axis=0)
            score = score * rows["feasible"]
        if np.isnan(score).any():
            raise ValueError(
                f"the score of {shown(formulas[int(np.isnan(score).argmax())])} is not a number "
                f"({int(np.isnan(score).sum())} such candidate(s) among {len(formulas)}): nothing "
                "can be ranked by it"
            )
        return pd.DataFrame({**rows, "score": score})


def screen(
    model: Any,
    candidates: Iterable[str],
    *,
    goal: Any = "maximize",
    acquisition: Any = None,
    X_known: Any = None,
    y_known: Any = None,
    exclude_known: bool = True,
    best: float | None = None,
    top: int = 100,
    diversity: float = 0.0,
    constraints: Sequence = (),
    context: Mapping[str, float] | None = None,
    domain: Any = None,
    space: Any = None,
    chunk_size: int = CHUNK,
    progress: bool = False,
) -> pd.DataFrame:
    """Find the candidates that promise most.

    Candidates are read, asked and forgotten a chunk at a time, so that memory does not grow with
    their number.

    Parameters
    ----------
    model : fitted regressor
        What predicts the targets. All acquisitions but "mean" need one whose `predict` takes
        `return_std`: `CalibratedRegressorCV`, `AutoRegressor`, the regressors of crabsk, a pipeline
        that ends in a Gaussian process.
    candidates : iterable of formulas
        A `Candidates`, a list, a Series or a generator.
    goal : {"maximize", "minimize"}, (low, high), or list of these, default="maximize"
        What is wanted of the target: more, less, or a value within a window. A list has one for
        each target of the model.
    acquisition : str, callable or None, default=None
        What a candidate is scored by; higher is better.

        - "expected_improvement": upon the best of `y_known`, or `best`;
        - "probability": of an improvement, or of lying in the window; for several targets the
          product;
        - "upper_confidence_bound": the mean plus (or minus, if less is wanted) two standard
          deviations;
        - "mean": the prediction alone; for a window, how far inside it is from the nearer end
          (below 0 outside);
        - "expected_hypervolume_improvement": for several targets, upon the front of `y_known`;
        - a function of mean and standard deviation, each of shape (n_samples,) or
          (n_samples, n_targets), that returns the scores.

        None takes the expected improvement of one target, the expected hypervolume improvement of
        several, and the probability if there is a window.
    X_known, y_known : array-likes of n_known
        What has been measured: samples in any form of X that has formulas, and their targets.
    exclude_known : bool, default=True
        Whether to leave out the compositions of `X_known`. With `context`, these are only the ones
        of its rows with the numbers of the context: what was measured elsewhere is a candidate.
    best : float, default=None
        What is to be improved upon, in place of the best of `y_known`. With `context`, this is the
        best of the rows of `X_known` that have its numbers; without such rows, `best` is needed.
    top : int, default=100
        Length of the shortlist.
    diversity : float, default=0
        From 0, the best scores, to 1, those that are most unlike one another. The choice is among
        the best ``5 * top``.
    constraints : sequence of pairs, default=()
        Fitted models, and what they must say: ``(classifier, class)`` or ``(regressor, (low,
        high))``. The score is multiplied by the probability of each [1]_.
    context : dict, default=None
        One finite number for each column beside the formulas that the model was fitted to, such as
        ``{"temperature": 300}``, the same for all candidates.
    domain : ApplicabilityDomain, default=None
        A fitted domain, which says what is an extrapolation.
    space : transformer, default=None
        Where distances are measured. None takes statistics of Magpie's element properties and the
        atomic fractions.
    chunk_size : int, default=65536
        Candidates that are asked at a time.
    progress : bool, default=False
        Whether to show a bar.

    Returns
    -------
    DataFrame of at most `top` rows
        The best first, or with `diversity` in the order of choice:

        - "formula"; "mean" and "std" (with several targets "mean_0", "std_0", "mean_1", ...);
          "score"; with constraints "feasible", the probability that all are met;
        - with `X_known`: "nearest", the nearest known formula; "distance", how far that is, in
          median distances of a known compound from the nearest other (NaN if there is no other);
          "n_known", how many known rows hold the rarest of its elements; "unseen_elements", those
          that the model was not trained on (if it does not say: those that no known row has), as
          text;
        - with `domain`: "in_domain".

    Raises
    ------
    ValueError
        If a candidate is no formula, a prediction is not finite, or parameters do not fit the model
        or one another.
    TypeError
        If the model has no standard deviations and the acquisition needs them.

    Warns
    -----
    UserWarning
        If `context` gives a number beyond those of `X_known`: predictions are extrapolations there.
        If few rows of `X_known` have the numbers of `context`, and many have nearly these numbers:
        the best known value is that of the few.

    See Also
    --------
    screen_parquet : The same on many cores or machines, resumable.

    References
    ----------
    .. [1] Gardner, J. R. et al., "Bayesian optimization with inequality constraints", ICML 2014.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.datasets import load_formation_enthalpy
    >>> from crabsk.discovery import enumerate_compositions, screen
    >>> X, y = load_formation_enthalpy(return_X_y=True)
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=2, random_state=0).fit(X[:80], y[:80])
    >>> oxides = enumerate_compositions(["Ca", "Ti", "O"], max_amount=3, charge_neutral=False)
    >>> found = screen(model, oxides, goal="minimize", X_known=X[:80], y_known=y[:80], top=5)
    >>> found.columns.tolist()
    ['formula', 'mean', 'std', 'score', 'nearest', 'distance', 'n_known', 'unseen_elements']
    >>> len(found)
    5
    """
    size = check_size(top, diversity)
    check_scalar(chunk_size, "chunk_size", Integral, min_val=1)
    screening = Screening(
        model,
        goal=goal,
        acquisition=acquisition,
        X_known=X_known,
        y_known=y_known,
        best=best,
        constraints=constraints,
        context=context,
    )
    surroundings = Surroundings(model, X_known, exclude_known, domain, space, context)
    found = Shortlist(size, surroundings.left_out)
    total = len(candidates) if isinstance(candidates, Sized) else None
    with bar_of(total, "candidate", progress) as bar:
        for rows in asked(screening, chunks(candidates, chunk_size)):
            found.add(rows)
            bar.update(len(rows))
    found.check_not_empty(candidates)
    return surroundings.describe(spread_out(found.rows, top, diversity, space))


def asked(screening: Screening, stream: Iterable[list]) -> Iterator[pd.DataFrame]:
    """Yield what is said of each chunk of a stream.

    Raises
    ------
    FormulaError
        If candidates are no formulas. They are counted from the beginning of the stream.
    """
    start = 0
    for formulas in stream:
        try:
            rows = screening.ask(formulas)
        except ValueError as error:
            if isinstance(error, FormulaError):
                _refuse_unreadable(formulas, start)
            if start:
                error.add_note(f"Row 0 of this chunk is candidate {start}, {shown(formulas[0])}.")
            raise
        yield rows
        start += len(formulas)


def _refuse_unreadable(formulas: list, start: int) -> None:
    """Raise for formulas that cannot be read, the first of which is number `start`."""
    read, errors = FormulaReader().read, RowErrors()
    for row, formula in enumerate(formulas, start):
        try:
            read(formula)
        except FormulaError as error:
            errors.add(row, error)
    errors.raise_if_any(start + len(formulas))


def chunks(candidates: Iterable, size: int) -> Iterator[list]:
    """Yield lists of formulas.

    Raises
    ------
    ValueError
        If the candidates are one formula, a table, or something that is no formula.
    """
    if is_dataframe(candidates):
        raise ValueError(
            "candidates is a DataFrame: pass its column of formulas, such as candidates['formula']"
        )
    if isinstance(candidates, str | Mapping) or not isinstance(candidates, Iterable):
        raise ValueError(
            f"candidates={shown(candidates)} must be a sequence of formulas: a list, a column, or "
            "what enumerate_compositions returns"
        )
    if isinstance(candidates, Candidates):
        yield from candidates.chunks(size)
        return
    rest = iter(candidates)
    while formulas := list(islice(rest, size)):
        yield formulas
