"""What all networks share: parameters, and the way from X and y to fitted skorch nets."""

import copy
import inspect
import multiprocessing
import os
import threading
import zlib
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags, check_random_state
from skorch.callbacks import BatchScoring, Callback, EpochScoring, TrainEndCheckpoint
from skorch.callbacks import Checkpoint as SkorchCheckpoint
from torch import Tensor

from .._links import LinkedToDocuments
from .._validation import (
    CompositionTable,
    Interval,
    StrOptions,
    _fit_context,
    validate_compositions,
    warn_of_target_among_features,
)
from .._version import __version__
from ..embeddings import MISSING, load_embedding
from ..modules import CompositionNetwork, fraction_statistics
from ._checkpoint import Checkpoint, Run, hash_of
from ._conflicts import warn_of_conflicts
from ._devices import resolve_device
from ._docstrings import SHARED_SECTIONS
from ._donors import find_donor, refuse_other_features, standardizes_fractions, start_from
from ._progress import ProgressBar
from ._state import ArraysAsState
from ._targets import mean_and_scale
from ._threads import in_threads, survive_fork
from ._training import CompositionNet, LabelledCompositions, Targets, train_member

# Passes over the training samples of a set of up to so many rows.
EPOCHS = 60
FULL_LENGTH = 10_000
_HISTORY = ("epoch", "train_loss", "valid_loss", "dur")

# torch draws initial weights from one generator of the whole process.
_INITIALISING = threading.Lock()


