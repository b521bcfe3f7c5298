"""Where a model can be trusted, learnt from its errors on compositions that it had not seen."""

import warnings
from contextlib import AbstractContextManager
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Tags, _safe_indexing, column_or_1d, indexable
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from threadpoolctl import threadpool_limits

from .._validation import HasMethods, Interval, _fit_context, predicts_std, validate_compositions
from ..composition import ELEMENTS, N_ELEMENTS, read_compositions
from ..neural_network import nested, warn_of_conflicts
from ._space import Neighbours

# Shares of the samples among which the threshold is looked for.
_FEWEST_INSIDE, _MOST_INSIDE = 0.5, 0.95
# The ratios of many thresholds scatter, and one that is chosen among them is too high.
_TO_SPARE = 1.1
_FEWEST = 50


class ApplicabilityDomain(OutlierMixin, BaseEstimator):
    """Tells which compositions a model can be trusted on.

    A model errs more on what is unlike its training samples. How much more, and from where on, is
    learnt from predictions for compositions left out [1]_. It is an outlier detector as
    scikit-learn's are: `predict` returns 1 inside of the domain and -1 outside.

    Parameters
    ----------
    estimator : regressor
        The model, which need not be fitted: clones of it are, one for each fold.

    space : transformer, default=None
        Where distances are measured. None takes statistics of Magpie's element properties and the
        atomic fractions.

    ratio : float, default=2
        The threshold is set so that the root mean square error outside is at least `ratio` times
        that inside.

    cv : int, default=5
        Number of folds; equal compositions are in one fold.

    Attributes
    ----------
    threshold_ : float
        Expected error, in units of the target, from which on a composition is outside.

    ratio_ : float
        Root mean square error of the samples left out that are outside, over that of those inside.

    inside_ : float
        Share of the samples left out that are inside.

    seen_elements_ : list of str
        Elements of the training compositions. A composition with another is outside.

    n_features_in_ : int
        Number of columns of X seen by `fit`; 1 for a sequence of formulas.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X was a DataFrame whose column names are all strings.

    formula_position_ : int or None
        Position of the column of formulas; None for a matrix of element amounts.

    See Also
    --------
    screen : Takes a fitted domain, and says of each candidate whether it is inside.

    Notes
    -----
    Four numbers describe how far a composition is from the training samples: its distance from the
    nearest and the mean distance from the nearest five in the space, the distance of atomic
    fractions from the nearest, and the standard deviation that the model predicts, if it does. A
    gradient boosting that may only rise in each of them learns the squared error. Cut by what it
    expects when it has not seen them, the samples left out have the `ratio`, with a tenth to spare,
    from some share inside down; the largest such share is taken. If none between 50 % and 95 %
    reaches that, it is the one with the largest ratio. The threshold leaves this share inside.

    References
    ----------
    .. [1] Schultz, L. E. et al., "A general approach for determining applicability domain of
       machine learning models", npj Computational Materials 11, 95 (2025).

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from crabsk import CompositionTransformer
    >>> from crabsk.datasets import load_formation_enthalpy
    >>> from crabsk.discovery import ApplicabilityDomain
    >>> X, y = load_formation_enthalpy(return_X_y=True)
    >>> ridge = make_pipeline(CompositionTransformer(stats="fraction"), Ridge(alpha=0.001))
    >>> domain = ApplicabilityDomain(ridge).fit(X[:300], y[:300])
    >>> domain.predict(["CaTiO3", "PuO2"])  # no plutonium in the training samples
    array([ 1, -1])
    >>> domain.ratio_ > 2, round(domain.inside_, 2)
    (True, 0.95)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "space": [HasMethods(["fit", "transform"]), None],
        "ratio": [Interval(Real, 1, None, closed="neither")],
        "cv": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self, estimator: Any, *, space: Any = None, ratio: float = 2.0, cv: int = 5
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.ratio = ratio
        self.cv = cv

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> Self:
        """Learn from the errors on samples left out.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in any form that the estimator and the space take.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X cannot be read, if there are fewer than 50 samples, or fewer compositions than
            folds.

        Warns
        -----
        UserWarning
            If no threshold reaches the ratio: nothing tells where this model errs more.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        table = validate_compositions(self, X, reset=True)
        compositions = table.compositions
        y = column_or_1d(y, dtype=np.float64)
        (X,) = indexable(X)
        check_consistent_length(X, y)
        if not np.isfinite(y).all():
            raise ValueError(
                f"y holds no number in row {int(np.isfinite(y).argmin())}: leave such rows out"
            )
        if len(y) < _FEWEST:
            raise ValueError(
                f"{len(y)} samples are too few to learn where a model errs: {_FEWEST} are needed"
            )
        warn_of_conflicts(table, y)
        groups = compositions.unique()[1]
        folds = list(GroupKFold(self.cv, shuffle=True, random_state=0).split(y, groups=groups))
        measured = np.zeros((len(y), 4 if predicts_std(self.estimator) else 3))
        squares = np.zeros(len(y))
        with nested():
            for train, test in folds:
                model = clone(self.estimator).fit(_safe_indexing(X, train), y[train])
                own = _Measures(self.space, _safe_indexing(X, train), model)
                measured[test], mean = own(_safe_indexing(X, test))
                squares[test] = (mean - y[test]) ** 2
            self.estimator_ = clone(self.estimator).fit(X, y)
        error_model = HistGradientBoostingRegressor(
            max_iter=60,
            learning_rate=0.08,
            max_leaf_nodes=6,
            monotonic_cst=[1] * measured.shape[1],
            random_state=0,
        )
        with _one_thread():
            expected = cross_val_predict(error_model, measured, squares, cv=folds)
            self._expected = error_model.fit(measured, squares)
            levels = self._expected.predict(measured)
        self.ratio_, self.inside_ = _best_cut(expected, squares, self.ratio)
        # Errors that a model was trained on are expected to be smaller or larger than those left
        # out, so that it is the share inside that is carried over.
        self.threshold_ = _level(np.sqrt(np.maximum(levels, 0.0)), self.inside_)
        if self.ratio_ < self.ratio:
            warnings.warn(
                f"outside of the domain errors are {self.ratio_:.2f} times those inside, and "
                f"ratio={self.ratio:g} was asked for: neither distance nor standard deviation "
                "tells where this model errs more",
                UserWarning,
                stacklevel=2,
            )
        self._measures = _Measures(self.space, X, self.estimator_)
        self._seen = np.zeros(N_ELEMENTS + 1, dtype=bool)
        self._seen[compositions.atomic_numbers] = True
        self.seen_elements_ = [ELEMENTS[z - 1] for z in np.flatnonzero(self._seen)]
        self.offset_ = -self.threshold_
        return self

    def fit_predict(self, X: Any, y: Any) -> np.ndarray:
        """Learn from samples, and tell which of them are inside of the domain.

        Parameters
        ----------
        X, y : as in `fit`
            Samples and their targets.

        Returns
        -------
        ndarray of shape (n_samples,)
            1 inside, -1 outside.

        Raises
        ------
        ValueError
            As `fit`.
        """
        return self.fit(X, y).predict(X)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the expected error, in units of the target.

        Parameters
        ----------
        X : as in `fit`
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Minus infinity for a composition with an element that no training sample has.
        """
        check_is_fitted(self)
        compositions = validate_compositions(self, X, reset=False).compositions
        with nested():
            measured, _ = self._measures(X)
        with _one_thread():
            scores = -np.sqrt(np.maximum(self._expected.predict(measured), 0.0))
        new = ~self._seen[compositions.atomic_numbers]
        scores[compositions.row_of_token[new]] = -np.inf
        return scores

    def decision_function(self, X: Any) -> np.ndarray:
        """Return by how much the expected error is below the threshold.

        Parameters
        ----------
        X : as in `fit`
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Above 0 inside of the domain.
        """
        return self.score_samples(X) + self.threshold_

    def predict(self, X: Any) -> np.ndarray:
        """Tell which samples are inside of the domain.

        Parameters
        ----------
        X : as in `fit`
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            1 inside, -1 outside.
        """
        return np.where(self.decision_function(X) > 0, 1, -1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.positive_only = True
        tags.target_tags.required = True
        return tags


class _Measures:
    """How far compositions are from training samples; see the notes of `ApplicabilityDomain`."""

    def __init__(self, space: Any, X: Any, model: Any) -> None:
        self.model = model
        self.neighbours = Neighbours(space, X)
        self.fractions = Neighbours(FunctionTransformer(_fractions), X, scaled=False)
        self.with_std = predicts_std(model)

    def __call__(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the measures, shape (n_samples, 3 or 4), and the model's predictions."""
        columns = [*self.neighbours.distances(X, 5), self.fractions.nearest(X)[0]]
        if self.with_std:
            mean, std = self.model.predict(X, return_std=True)
            columns.append(std)
        else:
            mean = self.model.predict(X)
        return np.column_stack(columns), np.asarray(mean)


