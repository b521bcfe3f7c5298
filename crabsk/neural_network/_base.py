"""What all networks share: parameters, and the way from X and y to fitted skorch nets."""

import copy
import os
import time
from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import Tags, check_random_state

from .._validation import (
    Interval,
    StrOptions,
    _fit_context,
)
from ..embeddings import MISSING
from ._checkpoint import Run
from ._net import CompositionNet
from ._parameter_names import unknown_names
from ._plan import MemberPlan, MemberPlanning
from ._progress import ProgressBar, is_silent
from ._samples import Samples
from ._sklearn_callbacks import CallbackSupport, SklearnTasks
from ._threads import survive_fork, train_members
from ._time_limit import shorten
from ._training import train_member

_HISTORY = ("epoch", "train_loss", "valid_loss", "learning_rate", "dur")


class BaseCompositionNetwork(CallbackSupport, MemberPlanning, ABC):
    """Base of the estimators that train an ensemble of networks on compositions.

    A concrete class lists its hyperparameters in `__init__` and has two bases. The base of the
    network defines in `_network_class` and `_network_settings` which network is made. The base of
    the kind of target has `_validate_targets`, `_encode_targets`, `_criterion` and `predict`.
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
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "init_from": "no_validation",
        "freeze": [Interval(Integral, 0, None, closed="left")],
        "checkpoint": [str, os.PathLike, None],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "missing": [StrOptions(set(MISSING))],
        "device": [str],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "progress": ["boolean"],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    _replaced: ClassVar[dict[str, str]] = {
        "early_stopping": "n_iter_no_change, which stops early unless it is None",
        "formula_column": "an X with one column of formulas, such as X[['formula', 'T']]",
        "verbose": "progress",
        "lr": "learning_rate",
        "max_lr": "learning_rate",
        "epochs": "max_epochs",
        "max_iter": "max_epochs",
        "patience": "n_iter_no_change",
        "seed": "random_state",
        "val_size": "validation_fraction",
        "elem_prop": "embedding",
        "fudge": "fraction_noise",
        "extend_features": "an X with the formulas and these columns",
        "classification": "the classifier of the same network",
        "force_cpu": 'device="cpu"',
        "compute_device": "device",
        "losscurve": "TrainingHistoryDisplay of crabsk.inspection",
        "preset": "the class method from_preset(name)",
    }
    """Names that parameters had, or have in crabnet and elsewhere, and what takes their place."""

    def __init__(
        self,
        *,
        embedding: Any,
        max_epochs: int | str,
        batch_size: int | str,
        learning_rate: float | str,
        weight_decay: float,
        fraction_noise: float,
        n_estimators: int,
        validation_fraction: float,
        n_iter_no_change: int | None,
        init_from: Any,
        freeze: int,
        checkpoint: Any,
        time_limit: float | None,
        missing: str,
        device: str,
        precision: str,
        progress: bool,
        callbacks: Any,
        warm_start: bool,
        random_state: Any,
    ) -> None:
        self.embedding = embedding
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.fraction_noise = fraction_noise
        self.n_estimators = n_estimators
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.init_from = init_from
        self.freeze = freeze
        self.checkpoint = checkpoint
        self.time_limit = time_limit
        self.missing = missing
        self.device = device
        self.precision = precision
        self.progress = progress
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state

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
            An unfitted estimator. Its parameters can be tuned as usual.

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
        """Whether learning the uncertainty leaves the mean alone."""
        return True

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
            Compositions. Numeric columns beside formulas are extra features. Columns named by
            symbols hold amounts. A matrix without names holds the amounts of H, He, Li, ... in this
            order.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. In a 2-D `y` of a regressor, NaN marks a missing label.
        sample_weight, sample_weight_val : array-like of shape (n_samples,), optional
            Weights of the samples, and of those in X_val, in the loss.
        X_val, y_val : as X and y, optional
            Validation samples, which are never trained on. `history_` records their loss after each
            epoch. With `n_iter_no_change`, this loss determines when to stop, and no training
            samples are held out. In a pipeline, ``Pipeline(..., transform_input=["X_val"])``
            transforms X_val like X.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If X cannot be read, the embedding lacks an element, or y does not match X.

        Warns
        -----
        TableWarning
            If X may have been misread; see `crabsk.composition.TableWarning`.
        ConflictingTargetsWarning
            If equal samples have different targets.
        """
        began = time.monotonic()
        survive_fork()
        previous = self._previous_members(X_val, y_val, sample_weight_val)
        seeds = self._draw_seeds()
        samples = self._prepare(
            X, y, sample_weight, X_val, y_val, sample_weight_val, previous, seeds[0]
        )
        with self._run(samples, previous, seeds) as run:
            seeds = seeds if run is None else run.seeds(seeds)
            plans = self._plan(samples, previous, seeds, run)
            wanted = sum(plan.recipe.max_epochs for plan in plans)
            if self.time_limit is not None:
                plans = shorten(plans, samples, self.time_limit, lambda: time.monotonic() - began)
            self._is_shortened = sum(plan.recipe.max_epochs for plan in plans) < wanted
            tasks = SklearnTasks(self, X, y, sample_weight, plans)
            self._finish(plans, self._train(plans, samples, tasks), previous)
            tasks.end()
        return self

    def _draw_seeds(self) -> list[int]:
        """Return a seed for each member."""
        random_state = check_random_state(self.random_state)
        return random_state.randint(np.iinfo(np.int32).max, size=self.n_estimators).tolist()

    @contextmanager
    def _run(
        self, samples: Samples, previous: list[CompositionNet], seeds: list[int]
    ) -> Iterator[Run | None]:
        """Hold the folder in which a fit of this kind is noted, if there is to be one."""
        if self.checkpoint is None:
            yield None
            return
        with Run.opened(self.checkpoint, self._run_key(samples, previous, seeds)) as run:
            yield run

    def _previous_members(
        self, X_val: Any, y_val: Any, sample_weight_val: Any
    ) -> list[CompositionNet]:
        """Return the members that a warm start goes on with; drop those of an earlier fit."""
        if (X_val is None) != (y_val is None) or (X_val is None and sample_weight_val is not None):
            raise ValueError("X_val and y_val belong together; sample_weight_val needs them")
        if self.time_limit is not None and self.checkpoint is not None:
            raise ValueError(
                "time_limit does not go with checkpoint: a run that is killed and continued has no "
                "single duration. Set max_epochs and n_estimators instead"
            )
        previous = getattr(self, "nets_", []) if self.warm_start else []
        if previous and X_val is None and self.n_iter_no_change is not None:
            raise ValueError(
                "warm_start=True with n_iter_no_change would hold out samples that the previous "
                "fit was trained on: give X_val and y_val"
            )
        if len(previous) > self.n_estimators:
            raise ValueError(
                f"warm_start=True continues with {len(previous)} members: n_estimators="
                f"{self.n_estimators} must not be below this number"
            )
        if not previous and hasattr(self, "nets_"):
            # If this fit fails, no old network may answer under the new scaling.
            del self.nets_
        return previous

    def _train(
        self, plans: list[MemberPlan], samples: Samples, tasks: SklearnTasks
    ) -> list[CompositionNet]:
        """Train the members side by side."""
        n_epochs = sum(plan.recipe.max_epochs for plan in plans)
        with ProgressBar(n_epochs, disable=is_silent(self.progress)) as bar:
            last = [("crabsk_progress_bar", bar), *tasks.callbacks]
            return train_members(
                lambda plan, stop, threads: train_member(
                    plan, samples, last=last, stop=stop, threads=threads
                ),
                plans,
            )

    def _finish(
        self,
        plans: list[MemberPlan],
        nets: list[CompositionNet],
        previous: list[CompositionNet],
    ) -> None:
        """Keep the members, with those that a warm start left alone, and what they recorded."""
        n_kept = self._n_kept(previous)
        kept_callbacks = self.callbacks_[:n_kept] if n_kept else []
        kept_history = self.history_[:n_kept] if n_kept else []
        self.callbacks_ = kept_callbacks + [
            [item[1] if isinstance(item, tuple) else item for item in plan.callbacks]
            for plan in plans
        ]
        self.history_ = kept_history + [
            [{key: float(epoch[key]) for key in _HISTORY if key in epoch} for epoch in net.history]
            for net in nets
        ]
        for net in nets:
            net.finish()
        self.nets_ = [*previous[:n_kept], *nets]

    @property
    def n_iter_(self) -> int:
        """Number of passes over the training samples, by the member with the most passes."""
        return max(map(len, self.history_))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, and with `deep` those of nested estimators.

        The parameters of `init_from` are left out, because they are not to be set here.
        """
        parameters = super().get_params(deep=False)
        for name, value in list(parameters.items()) if deep else []:
            if name != "init_from" and hasattr(value, "get_params") and not isinstance(value, type):
                nested = value.get_params().items()
                parameters |= {f"{name}__{key}": its for key, its in nested}
        return parameters

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, and those of nested estimators as ``name__parameter``."""
        known = self._get_param_names()
        if unknown := [name for name in params if name.partition("__")[0] not in known]:
            raise ValueError(unknown_names(type(self), unknown))
        return super().set_params(**params)

    @classmethod
    def _all_replaced(cls) -> dict[str, str]:
        """Return what takes the place of parameters, also those of base classes."""
        replaced: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            replaced |= vars(base).get("_replaced", {})
        return replaced

    def __sklearn_clone__(self) -> Self:
        # A clone of the fitted `init_from` would have no weights. Copies of callbacks would no
        # longer reach the objects that the user made them with.
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
