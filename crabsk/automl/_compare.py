"""Whether one model is better than another, or only luckier."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import cross_validate
from sklearn.utils.validation import check_consistent_length

from .._validation import group_numbers, validate_compositions
from ._blend import scorer_of
from ._folds import cut, rows_of, split


def compare_models(
    X: Any,
    y: Any,
    models: Mapping[str, Any],
    *,
    cv: Any = None,
    groups: Any = None,
    scoring: Any = None,
    n_jobs: int | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    r"""Score several models on the same folds, and test how sure the differences are.

    Parameters
    ----------
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Samples.
    y : array-like of shape (n_samples,)
        Targets.
    models : mapping of str to estimator
        Names and unfitted estimators. They are cloned.
    cv : int or splitter, default=None
        Folds. A number, or None, cuts folds that no composition is in twice: None takes 8 for up to
        2000 samples and 5 beyond. A splitter may test a sample several times, as
        ``RepeatedKFold`` does.
    groups : array-like of shape (n_samples,), default=None
        Samples that belong together, beyond those of equal compositions.
    scoring : str or callable, default=None
        A scorer of scikit-learn, for which greater is better. None takes
        "neg_mean_absolute_error", or "neg_log_loss" for classifiers.
    n_jobs : int, default=None
        Number of fits at a time, as in `sklearn.model_selection.cross_validate`.
    random_state : int, default=0
        Cuts the folds if `cv` is a number or None.

    Returns
    -------
    DataFrame
        A row for each model, the best first, with the columns

        - ``mean``, ``std``: of the scores of the folds;
        - ``difference``: mean score less that of the best model;
        - ``low``, ``high``: limits of the 95 % confidence interval of the difference;
        - ``p_value``: how likely so large a difference is between models that are equally good;
        - ``fit_seconds``, ``score_seconds``: mean over folds;
        - ``fold_0``, ``fold_1``, ...: the scores.

    Raises
    ------
    ValueError
        If X cannot be read, there are too few compositions, or `models` is empty.
    TypeError
        If one of `models` is no estimator.

    Notes
    -----
    The folds share most of their training samples, so that their scores are not independent, and
    the usual t-test finds differences too often. With :math:`k` folds, the mean :math:`\bar d` and
    the variance :math:`s^2` of the differences, the corrected statistic is [1]_

    .. math:: t = \frac{\bar d}{\sqrt{(1/k + n_\text{test} / n_\text{train})\, s^2}}

    with :math:`k - 1` degrees of freedom. The p-values are not corrected for the number of models.

    References
    ----------
    .. [1] Nadeau, C. and Bengio, Y., "Inference for the generalization error", Machine Learning 52,
       239-281 (2003). https://doi.org/10.1023/A:1024068626366

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> from crabsk import CompositionTransformer
    >>> from crabsk.automl import compare_models
    >>> from crabsk.datasets import load_formation_enthalpy
    >>> X, y = load_formation_enthalpy(return_X_y=True)
    >>> trees = make_pipeline(CompositionTransformer(), ExtraTreesRegressor(10, random_state=0))
    >>> table = compare_models(X[:200], y[:200], {"mean": DummyRegressor(), "trees": trees}, cv=5)
    >>> table.index.tolist(), bool(table.loc["mean", "p_value"] < 0.01)
    (['trees', 'mean'], True)
    """
    if not models:
        raise ValueError("models= is empty: name one at least")
    for name, model in models.items():
        if not hasattr(model, "fit"):
            raise TypeError(f"models are estimators, and {name!r} is {model!r}")
    y = np.asarray(y)
    check_consistent_length(X, y, groups)
    reader = _Reader()
    numbers = group_numbers(validate_compositions(reader, X, reset=True), groups)
    X = rows_of(X)
    of_classes = is_classifier(next(iter(models.values())))
    if scoring is None:
        scoring = "neg_log_loss" if of_classes else "neg_mean_absolute_error"
    scoring = scorer_of(scoring, np.unique(y) if of_classes else None)
    if cv is None or isinstance(cv, int | np.integer):
        cv = cut(cv, X, y, numbers, random_state, of_classes=of_classes)
    else:
        has_groups = groups is not None
        cv = split(cv, X, y, numbers, of_classes=of_classes, has_groups=has_groups)
    rows = {}
    for name, model in models.items():
        try:
            rows[name] = cross_validate(
                clone(model),
                X,
                y,
                cv=cv,
                scoring=check_scoring(model, scoring),
                n_jobs=n_jobs,
                error_score="raise",
            )
        except Exception as error:
            error.add_note(f"in the model {name!r}")
            raise
    return _table(rows, float(np.mean([len(test) / len(train) for train, test in cv])))


class _Reader(BaseEstimator):
    """What `validate_compositions` notes the form of X on."""


def _table(found: Mapping[str, dict], share: float) -> pd.DataFrame:
    scores = {name: its["test_score"] for name, its in found.items()}
    order = sorted(scores, key=lambda name: -scores[name].mean())
    best = scores[order[0]]
    rows = []
    for name in order:
        own = scores[name]
        rows.append(
            {
                "model": name,
                "mean": own.mean(),
                "std": own.std(),
                **difference(own, best, share),
                "fit_seconds": found[name]["fit_time"].mean(),
                "score_seconds": found[name]["score_time"].mean(),
                **{f"fold_{k}": value for k, value in enumerate(own)},
            }
        )
    return pd.DataFrame(rows).set_index("model")


def difference(own: np.ndarray, best: np.ndarray, share: float) -> dict[str, float]:
    """Return the mean difference of scores, its 95 % confidence interval and its p-value.

    Parameters
    ----------
    own, best : ndarray of shape (n_folds,)
        Scores of two models on the same folds.
    share : float
        Test samples over training samples.

    Examples
    --------
    >>> import numpy as np
    >>> from crabsk.automl._compare import difference
    >>> own, best = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 5.0, 5.0])
    >>> {name: round(value, 3) for name, value in difference(own, best, 1 / 3).items()}
    {'difference': -1.0, 'low': -2.985, 'high': 0.985, 'p_value': 0.207}
    """
    gaps = own - best
    mean, k = float(gaps.mean()), len(gaps)
    if k < 2 or not gaps.any():
        unknown = np.nan if k < 2 else mean
        return {"difference": mean, "low": unknown, "high": unknown, "p_value": np.nan}
    error = float(np.sqrt((1 / k + share) * gaps.var(ddof=1)))
    half = float(stats.t.ppf(0.975, k - 1)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, k - 1)) if error > 0 else 0.0
    return {"difference": mean, "low": mean - half, "high": mean + half, "p_value": p}
