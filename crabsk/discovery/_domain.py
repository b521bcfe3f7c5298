"""Where a model can be trusted, learnt from its errors on compositions that it had not seen."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Tags, _safe_indexing, column_or_1d, indexable
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._validation import HasMethods, Interval, _fit_context, predicts_std, validate_compositions
from ..composition import ELEMENTS, N_ELEMENTS, read_compositions
from ..neural_network import nested, warn_of_conflicts
from ._space import Neighbours

# Shares of the samples among which the threshold is looked for.
_FEWEST_INSIDE, _MOST_INSIDE = 0.5, 0.95
# The ratios of many thresholds scatter, and one that is chosen among them is too high.
_TO_SPARE = 1.1
_FEWEST = 50
# Trees that measure the scatter of targets, and that learn the errors.
_N_OF_SCATTER, _N_OF_ERRORS = 60, 150


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
        Expected absolute error, in units of the target, from which on a composition is outside.

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
    What is measured of a composition: its distance from the nearest training sample and the mean
    distance from the nearest five in the space; the distance of atomic fractions from the nearest;
    the scatter that a random forest on the points of the space finds there, between its trees and
    among the training targets in its leaves; the prediction; and the standard deviation of the
    model, if it predicts one. Extremely randomised trees, which may only rise in all of these but
    the prediction, learn the absolute error from the samples left out.

    Sorted by what these trees expect when they have not seen them, the samples left out are cut
    in two, such that two normal distributions of errors fit the parts best (by maximum likelihood).
    Between 50 % and 95 % of the samples are inside. Among the cuts that have the `ratio`, with a
    tenth to spare, the best is taken. If none has it, the best of those with the larger errors
    outside is.

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
    (True, 0.94)
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
        measured = np.zeros((len(y), 7 if predicts_std(self.estimator) else 6))
        errors = np.zeros(len(y))
        with nested():
            for train, test in folds:
                known = _safe_indexing(X, train)
                model = clone(self.estimator).fit(known, y[train])
                own = _Measures(self.space, known, y[train], model)
                measured[test], mean = own(_safe_indexing(X, test))
                errors[test] = np.abs(mean - y[test])
            self.estimator_ = clone(self.estimator).fit(X, y)
        largest = float(errors.max()) or 1.0
        self._scale = largest * float(np.sqrt(np.mean((errors / largest) ** 2))) or 1.0
        rising = [0] + [1] * (measured.shape[1] - 1)
        error_model = ExtraTreesRegressor(
            _N_OF_ERRORS,
            min_samples_leaf=12,
            max_features=0.4,
            monotonic_cst=rising,
            n_jobs=1,
            random_state=0,
        )
        expected = self._scale * cross_val_predict(
            error_model, measured, errors / self._scale, cv=folds
        )
        self._expected = error_model.fit(measured, errors / self._scale)
        self.ratio_, self.inside_ = _best_cut(expected, (errors / self._scale) ** 2, self.ratio)
        self.threshold_ = _level(expected, self.inside_)
        if self.ratio_ < self.ratio:
            warnings.warn(
                f"outside of the domain errors are {self.ratio_:.2f} times those inside, and "
                f"ratio={self.ratio:g} was asked for: neither distance nor scatter tells where "
                "this model errs more",
                UserWarning,
                stacklevel=2,
            )
        self._measures = _Measures(self.space, X, y, self.estimator_)
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
        """Return minus the expected absolute error, in units of the target.

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
        scores = -self._scale * self._expected.predict(measured)
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
    """What is known of how a model errs, before its errors; see `ApplicabilityDomain`'s notes."""

    def __init__(self, space: Any, X: Any, y: np.ndarray, model: Any) -> None:
        self.model = model
        self.neighbours = Neighbours(space, X)
        self.fractions = Neighbours(FunctionTransformer(_fractions), X, scaled=False)
        self.center, self.scale = float(y.mean()), float(y.std()) or 1.0
        self.scatter = _Scatter(self.neighbours.points, self._standardise(y))
        self.with_std = predicts_std(model)

    def _standardise(self, y: np.ndarray) -> np.ndarray:
        """Return targets without their unit; the last bits could decide between equal splits."""
        return ((y - self.center) / self.scale).round(9)

    def __call__(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the measures, shape (n_samples, 6 or 7), and the model's predictions."""
        points = self.neighbours.place(X)
        rising = [*self.neighbours.distances(points, 5), self.fractions.nearest(X)[0]]
        rising += self.scatter(points)
        if self.with_std:
            mean, std = self.model.predict(X, return_std=True)
            rising.append(std / self.scale)
        else:
            mean = self.model.predict(X)
        mean = np.asarray(mean)
        return np.column_stack([self._standardise(mean), *rising]).round(9), mean


class _Scatter:
    """How much targets scatter at a point, according to a random forest."""

    def __init__(self, points: np.ndarray, y: np.ndarray) -> None:
        self.forest = RandomForestRegressor(
            _N_OF_SCATTER, min_samples_leaf=3, max_features=0.3, n_jobs=1, random_state=0
        ).fit(points, y)
        # The variance of the training targets in each leaf, by the number of the leaf.
        self.variances = []
        for leaves in self.forest.apply(points).T:
            n = np.maximum(np.bincount(leaves), 1)
            mean, square = (np.bincount(leaves, values) / n for values in (y, y**2))
            self.variances.append(np.maximum(square - mean**2, 0.0))

    def __call__(self, points: np.ndarray) -> list[np.ndarray]:
        """Return the standard deviation between the trees, and that within their leaves."""
        between = np.std([tree.predict(points) for tree in self.forest.estimators_], axis=0)
        leaves = self.forest.apply(points).T
        within = [own[leaf] for own, leaf in zip(self.variances, leaves, strict=True)]
        return [between, np.sqrt(np.mean(within, axis=0))]


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
    tiny = np.finfo(float).tiny
    within = np.maximum(total[inside - 1] / inside, tiny)
    beyond = np.maximum((total[-1] - total[inside - 1]) / (n - inside), tiny)
    ratios = np.sqrt(beyond / within)
    likelihood = -inside * np.log(within) - (n - inside) * np.log(beyond)
    # A cut with the smaller errors outside may fit well, too.
    for least in (1.0, _TO_SPARE * ratio):
        if (ratios >= least).any():
            likelihood[ratios < least] = -np.inf
    k = int(likelihood.argmax())
    return float(ratios[k]), float(inside[k] / n)


def _level(expected: np.ndarray, inside: float) -> float:
    """Return a level that about this share of expected errors is below, and none of them is at."""
    levels = np.unique(expected)
    if inside == 1 or len(levels) == 1:
        return float(np.finfo(np.float64).max)
    below = np.searchsorted(np.sort(expected), levels[1:]) / len(expected)
    k = int(np.abs(below - inside).argmin())
    return float((levels[k] + levels[k + 1]) / 2)
