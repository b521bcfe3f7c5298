"""The best regressor that a time limit allows."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, column_or_1d

from .._element_uncertainty import ElementUncertainty
from .._intervals import beyond, interval_factor
from .._validation import CompositionTable, _fit_context, validate_compositions
from ._base import BaseAuto
from ._search import Work
from ._spread import Spread


class AutoRegressor(RegressorMixin, BaseAuto):
    """The best regressor that a time limit allows: an ensemble of several kinds of models.

    Each candidate is trained without each fold in turn. What it says of the fold decides its weight
    in the ensemble. The models of the folds are kept, and predict together.

    Parameters
    ----------
    candidates : list or mapping, default=None
        What to try: names of the portfolio below, estimators of your own that read the same X, or a
        mapping from names of your own to either. None tries the portfolio.

    time_limit : float or None, default=600
        Seconds that `fit` may take. A candidate for which too little time is left is left out, and
        networks are trained in fewer epochs before that; `leaderboard_` says so. None trains all
        candidates, and only then does the same seed always give the same model.

    scoring : str or callable, default="neg_mean_absolute_error"
        What to optimise: a scorer of scikit-learn, for which greater is better.

    cv : int, splitter or None, default=None
        Folds. A number, or None, cuts folds that no composition is in twice: None takes 8 for up to
        2000 samples and 5 beyond. A splitter must test every sample exactly once.

    weights : str, path or None, default="pretrained"
        The pretrained weights that some candidates use (`crabsk.pretrained`): a name, or a file.
        None does without them.

    n_jobs : int, default=None
        Number of folds to train at a time, in threads, or on the workers of Dask within
        ``joblib.parallel_config(backend="dask")``. None means 1; then the forests and networks of
        the portfolio take as many threads as torch has.

    checkpoint : path, default=None
        Folder in which each finished fold is noted. A fit that was killed and is called again, with
        the same parameters and samples, does not train these again. `time_limit` counts from the
        start of each call. Needs skops.

    progress : bool, default=False
        Whether to show a progress bar on standard error: what is trained, and what leads.

    random_state : int, RandomState instance or None, default=None
        Decides the folds, and whatever is random in the candidates.

    Attributes
    ----------
    leaderboard_ : DataFrame
        A row for the ensemble, then one for each candidate, the best first. Columns: "mean" and
        "std" of the scores of the folds, "weight" in the ensemble, "fit_seconds" and
        "predict_seconds" (sums over all folds; of the ensemble, those of its candidates), the
        scores "fold_0", "fold_1", ..., and "note", which says why a candidate was left out.

    weights_ : dict of str to float
        The candidates in the ensemble with their weights, which sum to 1.

    estimators_ : dict of str to list of estimators
        For each candidate in the ensemble the models that were trained without a fold. Those of a
        pipeline that begins with crabsk's transformers are what follows these.

    out_of_fold_ : ndarray of shape (n_samples,)
        What the ensemble says of each sample of `fit`, by models and with weights that had not seen
        it.

    out_of_fold_std_ : ndarray of shape (n_samples,)
        The calibrated standard deviations of `out_of_fold_`.

    calibration_factor_ : float
        What standard deviations are multiplied by, so that normal intervals of 90 % cover 90 % of
        the samples that were left out.

    n_features_in_ : int
        Number of columns of X seen by `fit`; 1 for a sequence of formulas.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X was a DataFrame whose column names are all strings.

    formula_position_ : int or None
        Position of the column of formulas; None for a matrix of element amounts.

    See Also
    --------
    AutoClassifier : The same for classes.
    crabsk.automl.compare_models : A leaderboard of models of your own, with a test of differences.
    CrabNetRegressor : The networks alone.

    Notes
    -----
    The portfolio, in the order in which it is tried:

    - "mean": the mean of the targets;
    - "extra_trees_pretrained": extremely randomised trees on statistics of Magpie's element
      properties, the atomic fractions, and the properties that the pretrained network predicts;
    - "crabnet_pretrained": two networks a fold that start from the pretrained weights;
    - "boosting": scikit-learn's histogram gradient boosting, on the statistics and the predicted
      properties. So are all that follow, where nothing else is said;
    - "extra_trees": trees on the statistics and the fractions;
    - "boosting_absolute": boosting of the absolute error;
    - "support_vectors": support vector regression with a radial kernel, for up to 10,000 samples;
    - "gaussian_process": a Matern kernel, for up to 2000 samples;
    - "lightgbm", "catboost": if they are installed;
    - "crabnet", "roost": two networks a fold, trained from scratch. These read X itself.

    With more than 1500 samples, "boosting" comes right after "mean". In statistics, an element that
    Magpie has no value for counts with the mean over the table, as in `CrabNetRegressor`.

    Weights are found by greedy selection [1]_: the candidate that improves the ensemble's score
    most is added again and again, and the weights are the shares. The ensemble's own row in the
    leaderboard scores each fold with weights that were learnt from the other folds.

    The variance of an error is taken to be :math:`a + b v + c s^2`, with :math:`v` the variance
    between the candidates and :math:`s^2` the variance that candidates predict themselves (networks
    and the Gaussian process). What makes the errors on samples left out likeliest, as those of a
    Laplace distribution, gives :math:`a`, :math:`b` and :math:`c`. A factor then makes normal
    intervals of 90 % cover 90 % of the compositions left out, as in `CalibratedRegressorCV`. What
    the samples leave open about elements is added as there.

    References
    ----------
    .. [1] Caruana, R., Niculescu-Mizil, A., Crew, G. and Ksikes, A., "Ensemble selection from
       libraries of models", ICML 2004.

    Examples
    --------
    >>> from crabsk import AutoRegressor
    >>> from crabsk.datasets import load_formation_enthalpy
    >>> X, y = load_formation_enthalpy(return_X_y=True)
    >>> auto = AutoRegressor(["mean", "extra_trees"], cv=3, random_state=0)
    >>> auto = auto.fit(X[:150], y[:150])
    >>> auto.leaderboard_.index.tolist()
    ['ensemble', 'extra_trees', 'mean']
    >>> mean, std = auto.predict(["CaTiO3", "NiAl"], return_std=True)
    >>> mean.shape, bool((std > 0).all())
    ((2,), True)
    """

    _of_classes = False

    def __init__(
        self,
        candidates: Any = None,
        *,
        time_limit: float | None = 600,
        scoring: Any = "neg_mean_absolute_error",
        cv: Any = None,
        weights: Any = "pretrained",
        n_jobs: int | None = None,
        checkpoint: Any = None,
        progress: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            candidates,
            time_limit=time_limit,
            scoring=scoring,
            cv=cv,
            weights=weights,
            n_jobs=n_jobs,
            checkpoint=checkpoint,
            progress=progress,
            random_state=random_state,
        )

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Find the best ensemble.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples: formulas, alone or beside numeric columns; or amounts of elements, of shape
            (n_samples, n_elements).
        y : array-like of shape (n_samples,)
            Targets.
        groups : array-like of shape (n_samples,), default=None
            Samples that belong together, beyond those of equal compositions. All of a group are in
            one fold.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y cannot be read, there are fewer than two compositions, or no candidate could
            be trained in time.
        ImportError
            If `checkpoint` is used without skops.

        Warns
        -----
        CandidateWarning
            If a candidate raised an error, or predicts what `scoring` refuses, and is left out; or
            if the search was interrupted (Ctrl-C), and the ensemble is made of what was finished.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = check_array(y, ensure_2d=False, dtype=np.float64, ensure_min_samples=2, input_name="y")
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y has {y.shape[1]} targets, and AutoRegressor takes one: fit one for each, as "
                "sklearn.multioutput.MultiOutputRegressor does"
            )
        self._search(X, column_or_1d(y, warn=True), groups, None)
        return self

    def _learn_errors(
        self,
        weights: np.ndarray,
        predictions: np.ndarray,
        fits: list[list],
        work: Work,
        numbers: np.ndarray,
    ) -> None:
        mean = np.tensordot(weights, predictions, axes=1)
        disagreement = np.tensordot(weights, (predictions - mean) ** 2, axes=1)
        own, share = np.zeros(len(mean)), 0.0
        for weight, its in zip(weights, fits, strict=True):
            if weight > 0 and its[0].own_std is not None:
                own += weight * work.out_of_fold(its, "own_std") ** 2
                share += weight
        own = own / share if share else own
        _, group, size = np.unique(numbers, return_inverse=True, return_counts=True)
        counts = 1 / size[group]
        errors = np.abs(work.y - self.out_of_fold_)
        self._spread = Spread.learn(errors, disagreement, own, counts)
        std = self._spread.std(disagreement, own)
        table = validate_compositions(self, work.X, reset=False)
        trained = np.zeros((len(work.folds), len(errors)), dtype=bool)
        for rows, (train, _) in zip(trained, work.folds, strict=True):
            rows[train] = True
        self._elements, of_elements = ElementUncertainty.learn(
            table.compositions, table.extra, work.y, trained, float(np.mean(errors**2))
        )
        left = beyond(errors, of_elements)
        self.calibration_factor_ = interval_factor(left, std, counts, len(size)) or 1.0
        self.out_of_fold_std_ = np.sqrt((self.calibration_factor_ * std) ** 2 + of_elements)

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
        y_mean : ndarray of shape (n_samples,)
            Predictions of the ensemble.
        y_std : ndarray of shape (n_samples,)
            Only with ``return_std=True``. Calibrated standard deviations; see the notes.

        Raises
        ------
        ValueError
            If X cannot be read, or differs in form from the X of `fit`.
        """
        if not return_std:
            return self._blend(X)
        parts = [self._with_std(some, table) for some, table in self._chunks(X)]
        mean, std = (np.concatenate(part) for part in zip(*parts, strict=True))
        return mean, std

    def _with_std(self, X: Any, table: CompositionTable) -> tuple[np.ndarray, np.ndarray]:
        # Within each fold, as the errors were learnt.
        shape = self._n_folds(), len(table.compositions)
        mean, square, own, share = (np.zeros(shape) for _ in range(4))
        for weight, k, predicted, std in self._fold_answers(X):
            mean[k] += weight * predicted
            square[k] += weight * predicted**2
            if std is not None:
                own[k] += weight * std**2
                share[k] += weight
        disagreement = np.maximum(square - mean**2, 0.0).mean(axis=0)
        own = np.divide(own, share, out=np.zeros_like(own), where=share > 0).mean(axis=0)
        std = self.calibration_factor_ * self._spread.std(disagreement, own)
        of_elements = self._elements.variance(table.compositions, table.extra)
        return mean.mean(axis=0), np.sqrt(std**2 + of_elements)
