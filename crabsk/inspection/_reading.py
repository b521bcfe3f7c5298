"""Shared by the inspections: from X to what networks compute for its elements, in little memory."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .._validation import CompositionTable, validate_compositions
from ..composition import Compositions, find_formulas_at, reduced_formula
from ..modules import CrabNet, PackedBatch
from ..neural_network import BaseCompositionNetwork, CrabNetClassifier, CrabNetRegressor


class EqualLengths(NamedTuple):
    """Rows of a chunk with the same number n of elements, and what was computed for them.

    Shape
    -----
    rows : (m,)
    tokens : (m, n), where their elements stand in the chunk's compositions
    values : (m, ...)
    """

    rows: np.ndarray
    tokens: np.ndarray
    values: np.ndarray


def crabnets(estimator: Any, why_not: str) -> list[CrabNet]:
    """Return the members' networks of a fitted CrabNet.

    Raises
    ------
    TypeError
        If `estimator` is another one, with `why_not` as the reason.
    """
    if not isinstance(estimator, CrabNetRegressor | CrabNetClassifier):
        raise TypeError(
            f"{type(estimator).__name__} {why_not}. Pass a fitted CrabNetRegressor or "
            "CrabNetClassifier itself: the best_estimator_ of a search, the last step of a "
            "pipeline"
        )
    check_is_fitted(estimator)
    networks = estimator._networks()
    assert all(isinstance(network, CrabNet) for network in networks)
    return networks  # type: ignore[return-value]


def compute_by_length(
    estimator: BaseCompositionNetwork, X: Any, compute: Callable[[PackedBatch], Tensor]
) -> Iterator[tuple[slice, Compositions, Iterator[EqualLengths]]]:
    """Yield chunks of X, each with its compositions and what `compute` says of them.

    `compute` gets batches of compositions with the same number of elements and returns a tensor
    (n_compositions, ...). In each chunk, equal compositions are computed once.
    """
    for where, table in estimator._stream(X):
        yield where, table.compositions, _equal_lengths(estimator, table, where.start, compute)


def _equal_lengths(
    estimator: BaseCompositionNetwork,
    table: CompositionTable,
    start: int,
    compute: Callable[[PackedBatch], Tensor],
) -> Iterator[EqualLengths]:
    compositions = table.compositions
    packed = estimator._pack(table)
    distinct, inverse = estimator._distinct(table)
    lengths = compositions.lengths
    for n in np.unique(lengths):
        rows = np.flatnonzero(lengths == n)
        chosen, position = np.unique(inverse[rows], return_inverse=True)
        values: Tensor | None = None
        with torch.inference_mode():
            for where, batch in estimator._batches(packed, torch.from_numpy(distinct[chosen])):
                part = compute(batch).cpu()
                if values is None:
                    values = part.new_empty(len(chosen), *part.shape[1:])
                values[where] = part
        assert values is not None
        by_row = values.numpy()[position]
        estimator._check_finite(by_row, table.extra[rows], start + rows)
        tokens = compositions.offsets[rows][:, None] + np.arange(n)
        yield EqualLengths(rows, tokens, by_row)


def formula_texts(estimator: BaseCompositionNetwork, X: Any) -> np.ndarray:
    """Return each row's formula: as it is written where it is text, else the reduced one."""
    table = find_formulas_at(X, estimator.formula_position_)
    if table is None:
        return reduced_formula(validate_compositions(estimator, X, reset=False).compositions)
    texts = np.empty(len(table.formulas), dtype=object)
    texts[:] = table.formulas
    unwritten = [row for row, item in enumerate(table.formulas) if not isinstance(item, str)]
    if unwritten:
        texts[unwritten] = reduced_formula(texts[unwritten].tolist())
    return texts
