"""Standard deviations that were held to the errors of samples which no network had seen."""

import inspect
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

from ._intervals import interval_factor
from ._validation import HasMethods, Interval, _fit_context
from .composition import (
    compositions_from_matrix,
    element_columns,
    find_formulas,
    is_dataframe,
    parse_formulas,
)
from .neural_network import BaseCompositionNetwork, CrabNetRegressor

__all__ = ["CalibratedRegressorCV"]

# Compositions below which there is no such quantile.
_FEWEST = 9
# The mean square error of all clones is taken for no less than this share of that of two.
_SMALLEST_SHARE = 0.25


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

    .. math:: \sigma = f \sqrt{\tfrac1K \sum_k s_k^2 + \operatorname{Var}_k m_k} .

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
        if not _predicts_std(estimator):
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
        number = _group_numbers(X, groups, estimator)
        fold_of = self._folds(number, counted > 0)
        trained = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_train_without)(own, X, y, weights, (fold_of == k) | (fold_of == (k + 1) % K))
            for k, own in enumerate(_clones(estimator, K))
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
        self.calibration_factor_ = calibration_factor(columns, means, stds, labelled, number, K)
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
            return np.mean([one.predict(X) for one in self.estimators_], axis=0)
        answers = [one.predict(X, return_std=True) for one in self.estimators_]
        means, stds = (np.array(part) for part in zip(*answers, strict=True))
        factor = self.calibration_factor_ if self._y_shape else self.calibration_factor_[0]
        variance = (stds**2).mean(axis=0) + means.var(axis=0, ddof=1)
        return means.mean(axis=0), factor * np.sqrt(variance)

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


def _predicts_std(estimator: Any) -> bool:
    parameters = inspect.signature(estimator.predict).parameters
    # A pipeline hands on what it is given.
    return "return_std" in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def _group_numbers(X: Any, groups: Any, estimator: Any) -> np.ndarray:
    """Return a number for each sample, the same for those that belong together.

    Numbers without formulas are amounts of elements to crabsk's networks alone. To other
    estimators they are features, and equal rows belong together.
    """
    if groups is not None:
        return np.unique(np.asarray(groups), return_inverse=True)[1]
    try:
        table = find_formulas(X)
        if table is not None:
            return parse_formulas(table.formulas).unique()[1]
        matrix = check_array(X, dtype=np.float64)
        if isinstance(estimator, BaseCompositionNetwork):
            names = list(X.columns) if is_dataframe(X) else []
            numbers = element_columns(names, matrix.shape[1])
            amounts = compositions_from_matrix(matrix[:, numbers > 0], numbers[numbers > 0])
            return amounts.unique()[1]
        return np.unique(matrix, axis=0, return_inverse=True)[1].reshape(-1)
    except ValueError as error:
        raise ValueError(
            f"which samples are of one composition cannot be read from X: pass groups= ({error})"
        ) from error


def calibration_factor(
    y: np.ndarray,
    means: np.ndarray,
    stds: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    n_clones: int,
) -> np.ndarray:
    """Return what standard deviations must be multiplied by to fit the errors made.

    The formulas stand in the notes of `CalibratedRegressorCV`. Few errors are far larger than
    normal ones would be, so that the root of the mean square, the choice of highest likelihood,
    would cover far too many. Fewer than nine compositions cannot tell a quantile of 90 %, and the
    largest error is covered.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_outputs)
        Targets.
    means, stds : ndarray of shape (2, n_samples, n_outputs)
        What two clones say of each sample that they have not seen.
    weights : ndarray of the same shape as y
        0 where there is no label.
    groups : ndarray of shape (n_samples,)
        Which samples are of one composition: these have the same number.
    n_clones : int
        How many will predict together.

    Warns
    -----
    UserWarning
        If a target has labels of fewer than nine compositions.
    """
    errors = np.abs(y - means.mean(axis=0))
    # Of a prediction that is no number.
    errors = np.where(np.isnan(errors), np.inf, errors)
    own, scatter = (stds**2).mean(axis=0), means.var(axis=0, ddof=1)
    factors = np.ones(y.shape[1])
    for k in range(y.shape[1]):
        labelled = weights[:, k] > 0
        _, group, size = np.unique(groups[labelled], return_inverse=True, return_counts=True)
        if len(size) < _FEWEST:
            warnings.warn(
                f"calibration has {len(size)} compositions with a label of target {k} to learn "
                "from, and needs nine: its intervals will be too narrow",
                UserWarning,
                stacklevel=4,
            )
        factors[k] = _factor(
            errors[labelled, k],
            own[labelled, k],
            scatter[labelled, k],
            weights[labelled, k] / size[group],
            len(size),
            n_clones,
        )
    return factors


def _factor(
    errors: np.ndarray,
    own: np.ndarray,
    scatter: np.ndarray,
    weights: np.ndarray,
    n_compositions: int,
    n_clones: int,
) -> float:
    """Return the factor of one target from errors of two clones, their variances and scatter."""
    if not len(errors):
        return 1.0
    found = interval_factor(errors, np.sqrt(own), weights, n_compositions)
    if not found:
        return 1.0
    known = np.isfinite(errors) & np.isfinite(own) & np.isfinite(scatter)
    if not known.any():
        return found
    error, variance, spread = (
        np.average(part[known], weights=weights[known]) for part in (errors**2, own, scatter)
    )
    # What the mean of all clones errs less than that of two.
    gain = spread * (1 / 2 - 1 / n_clones) / error if error > 0 else 0.0
    total = np.sqrt(1 + spread / variance) if variance > 0 else 1.0
    better = np.sqrt(max(1 - gain, _SMALLEST_SHARE))
    return float(found * better / total)
