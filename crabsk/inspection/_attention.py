"""Attention of CrabNets: which elements of a formula attend to which."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..composition import ELEMENTS, N_ELEMENTS
from ..modules import CrabNet, PackedBatch
from ._reading import compute_by_length, crabnets, formula_texts

_NO_ATTENTION = (
    "has no attention among the elements of a formula (the weights of Roost's messages are "
    "something else)"
)


class FormulaAttention(NamedTuple):
    """The attention among the elements of one formula.

    Attributes
    ----------
    row : int
        Position in X.
    formula : str
        The formula as it is written in X, or the reduced formula if X holds mappings or element
        amounts.
    symbols : tuple of str
        The elements, in order of atomic number.
    weights : ndarray of shape (n_layers, n_heads, n_elements, n_elements), float32
        ``weights[l, h, i, j]`` is the attention that element ``i`` gives to element ``j``. Each
        row adds up to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from crabsk.inspection import AttentionDisplay, FormulaAttention
    >>> even = FormulaAttention(0, "Al2O3", ("O", "Al"), np.full((3, 4, 2, 2), 0.5))
    >>> AttentionDisplay.from_attention(even).symbols  # as the formula names them
    ('Al', 'O')
    """

    row: int
    formula: str
    symbols: tuple[str, ...]
    weights: np.ndarray


def attention_weights(estimator: Any, X: Any, *, member: int = 0) -> list[FormulaAttention]:
    """Return the attention weights of a CrabNet, formula by formula.

    Parameters
    ----------
    estimator : CrabNetRegressor or CrabNetClassifier
        A fitted estimator.
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Samples, in the same form as the X of `fit`.
    member : int, default=0
        Which network of the ensemble. Heads of different networks do not correspond to each other.

    Returns
    -------
    list of FormulaAttention
        One for each row of X, in order, with the fields ``row``, ``formula``, ``symbols`` and
        ``weights``.

    Raises
    ------
    TypeError
        If `estimator` is not a CrabNet: Roost and ElemNet have no such attention.
    ValueError
        If X cannot be read, or if the networks have no encoder layer.
    IndexError
        If there is no such member.

    See Also
    --------
    attention_importance : The mean over a data set, for each pair of elements.
    AttentionDisplay : Heat maps for one formula.

    Notes
    -----
    Attention shows which elements a layer reads, not what it computes from them: a weight does not
    measure a cause. For the effect of an element on a prediction, see `element_contributions`.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import attention_weights
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=1, random_state=0)
    >>> _ = model.fit(["NaCl", "KCl", "Al2O3"], [-2.1, -2.3, -3.5])
    >>> alumina = attention_weights(model, ["Al2O3"])[0]
    >>> alumina.symbols
    ('O', 'Al')
    >>> alumina.weights.shape
    (3, 4, 2, 2)
    """
    network = _with_attention(crabnets(estimator, _NO_ATTENTION))[member]
    found: list[FormulaAttention] = []
    texts: np.ndarray | None = None
    for where, compositions, parts in compute_by_length(
        estimator, X, lambda batch: attention_of(network, batch)
    ):
        # After X has been read, so that what is wrong with it is said by the reader.
        texts = formula_texts(estimator, X) if texts is None else texts
        symbols = [ELEMENTS[z - 1] for z in compositions.atomic_numbers.tolist()]
        bounds = compositions.offsets.tolist()
        of_row = {
            row: weights
            for part in parts
            for row, weights in zip(part.rows.tolist(), part.values, strict=True)
        }
        found.extend(
            FormulaAttention(
                where.start + row,
                texts[where.start + row],
                tuple(symbols[bounds[row] : bounds[row + 1]]),
                of_row[row],
            )
            for row in range(len(compositions))
        )
    return found


def attention_importance(
    estimator: Any,
    X: Any,
    *,
    layer: int | Sequence[int] | None = None,
    head: int | Sequence[int] | None = None,
    member: int | Sequence[int] | None = None,
) -> pd.DataFrame:
    """Return how much attention elements give to each other, on average over a data set.

    Parameters
    ----------
    estimator : CrabNetRegressor or CrabNetClassifier
        A fitted estimator.
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Samples, in the same form as the X of `fit`.
    layer, head, member : int, sequence of int or None, default=None
        Which of them to average over; None for all.

    Returns
    -------
    DataFrame
        One row for each ordered pair of elements that occur together in a formula, in order of
        atomic number:

        - ``source``: the element that gives attention;
        - ``target``: the element that receives it, which may be the same;
        - ``weight``: the mean attention weight over the rows of X that hold both;
        - ``count``: the number of these rows.

    Raises
    ------
    TypeError
        If `estimator` is not a CrabNet: Roost and ElemNet have no such attention.
    ValueError
        If X cannot be read, or if the networks have no encoder layer.
    IndexError
        If there is no such layer, head or member.

    See Also
    --------
    attention_weights : Formula by formula.

    Notes
    -----
    The weights that an element gives in a formula of n elements add up to 1, so they are 1/n on
    average. Compare only pairs that occur in formulas with similar numbers of elements.

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.inspection import attention_importance
    >>> X = ["NaCl", "KCl", "NaBr"]
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=1, random_state=0)
    >>> table = attention_importance(model.fit(X, [-2.1, -2.3, -1.9]), X)
    >>> table.columns.to_list()
    ['source', 'target', 'weight', 'count']
    >>> table.query("source == 'Na' and target == 'Na'")["count"].item()
    2
    """
    networks = _with_attention(crabnets(estimator, _NO_ATTENTION))
    first = networks[0]
    networks = [networks[k] for k in _chosen(member, len(networks), "member")]
    layers = _chosen(layer, len(first.encoder), "layer")
    heads = _chosen(head, _n_heads(first), "head")

    def mean_weights(batch: PackedBatch) -> Tensor:
        total = sum(
            attention_of(network, batch)[:, layers][:, :, heads].double().mean((1, 2))
            for network in networks
        )
        return torch.as_tensor(total) / len(networks)

    totals = np.zeros((N_ELEMENTS, N_ELEMENTS))
    counts = np.zeros((N_ELEMENTS, N_ELEMENTS), dtype=np.int64)
    for _, compositions, parts in compute_by_length(estimator, X, mean_weights):
        for part in parts:
            z = compositions.atomic_numbers[part.tokens] - 1
            pairs = (z[:, :, None], z[:, None, :])
            np.add.at(totals, pairs, part.values)
            np.add.at(counts, pairs, 1)
    source, target = np.nonzero(counts)
    symbols = np.array(ELEMENTS, dtype=object)
    return pd.DataFrame(
        {
            "source": symbols[source],
            "target": symbols[target],
            "weight": totals[source, target] / counts[source, target],
            "count": counts[source, target],
        }
    )


def attention_of(network: CrabNet, batch: PackedBatch) -> Tensor:
    """Return the weights of compositions with n elements each. **Shape**: (B, layers, h, n, n)."""
    layers = network.attention_weights(batch)
    if not layers[0]:  # compositions without elements, which only a matrix can hold
        return torch.empty(len(batch), len(layers), _n_heads(network), 0, 0)
    return torch.stack([groups[0] for groups in layers], dim=1)


def _n_heads(network: CrabNet) -> int:
    return network.encoder[0].attention.n_heads  # type: ignore[union-attr, return-value]


def _with_attention(networks: list[CrabNet]) -> list[CrabNet]:
    if not len(networks[0].encoder):
        raise ValueError("the networks have no encoder layer (n_layers=0), hence no attention")
    return networks


def _chosen(choice: int | Sequence[int] | None, n: int, name: str) -> list[int]:
    """Return the positions that are meant, of n."""
    if choice is None:
        return list(range(n))
    positions = np.atleast_1d(np.asarray(choice, dtype=np.int64)).tolist()
    missing = [position for position in positions if not -n <= position < n]
    if missing or not positions:
        raise IndexError(f"{name}={choice!r}: there are {n}, counted from 0")
    return positions
