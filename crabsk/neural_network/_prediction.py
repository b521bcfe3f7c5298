"""Fitted networks and new samples: X read in chunks, and what the members say of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _num_samples, check_is_fitted
from torch import Tensor

from .._validation import (
    CompositionTable,
    extra_feature_columns,
    stream_compositions,
    validate_compositions,
)
from ..embeddings import ElementTable
from ..modules import CompositionNetwork, PackedBatch, PackedCompositions
from ._extra_columns import encode_ranges
from ._net import CompositionNet
from ._progress import is_silent, row_bar
from ._threads import ask_side_by_side, survive_fork
from ._trace_warning import Traces
from ._unseen_elements import UnseenElements

# Rows of X that are read at a time.
READING_CHUNK = 65_536
# Compositions in a batch of a prediction: on a CPU what its caches hold, else what fills a device.
PREDICTION_CHUNK = 1024
DEVICE_CHUNK = 4096
# Products with fewer rows are summed by other routines. The prediction for a row would depend on
# the other rows in the batch, by more than rounding.
FEWEST_ROWS = 8


class MemberOutputs(NamedTuple):
    """What the members of an ensemble say of a chunk of rows, each (n_members, n_rows, K).

    The mean of a classifier is a logit, and its sigma means nothing.
    """

    mean: np.ndarray
    sigma: np.ndarray


class FittedNetworks(BaseEstimator):
    """What an estimator does with its members once they are trained."""

    nets_: list[CompositionNet]
    history_: list[list[dict[str, float]]]
    callbacks_: list[list[Any]]
    formula_position_: int | None
    missing: str
    learning_rate: float | str
    progress: bool
    _element_table: ElementTable
    _least_fraction: float
    _seen_elements: list[int] | None
    _extra_edges: np.ndarray
    _extra_mean: np.ndarray
    _extra_scale: np.ndarray

    def encode(self, X: Any, member: int = 0) -> np.ndarray:
        """Return each sample as a vector: its encoding in one network, before the head.

        Use these vectors for search, for clustering, or as features for another estimator, for
        example through ``FunctionTransformer(model.encode)``. Samples that are alike for the learnt
        target are close to each other.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as in `fit`.
        member : int, default=0
            Which network of the ensemble. Vectors of different networks cannot be compared.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            For CrabNet, the mean over the encoded elements of the sample, weighted as in its
            prediction; n_features is `d_model`. For Roost, the pooled vector. For ElemNet, the last
            hidden layer.

        Raises
        ------
        ValueError
            As `predict`.
        IndexError
            If there is no such member.
        """
        check_is_fitted(self)
        if not -len(self.nets_) <= member < len(self.nets_):
            raise IndexError(f"member={member}, but there are {len(self.nets_)} networks")
        network = self._networks()[member]
        vectors = []
        for rows, table in self._stream(X):
            vectors.append(self._vectors(table, network))
            self._check_finite(vectors[-1], table.extra, np.arange(rows.start, rows.stop))
        return np.concatenate(vectors)

    def _vectors(self, table: CompositionTable, network: CompositionNetwork) -> np.ndarray:
        """Return each row as a vector; equal compositions are computed once."""
        distinct, inverse = self._distinct(table)
        encoded = torch.empty(len(distinct), network.n_features, dtype=torch.float32)

        def ask(where: Tensor, batch: PackedBatch) -> None:
            encoded[where] = network.encode(batch).cpu()

        self._ask(ask, table, distinct)
        return encoded.numpy()[inverse]

    def _networks(self) -> list[CompositionNetwork]:
        """Return the members' networks, ready to predict."""
        survive_fork()
        return [net.module_.to(net.device).eval() for net in self.nets_]

    def _stream(self, X: Any) -> Iterator[tuple[slice, CompositionTable]]:
        """Yield rows of X, in order, and what stands in them."""
        surprises = Traces(self._least_fraction), UnseenElements(self._seen_elements)
        with ExitStack() as stack:
            bar = None
            for rows, table in stream_compositions(self, X, READING_CHUNK):
                if bar is None and not is_silent(self.progress):
                    bar = stack.enter_context(row_bar(_num_samples(X)))
                try:
                    self._check_covered(table)
                except ValueError:
                    # Raises for all rows that lack a vector, numbered as the user's are.
                    self._check_covered(validate_compositions(self, X, reset=False))
                    raise
                for surprise in surprises:
                    surprise.look(rows.start, table.compositions)
                yield rows, self._with_features(table)
                if bar is not None:
                    bar.update(rows.stop - rows.start)
        for surprise in surprises:
            surprise.warn()

    def _distinct(self, table: CompositionTable) -> tuple[np.ndarray, np.ndarray]:
        """Return a row of each distinct sample, and which of them stands for each row.

        The user's own columns and the composition tell samples apart; features made of them do not.
        """
        n_made = table.extra.shape[1] - len(self._extra_edges)
        return table.compositions.unique(table.extra[:, n_made:])

    def _batches(
        self, packed: PackedCompositions, rows: Tensor
    ) -> Iterator[tuple[Tensor, PackedBatch]]:
        """Yield batches of like length, each with which of `rows` it holds."""
        by_length = rows[packed.lengths[rows].argsort(stable=True)]
        # Some rows again, which does no harm.
        n_padded = len(rows) + -len(rows) % FEWEST_ROWS
        by_length = by_length[torch.arange(n_padded) % len(rows)]
        position = torch.empty(len(packed), dtype=torch.int64)
        position[rows] = torch.arange(len(rows))
        device = self.nets_[0].device
        size = PREDICTION_CHUNK if device == "cpu" else DEVICE_CHUNK
        for batch_rows, batch in packed.batches(by_length, size):
            yield position[batch_rows], batch.to(device)

    def _member_outputs(
        self, X: Any, networks: list[CompositionNetwork]
    ) -> Iterator[tuple[slice, MemberOutputs]]:
        """Yield rows of X, in order, and what the networks say of them.

        Memory is bounded by the chunks.
        """
        for rows, table in self._stream(X):
            outputs = self._answers(table, networks)
            self._check_finite(
                outputs.mean.swapaxes(0, 1), table.extra, np.arange(rows.start, rows.stop)
            )
            yield rows, outputs

    def _check_finite(self, values: np.ndarray, extra: np.ndarray, rows: np.ndarray) -> None:
        """Refuse rows that overflow in a network, as a temperature of 1e30 does.

        `values` and `extra`, their extra features, have an item for each of the `rows` of X.
        """
        finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if finite.all():
            return
        row = int(finite.argmin())
        problem = f"row {rows[row]}: a network has no finite output. "
        names = self._extra_names()
        if names:
            own, mean, scale = (
                part[-len(names) :] for part in (extra[row], self._extra_mean, self._extra_scale)
            )
            with np.errstate(over="ignore"):
                far = abs(own - mean) / scale
            column = int(far.argmax())
            if far[column] > 1000:
                raise ValueError(
                    f"{problem}The column {names[column]!r} holds {own[column]:g}; the training "
                    f"samples had {mean[column]:g} with a standard deviation of {scale[column]:g}"
                )
        rates = [epoch.get("learning_rate", 0.0) for member in self.history_ for epoch in member]
        raise ValueError(
            f"{problem}The weights are too large because the training diverged: fit again with a "
            f"learning_rate below {max(rates) or self.learning_rate}"
        )

    def _answers(
        self, table: CompositionTable, networks: list[CompositionNetwork]
    ) -> MemberOutputs:
        """Return what networks say of each row; equal compositions are computed once."""
        distinct, inverse = self._distinct(table)
        mean = torch.empty(len(networks), len(distinct), networks[0].n_outputs, dtype=torch.float64)
        log_sigma = torch.empty_like(mean)

        def ask(where: Tensor, batch: PackedBatch) -> None:
            for k, network in enumerate(networks):
                output = network(batch)
                mean[k, where] = output.mean.double().cpu()
                log_sigma[k, where] = output.log_sigma.double().cpu()

        self._ask(ask, table, distinct)
        return MemberOutputs(mean.numpy()[:, inverse], log_sigma.exp().numpy()[:, inverse])

    def _ask(
        self, ask: Callable[[Tensor, PackedBatch], None], table: CompositionTable, rows: np.ndarray
    ) -> None:
        """Hand batches of these rows to a function that asks networks."""

        @torch.inference_mode()  # each thread has a mode of its own
        def ask_one(batch: tuple[Tensor, PackedBatch]) -> None:
            ask(*batch)

        batches = self._batches(self._pack(table), torch.from_numpy(rows))
        ask_side_by_side(ask_one, batches, on_cpu=self.nets_[0].device == "cpu")

    def _with_features(self, table: CompositionTable) -> CompositionTable:
        """Return a table with the features that this estimator makes itself, before the others."""
        if not len(self._extra_edges):
            return table
        ranges = encode_ranges(table.extra, self._extra_edges)
        return CompositionTable(table.compositions, np.hstack([ranges, table.extra]))

    def _check_covered(self, table: CompositionTable) -> None:
        """Refuse elements without a vector, unless `missing` chose a fill."""
        self._element_table.fill(table.compositions, self.missing)

    def _pack(self, table: CompositionTable) -> PackedCompositions:
        compositions = table.compositions
        with np.errstate(over="ignore"):  # what overflows is refused with the answers
            extra = ((table.extra - self._extra_mean) / self._extra_scale).astype(np.float32)
        return PackedCompositions(
            torch.from_numpy(compositions.atomic_numbers),
            torch.from_numpy(compositions.fractions.astype(np.float32)),
            torch.from_numpy(compositions.offsets),
            torch.from_numpy(extra),
        )

    def _extra_names(self) -> list[Any]:
        """Return the names or numbers of the columns of X beside the composition."""
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return [names[j] for j in extra_feature_columns(self)]
