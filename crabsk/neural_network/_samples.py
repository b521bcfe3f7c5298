"""From X and y to what networks are trained on: read, held out, scaled and packed."""

import zlib
from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from .._validation import (
    CompositionTable,
    validate_compositions,
    warn_of_target_among_features,
)
from ..embeddings import load_embedding
from ..modules import fraction_statistics
from ..pretrained import known_weights, warn_of_known_targets
from ._conflicts import equal_samples, pure_error, warn_of_conflicts
from ._extra_columns import N_RANGES, encode_ranges, range_edges
from ._net import CompositionNet, LabelledCompositions, Targets
from ._source import find_source, refuse_other_features, standardizes_fractions
from ._state import ArraysAsState
from ._targets import mean_and_scale


class Samples(NamedTuple):
    """What a fit learns from.

    Parameters
    ----------
    training : LabelledCompositions
        What the members are trained on.
    validation : LabelledCompositions or None
        What none of them is trained on.
    element_vectors : Tensor of shape (118, n_features)
        The element vectors, standardised.
    source : list of CompositionNet
        Fitted nets whose weights the members start from; empty without `init_from`.
    """

    training: LabelledCompositions
    validation: LabelledCompositions | None
    element_vectors: Tensor
    source: list[CompositionNet]


class SamplePreparation(ArraysAsState):
    """The first step of `fit`: what is held out is split off, and scales are learnt of the rest."""

    embedding: Any
    fraction_noise: float
    validation_fraction: float
    n_estimators: int
    checkpoint: Any
    init_from: Any
    freeze: int
    n_iter_no_change: int | None

    @abstractmethod
    def _validate_targets(
        self, y: Any, sample_weight: Any, n_samples: int, *, fit: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return y as (n_samples, n_outputs) and weights as (n_samples,); remember y's form."""

    @abstractmethod
    def _encode_targets(self, y: np.ndarray, weights: np.ndarray, *, fit: bool) -> Targets:
        """Return validated targets as the network learns them."""

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """Return what samples are to be held out in proportion to, if anything."""
        return None

    def _learn_class_weights(self, y: np.ndarray, weights: np.ndarray) -> None:
        """Learn from the samples to train on what each class weighs."""

    def _choose_settings(self, n_rows: int) -> None:
        """Choose settings of the networks that depend on the number of samples to train on."""

    def _check_features(self, previous: list[CompositionNet]) -> None:
        """Check in a warm start what `_with_features` adds, else remember it."""

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
        previous: list[CompositionNet],
        split_seed: int,
    ) -> Samples:
        """Read the samples, hold some out, and learn scales and statistics from the others.

        `previous` are the members of the fit that a warm start goes on with, whose scales stay.
        """
        self._check_features(previous)
        table = validate_compositions(self, X, reset=not previous)
        y, weights = self._validate_targets(y, sample_weight, len(table.compositions), fit=True)
        labels = np.where(weights[:, None] > 0, y, np.nan)
        warn_of_conflicts(table, labels)
        warn_of_target_among_features(self, table, labels)

        groups = table.compositions.unique()[1]
        rows, held_out = np.flatnonzero(weights > 0), None
        if X_val is None and self.n_iter_no_change is not None:
            # First of all, so that nothing below is fitted to what is held out.
            rows, held_out = self._hold_out(rows, y, groups, split_seed)

        source = None
        if len(previous) < self.n_estimators:
            source = find_source(self.init_from, self.freeze)
        if pretrained := known_weights(self.init_from):
            warn_of_known_targets(pretrained, table.compositions, labels)
        self._learn_class_weights(y, _only(rows, weights))
        targets = self._encode_targets(y, _only(rows, weights), fit=not previous)
        trained = _labelled(rows, targets)
        self._pure_error = pure_error(
            equal_samples(table)[trained.numpy()],
            targets.values[trained].numpy(),
            (targets.weights[trained] > 0).numpy(),
        )
        if not previous:
            self._choose_settings(len(trained))
            self._extra_edges = range_edges(table.extra[trained.numpy()])
            if source is not None and len(source._extra_mean):
                refuse_other_features(self, source)
                if len(source._extra_edges):
                    self._extra_edges = source._extra_edges
        table = self._with_features(table)
        vectors = self._fit_inputs(table, trained.numpy(), previous, source)
        packed = self._pack(table)
        training = LabelledCompositions(packed, targets, trained, groups)
        seen = table.compositions.take(training.rows.numpy())
        least = float(seen.fractions.min(initial=1.0))
        elements = np.unique(seen.atomic_numbers)
        # The samples of earlier fits count, too, if anybody knows them.
        if previous:
            least = min(least, self._least_fraction)
        if previous and self._seen_elements is not None:
            elements = np.union1d(elements, self._seen_elements)
        self._least_fraction = least
        if not previous or self._seen_elements is not None:
            self._seen_elements = elements.tolist()
        if not previous and source is not None and standardizes_fractions(source):
            self._fraction_statistics = source._fraction_statistics
        elif not previous:
            self._fraction_statistics = fraction_statistics(
                torch.from_numpy(seen.atomic_numbers),
                torch.from_numpy(seen.fractions),
                self.fraction_noise,
            )
        validation = None
        if X_val is not None:
            validation = self._validation_set(X_val, y_val, sample_weight_val)
        elif held_out is not None:
            targets = self._encode_targets(y, _only(held_out, weights), fit=False)
            validation = LabelledCompositions(packed, targets, _labelled(held_out, targets), groups)
        return Samples(training, validation, vectors, [] if source is None else source.nets_)

    def _hold_out(
        self, rows: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows to train on, and those of a random share of compositions held out.

        Compositions are held out with all of their rows: a network that has seen a composition at
        300 K knows much about it at 400 K. Compositions without any label are not held out.
        """
        if self.checkpoint is not None and self.random_state is None:
            # A run that goes on must hold out what it held out before.
            seed = zlib.crc32(groups.tobytes())
        fraction = self.validation_fraction
        labelled = rows[~np.isnan(y[rows]).all(axis=1)]
        distinct, first = np.unique(groups[labelled], return_index=True)
        strata = self._strata(y)
        try:
            _, held_groups = train_test_split(
                distinct,
                test_size=fraction,
                random_state=seed,
                stratify=None if strata is None else strata[labelled[first]],
            )
        except ValueError as error:
            raise ValueError(
                f"validation_fraction={fraction} of the training compositions cannot be held out: "
                f"give X_val and y_val, or more samples ({error})"
            ) from error
        is_held_out = np.isin(groups[rows], held_groups)
        parts = rows[~is_held_out], rows[is_held_out]
        for part, use in zip(parts, ("train on", "hold out"), strict=True):
            lost = np.flatnonzero(np.isnan(y[part]).all(axis=0))
            if len(lost):
                raise ValueError(
                    f"validation_fraction={fraction} leaves no label of target {int(lost[0])} to "
                    f"{use}: give X_val and y_val"
                )
        return parts

    def _fit_inputs(
        self,
        table: CompositionTable,
        rows: np.ndarray,
        previous: list[CompositionNet],
        source: Any,
    ) -> Tensor:
        """Load the element vectors, learn the scale of the extra features; return the vectors.

        If the source has the same extra features, their scale is taken over, because the source's
        weights were learnt with it.

        Vectors are standardised over the elements of their table, feature by feature: the tables'
        own scales run from 1e-2 (word embeddings) to 1e4 (melting points).
        """
        element_table = load_embedding(self.embedding)
        known = element_table.values
        filled = element_table.fill(table.compositions, self.missing)
        spread = np.nanstd(known, axis=0)
        vectors = (filled - np.nanmean(known, axis=0)) / np.where(spread == 0, 1.0, spread)
        # `fill` has refused compositions with elements that are still unfilled.
        vectors = torch.from_numpy(np.nan_to_num(vectors, nan=0.0).astype(np.float32))
        if previous:
            if not torch.equal(previous[0].module_.element_vectors.cpu(), vectors):
                raise ValueError(
                    "warm_start=True continues with the weights of the previous fit, but "
                    "`embedding` or `missing` was changed"
                )
        else:
            self._extra_mean, self._extra_scale = mean_and_scale(
                table.extra[rows], np.ones((len(rows), table.extra.shape[1]))
            )
            # The ranges of a column together weigh as much as the column.
            n_own = len(self._extra_edges)
            n_ranges = encode_ranges(np.zeros((1, n_own)), self._extra_edges).shape[1]
            first = table.extra.shape[1] - n_own - n_ranges
            self._extra_scale[first : first + n_ranges] *= N_RANGES**0.5
        if source is not None and len(source._extra_mean):
            refuse_other_features(self, source)
            # Those of a cbfv stand first.
            n_given = len(source._extra_mean)
            given = (source._extra_mean, source._extra_scale)
            own = (self._extra_mean[:n_given], self._extra_scale[:n_given])
            if previous and not np.array_equal(given, own):
                raise ValueError(
                    "warm_start=True adds members, and these cannot start from init_from: its "
                    "extra features are scaled otherwise than in the previous fit"
                )
            own[0][:], own[1][:] = given
        self._element_table = element_table
        return vectors

    def _validation_set(self, X: Any, y: Any, sample_weight: Any) -> LabelledCompositions:
        try:
            table = self._with_features(validate_compositions(self, X, reset=False))
            self._check_covered(table)
            n = len(table.compositions)
            y, weights = self._validate_targets(y, sample_weight, n, fit=False)
            targets = self._encode_targets(y, weights, fit=False)
        except ValueError as error:
            raise ValueError(f"X_val, y_val: {error}") from error
        rows = _labelled(np.arange(n), targets)
        return LabelledCompositions(
            self._pack(table), targets, rows, table.compositions.unique()[1]
        )


def _only(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return weights that are 0 but at some rows."""
    kept = np.zeros_like(weights)
    kept[rows] = weights[rows]
    return kept


def _labelled(rows: np.ndarray, targets: Targets) -> Tensor:
    """Return those of the rows that have a label with a weight; the others teach nothing."""
    return torch.from_numpy(rows[(targets.weights[rows] > 0).any(dim=1).numpy()])
