"""ElemNet as scikit-learn estimators."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils import Tags

from .._validation import Interval
from ..composition import ELEMENTS
from ..modules import ELEMNET_ELEMENTS, ElemNet
from ._base import BaseCompositionNetwork, check_widths
from ._classification import CompositionClassifier
from ._regression import CompositionRegressor

_WIDTHS = (
    (1024, 1024, 1024, 1024),
    (512, 512, 512),
    (256, 256, 256),
    (128, 128, 128),
    (64, 64),
    (32,),
)
_SYMBOLS = [ELEMENTS[z - 1] for z in ELEMNET_ELEMENTS]
_PAPER = {
    "embedding": pd.DataFrame(np.eye(len(_SYMBOLS)), index=_SYMBOLS, columns=_SYMBOLS),
    "max_epochs": 300,
    "batch_size": 32,
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "fraction_noise": 0.0,
    "n_estimators": 1,
}
_CONSTRAINTS: dict[str, Any] = {"widths": ["array-like"], "dropout": ["array-like"]}


class _ElemNetEstimator(BaseCompositionNetwork):
    """What makes an estimator an ElemNet, whatever its targets."""

    _network_class = ElemNet

    def _network_settings(self) -> dict[str, Any]:
        rates = tuple(self.dropout)
        if not all(isinstance(rate, Real) and 0 <= float(rate) < 1 for rate in rates):
            raise ValueError(f"dropout={rates!r} must be rates from 0 up to, not with, 1")
        if not len(self.widths):
            raise ValueError("widths=() must be one or more blocks of widths")
        return {
            "widths": tuple(check_widths("a block of widths", block) for block in self.widths),
            "dropout": rates,
            "detach_uncertainty": self._detaches_uncertainty(),
        }


class ElemNetRegressor(CompositionRegressor, _ElemNetEstimator):
    """ElemNet for real-valued targets: 17 fully connected layers on atomic fractions.

    Each member sees nothing of a formula but how much there is of each element [1]_; it knows of
    no likeness between elements. A baseline for networks that do. Members differ in their initial
    weights and in the order of the samples.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="onehot"
    {embedding}
        With another table than "onehot" the network sees the vectors' mean, weighted by fractions.

    {elemnet}

    {loss}

    {training}

    {mc_dropout}

    {running}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    ElemNetClassifier : The same network for classes.
    CrabNetRegressor : A transformer over the same elements.

    Notes
    -----
    `from_preset` names two settings, "default" and "paper", the latter with the loss, batches, rate
    and elements of [1]_: all up to plutonium but for He, Ne, Ar, Po, At, Rn, Fr and Ra. Each is
    plain parameters.

    References
    ----------
    {elemnet_reference}
    {mc_dropout_reference}

    Examples
    --------
    >>> from crabsk import ElemNetRegressor
    >>> X = ["NaCl", "KCl", "NaBr", "KBr"]
    >>> y = [-2.13, -2.26, -1.87, -2.04]
    >>> model = ElemNetRegressor(max_epochs=5, n_estimators=2, random_state=0).fit(X, y)
    >>> mean, std = model.predict(["RbCl", "NaI"], return_std=True)
    >>> mean.shape, bool((std > 0).all())
    ((2,), True)
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "paper": {**_PAPER, "loss": "absolute_error"},
    }

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CompositionRegressor._parameter_constraints,
        **_CONSTRAINTS,
        "mc_dropout": [Interval(Integral, 0, 1000, closed="both")],
    }

    def __init__(
        self,
        embedding: Any = "onehot",
        *,
        widths: tuple[tuple[int, ...], ...] = _WIDTHS,
        dropout: tuple[float, ...] = (0.2, 0.1, 0.3, 0.2),
        loss: str = "absolute_error",
        target_transform: Any = None,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        fraction_noise: float = 0.02,
        n_estimators: int = 8,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        mc_dropout: int = 0,
        init_from: Any = None,
        freeze: int = 0,
        checkpoint: Any = None,
        time_limit: float | None = None,
        missing: str = "error",
        formula_column: Any = "auto",
        device: str = "auto",
        precision: str = "float32",
        progress: bool = False,
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.embedding = embedding
        self.widths = widths
        self.dropout = dropout
        self.loss = loss
        self.target_transform = target_transform
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.fraction_noise = fraction_noise
        self.n_estimators = n_estimators
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.mc_dropout = mc_dropout
        self.init_from = init_from
        self.freeze = freeze
        self.checkpoint = checkpoint
        self.time_limit = time_limit
        self.missing = missing
        self.formula_column = formula_column
        self.device = device
        self.precision = precision
        self.progress = progress
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state


class ElemNetClassifier(CompositionClassifier, _ElemNetEstimator):
    """ElemNet for classes: 17 fully connected layers on atomic fractions.

    The network of `ElemNetRegressor` [1]_, which predicts logits. Members vote with their mean
    probability. A sample may be of one of two or more classes, or carry several labels.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="onehot"
    {embedding}
        With another table than "onehot" the network sees the vectors' mean, weighted by fractions.

    {elemnet}

    {class_weight}

    {training}

    {running}

    Attributes
    ----------
    {classes}

    {attributes}

    See Also
    --------
    ElemNetRegressor : The same network for real-valued targets.
    CrabNetClassifier : A transformer over the same elements.

    Notes
    -----
    `from_preset` names two settings, "default" and "paper", the latter with the batches, rate and
    elements of [1]_: all up to plutonium but for He, Ne, Ar, Po, At, Rn, Fr and Ra. Each is plain
    parameters.

    References
    ----------
    {elemnet_reference}

    Examples
    --------
    >>> from crabsk import ElemNetClassifier
    >>> X = ["Cu", "CuZn", "FeNi", "NaCl", "MgO", "SiO2"]
    >>> y = ["metal", "metal", "metal", "insulator", "insulator", "insulator"]
    >>> model = ElemNetClassifier(max_epochs=5, n_estimators=2, random_state=0).fit(X, y)
    >>> model.predict_proba(["NiAl", "KCl"]).shape
    (2, 2)
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}, "paper": _PAPER}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CompositionClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        embedding: Any = "onehot",
        *,
        widths: tuple[tuple[int, ...], ...] = _WIDTHS,
        dropout: tuple[float, ...] = (0.2, 0.1, 0.3, 0.2),
        class_weight: Any = None,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        fraction_noise: float = 0.02,
        n_estimators: int = 8,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        init_from: Any = None,
        freeze: int = 0,
        checkpoint: Any = None,
        time_limit: float | None = None,
        missing: str = "error",
        formula_column: Any = "auto",
        device: str = "auto",
        precision: str = "float32",
        progress: bool = False,
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.embedding = embedding
        self.widths = widths
        self.dropout = dropout
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.fraction_noise = fraction_noise
        self.n_estimators = n_estimators
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.init_from = init_from
        self.freeze = freeze
        self.checkpoint = checkpoint
        self.time_limit = time_limit
        self.missing = missing
        self.formula_column = formula_column
        self.device = device
        self.precision = precision
        self.progress = progress
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # scikit-learn's checks want 0.83 on classes that differ in scale, which compositions have
        # not: 0.81 is what their ratios allow without learning them by heart.
        tags.classifier_tags.poor_score = True
        return tags
