"""Standard deviations that were held to the errors of samples which no network had seen."""

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
from ._validation import (
    CompositionTable,
    HasMethods,
    Interval,
    _fit_context,
    group_numbers,
    has_compositions,
    name_of_weights,
    numbers_of_groups,
    predicts_std,
    reads_compositions,
    takes_amounts,
    validate_compositions,
)
from .composition import FormulaError
from .neural_network import (
    CrabNetRegressor,
    nested,
    warn_of_conflicts,
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
        Names of the columns of X, if X was a DataFrame whose column names are all strings.

    formula_position_ : int or None
        Position of the column of formulas; None for a matrix of element amounts. Only if X held
        compositions.

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
    out in turn, with all of its samples, to see by how much that variance is too small [4]_. At
    most, :math:`u` is nine times the variance of the targets.

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
            Weights of the samples; of a pipeline, for its last step.
        groups : array-like of shape (n_samples,), optional
            Which samples belong together, beside those of one composition: all of a group are in
            one fold, and count as one. Compositions are formulas, columns named by elements, or
            any numbers if `estimator` or a step of it reads compositions. Of other features, equal
            rows belong together by default; with `groups`, these alone count.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y and groups do not fit together, if a group is missing, if there are fewer
            compositions (or groups) than clones, if X cannot be read (with `groups`, only if
            `estimator` reads it as crabsk does), or if so many standard deviations are 0 that no
            factor fits.
        TypeError
            If `estimator` cannot predict standard deviations, or takes no `sample_weight`.

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
        counted, weights = np.ones(len(y)), {}
        if sample_weight is not None:
            counted = _check_sample_weight(sample_weight, y, ensure_non_negative=True)
            weights = {name_of_weights(estimator): counted}
        table, number = self._read(X, groups, estimator)
        if table is not None:
            warn_of_conflicts(table, y)
        fold_of = self._folds(number, counted > 0)
        left_out = [(fold_of == k) | (fold_of == (k + 1) % K) for k in range(K)]
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
            self._seen_elements = np.unique(table.compositions.atomic_numbers).tolist()
            squares = (columns - means.mean(axis=0)) ** 2
            for k, part in enumerate((labelled > 0).T):
                own = ElementUncertainty.learn(
                    table.compositions.take(part),
                    table.extra[part],
                    columns[part, k],
                    ~np.stack(left_out)[:, part],
                    float(np.nanmean(squares[part, k])),
                )
                self._elements.append(own[0])
                of_elements[part, k] = own[1]
        self.calibration_factor_ = calibration_factor(
            columns, means, stds, labelled, number, K, of_elements
        )
        _check_factors(self.calibration_factor_, columns, means, stds, labelled)
        self._y_shape = y.shape[1:]
        if table is None:
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
        with nested():
            answers = [one.predict(X, return_std=True) for one in self.estimators_]
        means, stds = (np.array(part) for part in zip(*answers, strict=True))
        factor = self.calibration_factor_ if self._y_shape else self.calibration_factor_[0]
        variance = factor**2 * ((stds**2).mean(axis=0) + means.var(axis=0, ddof=1))
        if table is not None:
            of_elements = [own.variance(table.compositions, table.extra) for own in self._elements]
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
        with nested():
            return np.stack([one.predict(X) for one in self.estimators_])

    def _read(
        self, X: Any, groups: Any, estimator: Any
    ) -> tuple[CompositionTable | None, np.ndarray]:
        """Return the compositions of X, if it has any, and a number for each group of samples.

        X need not be read if there are `groups`.
        """
        for name in ("n_features_in_", "feature_names_in_", "formula_position_"):
            self.__dict__.pop(name, None)
        try:
            if takes_amounts(estimator) or has_compositions(X):
                table = validate_compositions(self, X, reset=True)
                return table, group_numbers(table, groups)
            if groups is None:
                rows = check_array(X, dtype=np.float64)
                return None, np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
        except ValueError as error:
            # The clones would refuse X as well, and count its rows without those left out.
            if reads_compositions(estimator):
                raise
            if groups is None:
                if isinstance(error, FormulaError) and 2 * len(error.rows) <= len(X):
                    raise
                raise ValueError(
                    "which samples are of one composition cannot be read from X: pass groups= "
                    f"({error})"
                ) from error
        return None, numbers_of_groups(groups)

    def _look_at(self, X: Any) -> CompositionTable | None:
        """Read X, and warn of elements that no clone has seen. Each lacks some of its own."""
        if self._seen_elements is None:
            return None
        table = validate_compositions(self, X, reset=False)
        warn_of_unseen_elements(self._seen_elements, table.compositions)
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
    estimator: Any, X: Any, y: np.ndarray, weights: dict[str, np.ndarray], left_out: np.ndarray
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a fitted estimator, and its means and standard deviations of what was left out."""
    rows, unseen = np.flatnonzero(~left_out), np.flatnonzero(left_out)
    settings = {name: weight[rows] for name, weight in weights.items()}
    with nested():
        estimator.fit(_safe_indexing(X, rows), y[rows], **settings)
        answers = estimator.predict(_safe_indexing(X, unseen), return_std=True)
    mean, std = np.full(y.shape, np.nan), np.full(y.shape, np.nan)
    mean[unseen], std[unseen] = (np.reshape(answer, y[unseen].shape) for answer in answers)
    return estimator, mean, std


def _check_factors(
    factors: np.ndarray, y: np.ndarray, means: np.ndarray, stds: np.ndarray, labelled: np.ndarray
) -> None:
    """Refuse standard deviations that no factor makes large enough.

    The scatter of two clones could not stand in for them; see the notes.
    """
    errors = np.abs(y - means.mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        hopeless = ~np.isfinite(errors / np.sqrt((stds**2).mean(axis=0))) & (errors != 0)
    for k in np.flatnonzero(~np.isfinite(factors)):
        rows = np.flatnonzero(hopeless[:, k] & (labelled[:, k] > 0))
        raise ValueError(
            f"no factor fits the standard deviations of target {k} to the errors: for {len(rows)} "
            f"of {np.count_nonzero(labelled[:, k])} samples, the first in row {rows[0]}, clones "
            "that have not seen them predict a standard deviation of 0, or no number. Take an "
            "estimator whose standard deviations are above 0, such as a Gaussian process with a "
            "WhiteKernel"
        )
