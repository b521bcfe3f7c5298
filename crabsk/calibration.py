"""Standard deviations that were held to the errors of samples which no network had seen."""

import warnings
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils import (
    Tags,
    _safe_indexing,
    check_array,
    check_random_state,
    get_tags,
    indexable,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
)

from ._element_uncertainty import ElementUncertainty
from ._intervals import calibration_factor
from ._validation import HasMethods, Interval, _fit_context, predicts_std
from .composition import (
    Compositions,
    compositions_from_matrix,
    element_columns,
    find_formulas,
    is_dataframe,
    parse_formulas,
)
from .neural_network import (
    BaseCompositionNetwork,
    CrabNetRegressor,
    UnseenElementsWarning,
    warn_of_unseen_elements,
)

__all__ = ["CalibratedRegressorCV"]


class CalibratedRegressorCV(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    r"""An ensemble whose standard deviations fit the errors made on samples that it has not seen.

    The samples are cut into as many folds as there are clones, whole compositions at a time, and
    each clone of `estimator` is trained without two of the folds. Every sample is then unseen by
    two clones, and what these say of it shows by what factor the standard deviations are too
    small. All clones predict together: every sample has trained most of them, and none is spent
    on calibration. The scheme is that of the jackknife+ after bootstrap [1]_, with standard
    deviations in place of intervals.

    Parameters
    ----------
    estimator : regressor, default=None
        What is cloned: a regressor, or a pipeline that ends in one, whose `predict` takes
        `return_std`. None takes ``CrabNetRegressor(n_estimators=1)``. If it has a `random_state`,
        the clones have different ones, which follow from it.

    n_estimators : int, default=8
        Number of clones, at least 4. With eight, each is trained on three quarters of the
        samples.

    n_jobs : int, default=None
        Number of clones to train at a time, in threads. ``None`` means 1 unless in a
        :obj:`joblib.parallel_config` context, ``-1`` all processors. A single network trains on
        one core, so that clones side by side save time.

    Attributes
    ----------
    estimators_ : list of regressors
        The fitted clones.

    calibration_factor_ : ndarray of shape (n_outputs,)
        What the standard deviations of each target are multiplied by.

    n_features_in_ : int
        Number of columns of X seen by `fit`; 1 for a sequence of formulas.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if the estimator has them.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : The same for the probabilities of classifiers.
    crabsk.metrics.coverage : How many labels lie within the intervals.

    Notes
    -----
    With the means :math:`m_k` and standard deviations :math:`s_k` of :math:`K` clones and a factor
    :math:`f`, the standard deviation is

    .. math:: \sigma^2 = f^2 \left(\tfrac1K \sum_k s_k^2 + \operatorname{Var}_k m_k\right) + u .

    The last term, :math:`u`, is 0 for nine in ten samples. It is large for elements that the
    training samples lack or hardly have, of which the clones know nothing and do not say so. With
    the targets taken for sums of contributions of elements, :math:`\sum_e f_e w_e`, alike for like
    elements, :math:`u` is the variance that the samples leave open of the sum. Each element is left
    out in turn, with all of its samples, to see by how much that variance is too small [4]_.

    The factor makes the central normal interval of 90 % cover 90 % of the errors on new
    compositions. It is the 90 % quantile of absolute error over standard deviation, with the
    correction for a finite number of compositions, over that of a normal distribution, 1.645.
    The errors of one composition (at many temperatures, say) are alike, so that they count as one
    together [2]_. The error of a sample is that of the two clones which have not seen it. The mean
    of all is better, by what the variance of clones says [3]_: with the mean square error
    :math:`E` of two and the variance :math:`V` of one, both over all samples, that of :math:`K` is

    .. math:: E - V \left(\tfrac12 - \tfrac1K\right) .

    The variance of two clones is too uncertain to stand in the standard deviation of a sample.
    There, it is taken to be the same share of :math:`s_k^2` for all samples.

    Errors have longer tails than a normal distribution, so that one factor cannot be right at all
    levels. What is calibrated holds for compositions drawn like those of `fit`.

    References
    ----------
    .. [1] Kim, B., Xu, C. and Barber, R. F., "Predictive inference is free with the jackknife+
       after bootstrap", NeurIPS 2020. https://arxiv.org/abs/2002.09025
    .. [2] Lee, Y., Barber, R. F. and Willett, R., "Distribution-free inference with hierarchical
       data", arXiv:2306.06342 (2023).
    .. [3] Krogh, A. and Vedelsby, J., "Neural network ensembles, cross validation, and active
       learning", NIPS 1995, equation 6.
    .. [4] Rasmussen, C. E. and Williams, C. K. I., "Gaussian processes for machine learning",
       MIT Press 2006, section 2.1.

    Examples
    --------
    >>> from crabsk import CalibratedRegressorCV, CrabNetRegressor
    >>> from crabsk.datasets import load_formation_enthalpy
    >>> X, y = load_formation_enthalpy(return_X_y=True)
    >>> network = CrabNetRegressor(n_estimators=1, max_epochs=2, random_state=0)
    >>> model = CalibratedRegressorCV(network, n_estimators=4).fit(X[:60], y[:60])
    >>> mean, std = model.predict(["CaTiO3", "NiAl"], return_std=True)
    >>> mean.shape, bool((std > 0).all())
    ((2,), True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_estimators": [Interval(Integral, 4, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self, estimator: Any = None, *, n_estimators: int = 8, n_jobs: int | None = None
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train the clones, and learn the factor from what they say of samples left out.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in any form that `estimator` takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. In a 2-D `y`, NaN is a missing label, if `estimator` takes it so.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.
        groups : array-like of shape (n_samples,), optional
            Which samples belong together: all of a group are in one fold, and count as one. By
            default, those of one composition; of a matrix of other features, equal rows.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y and groups do not fit together, if there are fewer compositions (or groups) than
            clones, or if no composition can be read from X and there are no `groups`.
        TypeError
            If `estimator` cannot predict standard deviations.

        Warns
        -----
        UserWarning
            If there are labels of fewer than nine compositions.
        """
        estimator, K = self._estimator(), self.n_estimators
        if not predicts_std(estimator):
            raise TypeError(
                f"predict of {type(estimator).__name__} has no return_std, and so there is nothing "
                "to calibrate: take a regressor of crabsk, a Gaussian process, or a BayesianRidge; "
                "for a classifier take sklearn.calibration.CalibratedClassifierCV"
            )
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = check_array(
            y,
            ensure_2d=False,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            ensure_min_samples=2,
            input_name="y",
        )
        if y.ndim == 1 and np.isnan(y).any():
            raise ValueError(
                f"Input y contains NaN in row {int(np.flatnonzero(np.isnan(y))[0])}: drop the "
                "samples without a label"
            )
        (X,) = indexable(X)
        check_consistent_length(X, y, groups)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, y, ensure_non_negative=True)
        counted = np.ones(len(y)) if weights is None else weights
        table = _read(X, groups, estimator)
        number = _group_numbers(X, groups, table)
        fold_of = self._folds(number, counted > 0)
        left_out = [(fold_of == k) | (fold_of == (k + 1) % K) for k in range(K)]
        with warnings.catch_warnings(action="ignore", category=UnseenElementsWarning):
            trained = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(_train_without)(own, X, y, weights, rows)
                for own, rows in zip(_clones(estimator, K), left_out, strict=True)
            )
        self.estimators_ = [own for own, _, _ in trained]
        columns = y.reshape(len(y), -1)
        labelled = np.where(np.isnan(columns), 0.0, counted[:, None])
        # The two clones that have not seen a sample.
        pairs, rows = np.stack([fold_of, (fold_of - 1) % K]), np.arange(len(y))
        means, stds = (
            np.stack([one[part] for one in trained]).reshape(K, *columns.shape)[pairs, rows]
            for part in (1, 2)
        )
        self._seen_elements = None
        self._elements, of_elements = [], np.zeros_like(columns)
        if table is not None:
            self._seen_elements = np.unique(table[0].atomic_numbers).tolist()
            squares = (columns - means.mean(axis=0)) ** 2
            for k, part in enumerate((labelled > 0).T):
                own = ElementUncertainty.learn(
                    table[0].take(part),
                    table[1][part],
                    columns[part, k],
                    ~np.stack(left_out)[:, part],
                    float(np.nanmean(squares[part, k])),
                )
                self._elements.append(own[0])
                of_elements[part, k] = own[1]
        self.calibration_factor_ = calibration_factor(
            columns, means, stds, labelled, number, K, of_elements
        )
        self._y_shape = y.shape[1:]
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimators_[0], name):
                setattr(self, name, getattr(self.estimators_[0], name))
        return self

    def predict(
        self, X: Any, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict the target of each sample.

        Parameters
        ----------
        X : as in `fit`
            Samples.
        return_std : bool, default=False
            Whether to return a standard deviation for each prediction.

        Returns
        -------
        y_mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Mean of the clones' predictions.
        y_std : ndarray of the same shape
            Only with ``return_std=True``. Calibrated standard deviation; see the notes.

        Raises
        ------
        ValueError
            As `estimator` raises it.
        """
        check_is_fitted(self)
        if not return_std:
            return self.predict_members(X).mean(axis=0)
        table = self._look_at(X)
        with warnings.catch_warnings(action="ignore", category=UnseenElementsWarning):
            answers = [one.predict(X, return_std=True) for one in self.estimators_]
        means, stds = (np.array(part) for part in zip(*answers, strict=True))
        factor = self.calibration_factor_ if self._y_shape else self.calibration_factor_[0]
        variance = factor**2 * ((stds**2).mean(axis=0) + means.var(axis=0, ddof=1))
        if table is not None:
            of_elements = [own.variance(*table) for own in self._elements]
            variance += np.stack(of_elements, axis=1).reshape(variance.shape)
        return means.mean(axis=0), np.sqrt(variance)

    def predict_members(self, X: Any) -> np.ndarray:
        """Predict the target of each sample by each clone.

        Parameters
        ----------
        X : as in `fit`
            Samples.

        Returns
        -------
        ndarray of shape (n_estimators, n_samples) or (n_estimators, n_samples, n_outputs)
            Their mean is what `predict` returns.

        Raises
        ------
        ValueError
            As `estimator` raises it.
        """
        check_is_fitted(self)
        self._look_at(X)
        with warnings.catch_warnings(action="ignore", category=UnseenElementsWarning):
            return np.stack([one.predict(X) for one in self.estimators_])

    def _look_at(self, X: Any) -> tuple[Compositions, np.ndarray] | None:
        """Read X, and warn of elements that no clone has seen. Each lacks some of its own."""
        if self._seen_elements is None:
            return None
        table = _table(X, self.estimators_[0])
        if table is not None:
            warn_of_unseen_elements(self._seen_elements, table[0])
        return table

    def _folds(self, number: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the fold of each sample, 0 to `n_estimators` - 1; folds have whole groups.

        How many samples a group has decides nothing, nor do samples that do not count.
        """
        groups = np.unique(number[counts])
        if len(groups) < self.n_estimators:
            raise ValueError(
                f"n_estimators={self.n_estimators} folds cannot be cut from {len(groups)} "
                "composition(s) or groups: take fewer, or more samples"
            )
        fold = np.zeros(number.max() + 1, dtype=np.int64)
        # Tables are often sorted. The same folds at each call, as from a KFold with a seed.
        fold[groups] = np.random.RandomState(0).permutation(len(groups)) % self.n_estimators
        return fold[number]

    def _estimator(self) -> Any:
        return CrabNetRegressor(n_estimators=1) if self.estimator is None else self.estimator

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._estimator())
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        tags.non_deterministic = inner.non_deterministic
        return tags


