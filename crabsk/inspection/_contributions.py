"""What each element of a formula adds to a CrabNet's prediction."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import is_classifier
from torch import Tensor

from ..composition import ELEMENTS, Compositions
from ..modules import LOG_SIGMA_BOUND, CrabNet, PackedBatch
from ..neural_network import MemberOutputs, total_std
from ._reading import compute_by_length, crabnets, formula_texts

_NOT_ADDITIVE = "does not make its prediction of contributions, one from each element"


def element_contributions(
    estimator: Any, X: Any, *, transformed: bool = False, mc_dropout: int = 0
) -> pd.DataFrame:
    r"""Return what each element of each formula contributes to the prediction of a CrabNet.

    The mean of the contributions over the elements of a formula is the prediction. A contribution
    is the mean of the training labels plus n w o. Here n is the number of elements, w is the weight
    of the element, which follows from its fraction, and o is the network's output for the element.
    The weights of a formula add up to 1; in the paper's architecture they are equal.

    Parameters
    ----------
    estimator : CrabNetRegressor or CrabNetClassifier
        A fitted estimator.
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Samples, in the same form as the X of `fit`.
    transformed : bool, default=False
        For regressors with a `target_transform`: whether to return the contributions in the
        transformed space. Their mean is the prediction only there, before the transform is undone.
        If False, such regressors are refused.
    mc_dropout : int, default=0
        For regressors: number of networks drawn by dropout from each member, as in
        `CrabNetRegressor.predict`.

    Returns
    -------
    DataFrame
        One row for each element of each row of X (and target or class), in the order of X:

        - ``row``: position in X;
        - ``formula``: as it is written in X, or the reduced formula if X holds mappings or
          amounts;
        - ``element``: its symbol;
        - ``fraction``: its atomic fraction;
        - ``target`` (only for several targets): position in y;
        - ``class`` (only for more than two classes, or for several labels): as in `classes_`;
        - ``contribution``: the mean over the members, in the unit of the target; for a classifier,
          the contribution to the logit;
        - ``std``: its standard deviation, see the notes.

    Raises
    ------
    TypeError
        If `estimator` is not a CrabNet: Roost and ElemNet have no such contributions.
    ValueError
        If X cannot be read, or if the estimator has a `target_transform` and `transformed` is
        False.

    See Also
    --------
    ElementContributionDisplay : Plots of the contributions.

    Notes
    -----
    *Standard deviation.* It is computed as for a prediction, but element by element. With
    :math:`c_k` the contribution and :math:`\sigma_k` the standard deviation that member :math:`k`
    gives the element, it is

    .. math:: \sqrt{\tfrac1K \sum_k \sigma_k^2 + \operatorname{Var}_k c_k}

    in the unit of the target. With `mc_dropout` the variance is taken over the networks drawn by
    dropout. For a pure element, the result equals the standard deviation of the prediction. In a
    compound the errors of the elements are correlated, so the standard deviation of the prediction
    cannot be computed from theirs. The members of a classifier give no :math:`\sigma_k`: the result
    is the standard deviation over the members alone.

    *Classifiers.* The mean of the contributions over the elements is the mean of the members'
    logits. Two classes have one logit, that of ``classes_[1]``; more classes have one each. The
    zero of the logits of mutually exclusive classes is arbitrary: only differences between classes
    have a meaning.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import element_contributions
    >>> X, y = ["NaCl", "KCl", "MgO"], [-2.1, -2.3, -3.1]
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=2, random_state=0).fit(X, y)
    >>> table = element_contributions(model, X)
    >>> table[["row", "formula", "element", "fraction"]].head(3)
       row formula element  fraction
    0    0    NaCl      Na       0.5
    1    0    NaCl      Cl       0.5
    2    1     KCl      Cl       0.5
    >>> bool((abs(table.groupby("row").contribution.mean() - model.predict(X)) < 1e-5).all())
    True
    """
    members = crabnets(estimator, _NOT_ADDITIVE)
    space = _OutputSpace(estimator, transformed, mc_dropout)
    networks = [*members, *space.sampled_networks]

    def compute(batch: PackedBatch) -> Tensor:
        return contributions_of(networks, batch)

    frames: list[pd.DataFrame] = []
    texts: np.ndarray | None = None
    for where, compositions, parts in compute_by_length(estimator, X, compute):
        texts = formula_texts(estimator, X) if texts is None else texts
        shape = (len(compositions.atomic_numbers), members[0].n_outputs)
        contribution, std = np.empty(shape), np.empty(shape)
        for part in parts:
            # (m, networks, 2, n, K) to networks first.
            value, log_sigma = part.values.transpose(2, 1, 0, 3, 4).astype(np.float64)
            outputs = MemberOutputs(value, np.exp(log_sigma))
            contribution[part.tokens], std[part.tokens] = space.units(outputs, len(members))
        frame = _tidy(where.start, texts[where], compositions, len(space.names))
        if space.column is not None:
            frame[space.column] = np.tile(space.names, len(contribution))
        frames.append(frame.assign(contribution=contribution.ravel(), std=std.ravel()))
    return pd.concat(frames, ignore_index=True)


def contributions_of(networks: list[CrabNet], batch: PackedBatch) -> Tensor:
    """Return contributions and log sigmas of compositions with n elements each.

    Shape
    -----
    returns : (B, n_networks, 2, n, K), in the units of the scaled target
    """
    n = batch.groups[0].n_elements
    said = []
    for network in networks:
        contribution, log_sigma = network.contributions(batch)
        log_sigma = log_sigma.clamp(-LOG_SIGMA_BOUND, LOG_SIGMA_BOUND)
        pair = torch.stack([contribution, log_sigma])
        said.append(pair.view(2, len(batch), n, network.n_outputs).transpose(0, 1))
    return torch.stack(said, dim=1)


class _OutputSpace:
    """What the outputs of an estimator's networks are called, and their units."""

    def __init__(self, estimator: Any, transformed: bool, mc_dropout: int) -> None:
        self.column: str | None = None
        self.names: np.ndarray = np.arange(estimator._n_outputs())
        self.sampled_networks: list[CrabNet] = []
        self._classifies = is_classifier(estimator)
        if self._classifies:
            if mc_dropout:
                raise ValueError("mc_dropout is for regressors")
            if len(self.names) == len(estimator.classes_):
                self.column, self.names = "class", estimator.classes_
            return
        if estimator._scaler.transformer_ is not None and not transformed:
            raise ValueError(
                f"with target_transform={estimator.target_transform!r}, the mean of the "
                "contributions is the prediction only before the transform is undone: ask for "
                "contributions in the transformed space with transformed=True"
            )
        if len(self.names) > 1:
            self.column = "target"
        self.sampled_networks = estimator._sampled_networks(mc_dropout)
        self._mean, self._scale = estimator._scaler.mean_, estimator._scaler.scale_

    def units(self, outputs: MemberOutputs, n_members: int) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation over the members, in the unit of the target."""
        mean = outputs.mean[:n_members].mean(axis=0)
        if self._classifies:
            return mean, outputs.mean.std(axis=0)
        std = total_std(outputs, n_members)
        return mean * self._scale + self._mean, std * self._scale


def _tidy(start: int, texts: np.ndarray, compositions: Compositions, repeats: int) -> pd.DataFrame:
    """Return the columns that say which element is meant, each row so many times."""
    row = np.repeat(compositions.row_of_token, repeats)
    z = np.repeat(compositions.atomic_numbers, repeats)
    return pd.DataFrame(
        {
            "row": start + row,
            "formula": texts[row],
            "element": np.array(ELEMENTS, dtype=object)[z - 1],
            "fraction": np.repeat(compositions.fractions, repeats),
        }
    )
