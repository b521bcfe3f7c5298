"""Folds that no composition is in twice."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, check_cv
from sklearn.utils import indexable

from .._text import shown

# More folds leave more samples to train on, and take longer.
_FOLDS_OF_FEW, _FOLDS, _FEW = 8, 5, 2000

Folds = list[tuple[np.ndarray, np.ndarray]]


def split(
    cv: Any, X: Any, y: np.ndarray, numbers: np.ndarray, *, of_classes: bool, has_groups: bool
) -> Folds:
    """Return the folds of a splitter, which may test a sample several times; see `cut`."""
    splitter = check_cv(cv, y, classifier=of_classes)
    # scikit-learn's splitters that ignore groups warn of them.
    routed = hasattr(splitter, "get_metadata_routing")
    if not routed or "groups" in splitter.get_metadata_routing().split.requests:
        groups_of = {"groups": numbers}
    elif has_groups:
        raise ValueError(
            f"groups= was given, and cv={shown(cv)} ignores groups: take GroupKFold, or a number"
        )
    else:
        groups_of = {}
    return [(np.asarray(a), np.asarray(b)) for a, b in splitter.split(X, y, **groups_of)]


def cut(
    cv: Any,
    X: Any,
    y: np.ndarray,
    numbers: np.ndarray,
    random_state: int,
    *,
    of_classes: bool,
    has_groups: bool = False,
) -> Folds:
    """Return the training and test rows of each fold.

    Parameters
    ----------
    cv : None, int, splitter or iterable
        As in `AutoRegressor`.
    X, y : array-likes of n_samples
        What splitters see.
    numbers : ndarray of shape (n_samples,)
        What `group_numbers` returned.
    random_state : int
        Cuts folds where `cv` is None or a number.
    of_classes : bool
        Whether targets are classes, which folds are to have like shares of.
    has_groups : bool
        Whether the user gave groups, which a splitter that ignores them would break.

    Raises
    ------
    ValueError
        If there are too few groups, if `cv` does not test every sample exactly once, or if it
        ignores groups that were given.
    """
    n_groups = len(np.unique(numbers))
    if cv is None:
        cv = _FOLDS_OF_FEW if len(y) <= _FEW else _FOLDS
        most = np.unique(y, return_counts=True)[1].max() if of_classes else n_groups
        cv = max(2, min(cv, n_groups, most))
    if isinstance(cv, int | np.integer):
        if not 2 <= cv <= n_groups:
            raise ValueError(
                f"cv={cv} folds cannot be cut from {n_groups} composition(s) or groups: "
                "two are needed, and one for each fold"
            )
        kind = StratifiedGroupKFold if of_classes else GroupKFold
        cv = kind(int(cv), shuffle=True, random_state=random_state)
    folds = split(cv, X, y, numbers, of_classes=of_classes, has_groups=has_groups)
    tested = np.concatenate([test for _, test in folds])
    if len(tested) != len(y) or len(np.unique(tested)) != len(y):
        raise ValueError(
            "cv= must test every sample exactly once, as KFold does: the weights are learnt from "
            "what each candidate says of samples that it has not seen"
        )
    if any(len(train) == 0 for train, _ in folds):
        raise ValueError("cv= leaves no sample to train on in a fold")
    return folds


def rows_of(X: Any) -> Any:
    """Return X, whose form was checked, as something that rows are quickly taken from.

    scikit-learn asks a Sequence for one item after the other, and each asks
    `crabsk.discovery.Candidates` to compute a single formula, which is slow.
    """
    (X,) = indexable(list(X) if isinstance(X, Sequence) else X)
    return X
