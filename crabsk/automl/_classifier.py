"""The best classifier that a time limit allows."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .._validation import _fit_context
from ._base import BaseAuto


class AutoClassifier(ClassifierMixin, BaseAuto):
    """The best classifier that a time limit allows: an ensemble of several kinds of models.

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

    scoring : str or callable, default="neg_log_loss"
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

    out_of_fold_ : ndarray of shape (n_samples, n_classes)
        What the ensemble says of each sample of `fit`, by models and with weights that had not seen
        it.

    classes_ : ndarray of shape (n_classes,)
        The classes, in the order of the columns of probabilities.

    n_features_in_ : int
        Number of columns of X seen by `fit`; 1 for a sequence of formulas.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X was a DataFrame whose column names are all strings.

    formula_position_ : int or None
        Position of the column of formulas; None for a matrix of element amounts.

    See Also
    --------
    AutoRegressor : The same for numbers.
    crabsk.automl.compare_models : A leaderboard of models of your own, with a test of differences.
    CrabNetClassifier : The networks alone.

    Notes
    -----
    The portfolio is that of `AutoRegressor`, with the classifiers of the same names. "prior" (the
    frequencies of the classes) stands in place of "mean", and "logistic_regression" in place of
    "boosting_absolute", "support_vectors" and "gaussian_process". Weights are found by greedy
    selection [1]_ on the probabilities.

    References
    ----------
    .. [1] Caruana, R., Niculescu-Mizil, A., Crew, G. and Ksikes, A., "Ensemble selection from
       libraries of models", ICML 2004.

    Examples
    --------
    >>> from crabsk import AutoClassifier
    >>> X = ["NaCl", "KCl", "NaBr", "KBr", "Cu3Au", "NiAl", "FeNi", "CuZn"]
    >>> y = ["salt"] * 4 + ["alloy"] * 4
    >>> auto = AutoClassifier(["prior", "extra_trees"], cv=2, random_state=0).fit(X, y)
    >>> auto.predict(["RbCl", "CoAl"]).tolist()
    ['salt', 'alloy']
    """

    _of_classes = True

    def __init__(
        self,
        candidates: Any = None,
        *,
        time_limit: float | None = 600,
        scoring: Any = "neg_log_loss",
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
            Classes: numbers or texts.
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
            If X or y cannot be read, there is but one class, there are
            fewer than two compositions, or no candidate could be
            trained in time.
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
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) == 1:
            raise ValueError(
                f"y has 1 class, {classes[0]!r}, in all samples: a classifier needs two or more"
            )
        self.classes_ = classes
        self._search(X, y, groups, classes)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : as in `fit`
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.

        Raises
        ------
        ValueError
            If X cannot be read, or differs in form from the X of `fit`.
        """
        return self._blend(X)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each sample.

        Parameters
        ----------
        X : as in `fit`
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            The class of the largest probability.

        Raises
        ------
        ValueError
            If X cannot be read, or differs in form from the X of `fit`.
        """
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