class BaseCompositionNetwork(LinkedToDocuments, ArraysAsState, ABC):
    """Base of the estimators that train an ensemble of networks on compositions.

    A concrete class spells out its hyper-parameters in `__init__`, and says in `_network_class` and
    `_network_settings` which network they make; a base for its kind of target supplies
    `_validate_targets`, `_encode_targets`, `_criterion` and `predict`.

    In the docstrings of concrete classes, the parts that are the same for all stand as names in
    braces; `_docstrings` holds their text.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    """Named settings for `from_preset`."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "embedding": "no_validation",
        "fraction_noise": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "init_from": "no_validation",
        "freeze": [Interval(Integral, 0, None, closed="left")],
        "checkpoint": [str, os.PathLike, None],
        "missing": [StrOptions(set(MISSING))],
        "formula_column": "no_validation",
        "device": [str],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "progress": ["boolean"],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__doc__:
            text = inspect.cleandoc(cls.__doc__)
            for name, section in SHARED_SECTIONS.items():
                text = text.replace(f"{{{name}}}", section)
            cls.__doc__ = text

    @classmethod
    def from_preset(cls, name: str, **overrides: Any) -> Self:
        """Make an estimator with one of the named settings.

        Parameters
        ----------
        name : str
            One of the class's `presets`.
        **overrides
            Constructor parameters that take precedence over the preset's.

        Returns
        -------
        estimator
            An unfitted estimator; its parameters are plain ones and can be searched over.

        Raises
        ------
        ValueError
            If there is no preset of that name.
        """
        if name not in cls.presets:
            raise ValueError(
                f"{cls.__name__} has no preset {name!r}: choose one of {sorted(cls.presets)}"
            )
        return cls(**{**copy.deepcopy(cls.presets[name]), **overrides})

    def _detaches_uncertainty(self) -> bool:
        """Whether the uncertainty is learnt beside the mean, and not together with it."""
        return True

    @abstractmethod
    def _validate_targets(
        self, y: Any, sample_weight: Any, n_samples: int, *, fit: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return y as (n_samples, n_outputs) and weights as (n_samples,); remember y's form."""

    @abstractmethod
    def _encode_targets(self, y: np.ndarray, weights: np.ndarray, *, fit: bool) -> Targets:
        """Return validated targets as the network learns them."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the networks.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Compositions of the samples. In a DataFrame, numeric columns beside the formulas are
            extra features. A DataFrame without formulas has amounts of elements in the columns
            named by symbols, and extra features in the others; a matrix without names has the
            amounts of H, He, Li, ... in its columns.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. In the 2-D `y` of a regressor, NaN is a missing label.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples in the loss.
        X_val, y_val : as X and y, optional
            Samples that are never trained on. Their loss is recorded in `history_` after each
            epoch, and with ``early_stopping=True`` decides when to stop, in place of a share of
            the training samples. In a pipeline, ``Pipeline(..., transform_input=["X_val"])``
            transforms them as it does X.
        sample_weight_val : array-like of shape (n_samples_val,), optional
            Weights of these samples in the loss.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If X cannot be read as compositions, if the embedding lacks an element (see
            `missing`), or if y does not fit X.

        Warns
        -----
        TableWarning
            If numbers may not be amounts of elements, if there are columns beside amounts, or if
            a column of X gives y away (see `crabsk.composition.TableWarning`).
        ConflictingTargetsWarning
            If equal samples have different targets.
        """
        previous = getattr(self, "nets_", []) if self.warm_start else []
        survive_fork()
        if (X_val is None) != (y_val is None) or (X_val is None and sample_weight_val is not None):
            raise ValueError("X_val and y_val belong together, and sample_weight_val to them")
        if previous and X_val is None and (self.early_stopping or self._needs_held_out()):
            raise ValueError(
                "warm_start=True with early_stopping or calibration would hold out samples that "
                "the fit before was trained on: give X_val and y_val"
            )
        if len(previous) > self.n_estimators:
            raise ValueError(
                f"warm_start=True goes on with {len(previous)} members: n_estimators="
                f"{self.n_estimators} must not be below"
            )
        self._settle_features(previous)
        if not previous and hasattr(self, "nets_"):
            # If this fit fails, no old network may answer under the new scaling.
            del self.nets_
        table = validate_compositions(
            self, X, reset=not previous, formula_column=self.formula_column
        )
        y, weights = self._validate_targets(y, sample_weight, len(table.compositions), fit=True)
        labels = np.where(weights[:, None] > 0, y, np.nan)
        warn_of_conflicts(table, labels)
        warn_of_target_among_features(self, table, labels)
        table = self._with_features(table)
        random_state = check_random_state(self.random_state)

        seeds = random_state.randint(np.iinfo(np.int32).max, size=self.n_estimators).tolist()
        groups = table.compositions.unique()[1]
        rows, held_out = np.flatnonzero(weights > 0), None
        if X_val is None and (self.early_stopping or self._needs_held_out()):
            # First of all, so that nothing below is fitted to what is held out.
            rows, held_out = self._hold_out(rows, y, groups, seeds[0])

        donor = find_donor(self) if len(previous) < self.n_estimators else None
        vectors = self._fit_inputs(table, rows, previous, donor)
        packed = self._pack(table)
        self._learn_class_weights(y, _only(rows, weights))
        targets = self._encode_targets(y, _only(rows, weights), fit=not previous)
        training = LabelledCompositions(packed, targets, _labelled(rows, targets), groups)
        if not previous and donor is not None and standardizes_fractions(donor):
            self._fraction_statistics = donor._fraction_statistics
        elif not previous:
            seen = table.compositions.take(training.rows.numpy())
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

        start = (vectors, previous, [] if donor is None else donor.nets_)
        if self.checkpoint is None:
            return self._train(training, validation, *start, seeds, None)
        key = self._run_key(training, validation, *start, seeds)
        with Run.opened(self.checkpoint, key) as run:
            return self._train(training, validation, *start, run.seeds(seeds), run)

    def _train(
        self,
        training: LabelledCompositions,
        validation: LabelledCompositions | None,
        vectors: Tensor,
        previous: list[CompositionNet],
        donors: list[CompositionNet],
        seeds: list[int],
        run: Run | None,
    ) -> Self:
        """Train the members from their seeds, or from where a run was left."""
        modules = [
            self._initial_module(seed, previous[k : k + 1], vectors) for k, seed in enumerate(seeds)
        ]
        callbacks = [_member_callbacks(self.callbacks, k, len(seeds)) for k in range(len(seeds))]
        freezers: list[list[Any]] = [[] for _ in seeds]
        for k in range(len(previous), len(seeds)) if donors else ():
            freezers[k] = start_from(donors[k % len(donors)], modules[k], self.freeze)
        checkpoints = [None if run is None else run.member(k) for k in range(len(seeds))]
        # As in scikit-learn's ensembles, a warm start that adds members keeps the others.
        n_kept = len(previous) if len(seeds) > len(previous) else 0
        members = list(zip(modules, seeds, freezers, callbacks, checkpoints, strict=True))[n_kept:]
        # A search in worker processes would draw one bar over the other.
        silent = not self.progress or multiprocessing.parent_process() is not None
        with ProgressBar(self._n_epochs(len(training)) * len(members), disable=silent) as bar:
            nets = in_threads(
                lambda stop, threads, module, seed, freezer, own, checkpoint: self._train_member(
                    module, training, validation, seed, [*freezer, *own], checkpoint, bar, stop,
                    threads,
                ),
                members,
            )  # fmt: skip
        kept_callbacks, kept_history = (
            (self.callbacks_[:n_kept], self.history_[:n_kept]) if n_kept else ([], [])
        )
        self.callbacks_ = kept_callbacks + [
            [item[1] if isinstance(item, tuple) else item for item in own]
            for own in callbacks[n_kept:]
        ]
        self.history_ = kept_history + [
            [{key: float(epoch[key]) for key in _HISTORY if key in epoch} for epoch in net.history]
            for net in nets
        ]
        for net in nets:
            net.finish()
        self.nets_ = [*previous[:n_kept], *nets]
        self._learn_from_held_out(validation)
        return self

    @property
    def n_iter_(self) -> int:
        """Number of passes over the training samples: that of the member with most."""
        return max(map(len, self.history_))

    def _run_key(
        self,
        training: LabelledCompositions,
        validation: LabelledCompositions | None,
        vectors: Tensor,
        previous: list[CompositionNet],
        donors: list[CompositionNet],
        seeds: list[int],
    ) -> str:
        """Return a hash of all that decides the result of a fit.

        The seeds drawn without a `random_state` do not count: the run remembers them.
        """
        parameters = self.get_params(deep=False)
        for name in ("checkpoint", "progress", "init_from", "embedding", "random_state"):
            del parameters[name]
        # What it learnt stands in the targets.
        parameters.pop("target_transform", None)
        # Draws networks only when it predicts.
        parameters.pop("mc_dropout", None)
        for name, value in parameters.items():
            if name.endswith("widths"):
                parameters[name] = _as_tuple(value)
        return hash_of(
            {
                "versions": (__version__, torch.__version__),
                "estimator": (type(self).__name__, parameters, resolve_device(self.device)),
                "criterion": repr(self._criterion()),
                "n_outputs": self._n_outputs(),
                "seeds": None if self.random_state is None else seeds,
                "element_vectors": vectors.numpy(),
                "fraction_statistics": [part.numpy() for part in self._fraction_statistics],
                "training": training.arrays(),
                "validation": None if validation is None else validation.arrays(),
                "start": [
                    {name: value.cpu().numpy() for name, value in net.module_.state_dict().items()}
                    for net in (*previous, *donors)
                ],
            }
        )

    def _hold_out(
        self, rows: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows to train on, and those of a random share of compositions held out.

        It is compositions that are held out, with all of their rows: a network that has seen one
        at 300 K knows much of it at 400 K. Compositions without any label are not held out.
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

    def _learn_class_weights(self, y: np.ndarray, weights: np.ndarray) -> None:
        """Learn from the samples to train on what each class weighs."""

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """Return what samples are to be held out in proportion to, if anything."""
        return None

    def _needs_held_out(self) -> bool:
        """Whether no member may train on some of the samples."""
        return False

    def _learn_from_held_out(self, held_out: LabelledCompositions | None) -> None:
        """Learn what only samples can teach that no member was trained on."""

    def _train_member(
        self,
        module: CompositionNetwork,
        training: LabelledCompositions,
        validation: LabelledCompositions | None,
        seed: int,
        callbacks: list,
        checkpoint: Checkpoint | None,
        bar: ProgressBar,
        stop: threading.Event,
        threads: int,
    ) -> CompositionNet:
        max_epochs = self._n_epochs(len(training))
        last: list[tuple[str, Callback]] = [("crabsk_progress_bar", bar)]
        epochs_done = 0
        if checkpoint is not None:
            last.insert(0, ("crabsk_checkpoint", checkpoint))
            epochs_done = checkpoint.epochs_done(max_epochs)
        return train_member(
            module,
            training,
            validation,
            seed=seed,
            criterion=self._criterion(),
            max_epochs=max_epochs,
            batch_size=self._batch_size(len(training)),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            fraction_noise=self.fraction_noise,
            patience=self.n_iter_no_change if self.early_stopping else None,
            callbacks=[*callbacks, *last],
            epochs_done=epochs_done,
            device=resolve_device(self.device),
            precision=self.precision,
            stop=stop,
            threads=threads,
        )

    def _batch_size(self, n_rows: int) -> int:
        """Return the number of compositions in a batch."""
        if self.batch_size != "auto":
            return self.batch_size
        # A power of two near n / 32: enough steps an epoch for small sets, enough arithmetic a
        # step for large ones.
        return int(np.clip(2 ** round(np.log2(n_rows) - 5), 32, 512))

    def _n_epochs(self, n_rows: int) -> int:
        """Return the most passes over the training samples."""
        if self.max_epochs != "auto":
            return self.max_epochs
        # Large sets are learnt in fewer passes: beyond FULL_LENGTH rows the number of steps grows
        # with the square root of n only.
        return max(1, round(EPOCHS * min(1.0, (FULL_LENGTH / n_rows) ** 0.5)))

    def _fit_inputs(
        self,
        table: CompositionTable,
        rows: np.ndarray,
        previous: list[CompositionNet],
        donor: "BaseCompositionNetwork | None",
    ) -> Tensor:
        """Load the element vectors, learn the scale of the extra features; return the vectors.

        With a donor of the same extra features its scale is taken over, under which its weights
        were learnt.

        Vectors are standardised over the elements of their table, feature by feature: the tables'
        own scales run from 1e-2 (word embeddings) to 1e4 (melting points).
        """
        element_table = load_embedding(self.embedding)
        known = element_table.values
        filled = element_table.fill(table.compositions, self.missing)
        spread = np.nanstd(known, axis=0)
        vectors = (filled - np.nanmean(known, axis=0)) / np.where(spread == 0, 1.0, spread)
        # What is not filled is not asked for: `fill` refuses compositions that would.
        vectors = torch.from_numpy(np.nan_to_num(vectors, nan=0.0).astype(np.float32))
        if previous:
            if not torch.equal(previous[0].module_.element_vectors.cpu(), vectors):
                raise ValueError(
                    "warm_start=True continues with the weights of the previous fit, but the "
                    "embedding, or what `missing` makes of it, changed"
                )
        else:
            self._extra_mean, self._extra_scale = mean_and_scale(
                table.extra[rows], np.ones((len(rows), table.extra.shape[1]))
            )
        if donor is not None and len(donor._extra_mean):
            refuse_other_features(self, donor)
            given = (donor._extra_mean, donor._extra_scale)
            if previous and not np.array_equal(given, (self._extra_mean, self._extra_scale)):
                raise ValueError(
                    "warm_start=True adds members, and these cannot start from init_from: its "
                    "extra features are scaled otherwise than those of the fit before"
                )
            self._extra_mean, self._extra_scale = given
        self._element_table = element_table
        return vectors

    def _settle_features(self, previous: list[CompositionNet]) -> None:
        """Settle, or check in a warm start, what `_with_features` adds."""

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

    def _initial_module(
        self, seed: int, previous: list[CompositionNet], vectors: Tensor
    ) -> CompositionNetwork:
        """Return a network with fresh weights, or those of the previous fit."""
        with _INITIALISING, torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which reseeds every GPU as well.
            torch.default_generator.manual_seed(seed)
            module = self._build_network(vectors, self._all_settings())
        # Whatever torch's default type is, which the user's process may have changed.
        module = module.float()
        if previous:
            before = previous[0].module_.cpu()
            if str(before) != str(module):
                raise ValueError(
                    "warm_start=True continues with the weights of the previous fit, but the "
                    "parameters describe another network"
                )
            module.load_state_dict(copy.deepcopy(before.state_dict()))
        return module

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, and with `deep` those of estimators among them.

        Those of `init_from` are not among these: what it is made of is not to be set here.
        """
        parameters = super().get_params(deep=False)
        for name, value in list(parameters.items()) if deep else []:
            if name != "init_from" and hasattr(value, "get_params") and not isinstance(value, type):
                nested = value.get_params().items()
                parameters |= {f"{name}__{key}": its for key, its in nested}
        return parameters

    def __sklearn_clone__(self) -> Self:
        # A clone of a fitted estimator has no weights to give, and copies of callbacks no longer
        # reach what the user made them with.
        bare = object.__new__(type(self))
        bare.__dict__ = {**vars(self), "init_from": None, "callbacks": None}
        twin = super(BaseCompositionNetwork, bare).__sklearn_clone__()
        twin.init_from, twin.callbacks = self.init_from, self.callbacks
        return twin

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "nets_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.positive_only = True
        tags.non_deterministic = False
        return tags


def check_widths(name: str, widths: Any) -> tuple[int, ...]:
    """Return the widths of layers as a tuple of int; refuse what are none."""
    if not isinstance(widths, list | tuple | np.ndarray):
        raise ValueError(f"{name} must be a list, tuple or array of widths, not {widths!r}")
    widths = tuple(widths)
    if not widths or not all(isinstance(w, int | np.integer) and w > 0 for w in widths):
        raise ValueError(f"{name}={widths!r} must be one or more widths above 0")
    return tuple(int(width) for width in widths)


def _as_tuple(widths: Any) -> Any:
    """Return lists and arrays, also within each other, as tuples."""
    if isinstance(widths, list | tuple | np.ndarray):
        return tuple(_as_tuple(item) for item in widths)
    return int(widths)


def _only(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return weights that are 0 but at some rows."""
    kept = np.zeros_like(weights)
    kept[rows] = weights[rows]
    return kept


def _labelled(rows: np.ndarray, targets: Targets) -> Tensor:
    """Return those of the rows that have a label with a weight; the others teach nothing."""
    return torch.from_numpy(rows[(targets.weights[rows] > 0).any(dim=1).numpy()])


def _member_callbacks(callbacks: Any, member: int, n_members: int) -> list[Any]:
    """Return copies of callbacks, and of (name, callback) pairs as skorch takes them, for a member.

    The copies are shallow. What a callback was made with stays the user's object: a list that it
    fills, an open file, a trial of Optuna. Members train side by side, so that each writes to a
    folder of its own.
    """
    copies = []
    for item in callbacks or ():
        name, callback = item if isinstance(item, tuple) else (None, item)
        if isinstance(callback, EpochScoring | BatchScoring):
            raise ValueError(
                f"{type(callback).__name__} cannot score the outputs of these networks, which hold "
                "an uncertainty: give X_val and y_val, and read valid_loss in history_"
            )
        own = copy.copy(callback)
        if isinstance(own, SkorchCheckpoint | TrainEndCheckpoint) and n_members > 1:
            own.dirname = os.path.join(own.dirname, f"member{member}")
        copies.append(own if name is None else (name, own))
    return copies