def _one_thread() -> AbstractContextManager:
    """Return a context in which boosting has one thread.

    Many would share each small tree, and wait for one another without rest.
    """
    return threadpool_limits(1, user_api="openmp")


def _fractions(X: Any) -> np.ndarray:
    """Return atomic fractions, without the numbers beside the compositions."""
    compositions = read_compositions(X)
    fractions = np.zeros((len(compositions), N_ELEMENTS))
    fractions[compositions.row_of_token, compositions.atomic_numbers - 1] = compositions.fractions
    return fractions


def _best_cut(expected: np.ndarray, squares: np.ndarray, ratio: float) -> tuple[float, float]:
    """Return the ratio of the errors beyond and within a cut of the expected ones, and its place.

    The place is the share within, which is 1 where all expect the same error.
    """
    order = np.argsort(expected, kind="stable")
    total = np.cumsum(squares[order])
    n = len(squares)
    inside = np.arange(int(_FEWEST_INSIDE * n), int(_MOST_INSIDE * n))
    # Not between equal ones.
    inside = inside[expected[order[inside]] > expected[order[inside - 1]]]
    if not len(inside) or not total[-1]:
        return 1.0, 1.0
    within = np.maximum(total[inside - 1] / inside, np.finfo(float).tiny)
    beyond = (total[-1] - total[inside - 1]) / (n - inside)
    ratios = np.sqrt(beyond / within)
    enough = np.flatnonzero(ratios >= _TO_SPARE * ratio)
    k = int(enough[-1]) if len(enough) else int(ratios.argmax())
    return float(ratios[k]), float(inside[k] / n)


def _level(expected: np.ndarray, inside: float) -> float:
    """Return a level that about this share of expected errors is below, and none of them is at."""
    levels = np.unique(expected)
    if inside == 1 or len(levels) == 1:
        return float(np.finfo(np.float64).max)
    below = np.searchsorted(np.sort(expected), levels[1:]) / len(expected)
    k = int(np.abs(below - inside).argmin())
    return float((levels[k] + levels[k + 1]) / 2)