def _clones(estimator: Any, n: int) -> list[Any]:
    """Return clones with seeds of their own, drawn from those of the estimator."""
    clones = [clone(estimator) for _ in range(n)]
    for name, value in estimator.get_params(deep=True).items():
        if name.split("__")[-1] == "random_state" and value is not None:
            random_state = check_random_state(value)
            for own in clones:
                own.set_params(**{name: random_state.randint(np.iinfo(np.int32).max)})
    return clones


def _train_without(
    estimator: Any, X: Any, y: np.ndarray, weights: np.ndarray | None, left_out: np.ndarray
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a fitted estimator, and its means and standard deviations of what was left out."""
    rows, unseen = np.flatnonzero(~left_out), np.flatnonzero(left_out)
    settings = {} if weights is None else {"sample_weight": weights[rows]}
    estimator.fit(_safe_indexing(X, rows), y[rows], **settings)
    mean, std = np.full(y.shape, np.nan), np.full(y.shape, np.nan)
    answers = estimator.predict(_safe_indexing(X, unseen), return_std=True)
    mean[unseen], std[unseen] = (np.reshape(answer, y[unseen].shape) for answer in answers)
    return estimator, mean, std


def _table(X: Any, estimator: Any) -> tuple[Compositions, np.ndarray] | None:
    """Return the compositions of X and the numbers beside them; None if X holds none.

    Numbers without formulas are amounts of elements to crabsk's networks alone. To other
    estimators they are features.
    """
    table = find_formulas(X)
    if table is not None:
        return parse_formulas(table.formulas), table.extra
    matrix = check_array(X, dtype=np.float64)
    if not isinstance(estimator, BaseCompositionNetwork):
        return None
    names = list(X.columns) if is_dataframe(X) else []
    numbers = element_columns(names, matrix.shape[1])
    amounts = compositions_from_matrix(matrix[:, numbers > 0], numbers[numbers > 0])
    return amounts, matrix[:, numbers == 0]


def _read(X: Any, groups: Any, estimator: Any) -> tuple[Compositions, np.ndarray] | None:
    """Return what `_table` does; X need not be read if there are `groups`."""
    try:
        return _table(X, estimator)
    except ValueError as error:
        if groups is not None:
            return None
        raise ValueError(
            f"which samples are of one composition cannot be read from X: pass groups= ({error})"
        ) from error


def _group_numbers(X: Any, groups: Any, table: Any) -> np.ndarray:
    """Return a number for each sample, the same for those that belong together."""
    if groups is not None:
        return np.unique(np.asarray(groups), return_inverse=True)[1]
    if table is not None:
        return table[0].unique()[1]
    return np.unique(np.asarray(X), axis=0, return_inverse=True)[1].reshape(-1)
