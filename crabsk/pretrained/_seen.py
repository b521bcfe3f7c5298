"""What pretrained weights were trained on, among the user's compositions and targets."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..composition import ELEMENTS, Compositions, read_compositions, warn_of_table
from ._weights import read_about, read_knowledge, resolve


class KnownTargetWarning(UserWarning):
    """The target is a property that the pretrained weights have learnt for the same compositions.

    A score on these compositions does not show how good predictions for new ones are.

    Examples
    --------
    >>> import warnings
    >>> from crabsk.pretrained import KnownTargetWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", KnownTargetWarning)
    """


class UnlearntElementWarning(UserWarning):
    """A composition holds an element that was in no composition of the pretraining data.

    The networks know only its vector in the element table.

    Examples
    --------
    >>> import warnings
    >>> from crabsk import PretrainedTransformer
    >>> from crabsk.pretrained import UnlearntElementWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", UnlearntElementWarning)
    ...     _ = PretrainedTransformer().fit_transform(["PoO2"])
    """


def seen(X: Any, weights: str | os.PathLike = "pretrained") -> pd.DataFrame:
    """Return which properties of which compositions the pretrained weights were trained on.

    Parameters
    ----------
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Rows, in any form that crabsk's estimators take; or `Compositions`.
    weights : str or path, default="pretrained"
        Name of the weights, or their file.

    Returns
    -------
    DataFrame of shape (n_samples, n_properties), bool
        A column for each property, named as in `properties`. The index is that of X, if X is a
        pandas object. Multiples of a formula are the same composition. The package stores only
        hashes of compositions: fewer than one in a million unseen compositions is reported as seen.

    Raises
    ------
    ValueError
        If X cannot be read, or if there are no such weights.

    Examples
    --------
    >>> from crabsk.pretrained import seen
    >>> known = seen(["SrTiO3", "Sr0.93La0.07Ti0.9Nb0.1O3"])
    >>> known.any(axis=1).tolist()
    [True, False]
    """
    knowledge = read_knowledge(resolve(weights))
    ranks = knowledge.ranks_of(read_compositions(X))
    index = X.index if isinstance(X, pd.DataFrame | pd.Series) else None
    return pd.DataFrame(ranks > 0, columns=knowledge.properties, index=index)


def properties(weights: str | os.PathLike = "pretrained") -> pd.DataFrame:
    """Return the properties that pretrained weights have learnt.

    Parameters
    ----------
    weights : str or path, default="pretrained"
        Name of the weights, or their file.

    Returns
    -------
    DataFrame
        A row for each property, indexed by its name, in the order in which the properties are
        predicted. The columns are "title", "unit", "n_compositions" (number of training
        compositions), "error" (mean absolute error on held-out compositions, from networks trained
        in the same way), "source" and "licence".

    Raises
    ------
    ValueError
        If there are no such weights.

    Examples
    --------
    >>> from crabsk.pretrained import properties
    >>> properties().loc["band_gap_mp_eV", "unit"]
    'eV'
    """
    return pd.DataFrame(read_about(resolve(weights))["properties"]).set_index("name")


def warn_of_known_targets(path: Path, X: Compositions, y: np.ndarray) -> None:
    """Warn of targets (n_samples, n_targets) that weights have learnt."""
    for k, name in read_knowledge(path).known_targets(X, y).items():
        target = "the target" if y.shape[1] == 1 else f"target or class {k}"
        # No numbers: they differ between folds, and a cross-validation should warn once.
        warn_of_table(
            f"{target} is, or has the same ranking as, {name}, which the weights "
            f"{path.stem!r} have learnt for compositions in X: scores on these do not hold for "
            "new compositions. crabsk.pretrained.seen shows which ones were learnt",
            KnownTargetWarning,
        )


def warn_of_unlearnt_elements(path: Path, X: Compositions) -> None:
    """Warn of elements that were in no composition of the pretraining."""
    learnt = set(read_about(path)["elements"])
    unlearnt = [
        ELEMENTS[z - 1] for z in np.unique(X.atomic_numbers) if ELEMENTS[z - 1] not in learnt
    ]
    if unlearnt:
        warn_of_table(
            f"X holds {', '.join(unlearnt)}, about which the weights {path.stem!r} have learnt "
            "nothing: predictions for these compositions are a guess from the element's vector",
            UnlearntElementWarning,
        )
