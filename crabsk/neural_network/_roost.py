"""Roost as scikit-learn estimators."""

from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils import Tags

from .._validation import Interval
from ..modules import Roost
from ._base import BaseCompositionNetwork, check_widths
from ._classification import CompositionClassifier
from ._regression import CompositionRegressor

_PAPER = {
    "max_epochs": 100,
    "batch_size": 128,
    # Over one cycle the mean is the paper's constant rate, half of this.
    "learning_rate": 6e-4,
    "weight_decay": 1e-6,
    "fraction_noise": 0.0,
    # In the paper, too, an ensemble's spread is a part of the uncertainty.
    "n_estimators": 5,
}
_CONSTRAINTS: dict[str, Any] = {
    "element_width": [Interval(Integral, 2, None, closed="left")],
    "n_layers": [Interval(Integral, 0, None, closed="left")],
    "n_heads": [Interval(Integral, 1, None, closed="left")],
    "gate_width": [Interval(Integral, 1, None, closed="left")],
    "message_width": [Interval(Integral, 1, None, closed="left")],
    "trunk_widths": ["array-like"],
    "head_widths": ["array-like"],
}


class _RoostEstimator(BaseCompositionNetwork):
    """What makes an estimator a Roost, whatever its targets."""

    _network_class = Roost

    def _network_settings(self) -> dict[str, Any]:
        return {
            "element_width": self.element_width,
            "n_layers": self.n_layers,
            "n_heads": self.n_heads,
            "gate_width": self.gate_width,
            "message_width": self.message_width,
            "trunk_widths": check_widths("trunk_widths", self.trunk_widths),
            "head_widths": check_widths("head_widths", self.head_widths),
            "detach_uncertainty": self._detaches_uncertainty(),
        }


class RoostRegressor(CompositionRegressor, _RoostEstimator):
    """Roost for real-valued targets: message passing between the elements of a formula.

    Each member sees a formula as the complete graph of its elements, lets them send messages to
    each other, weighted by attention and by their fractions, and pools them to one vector [1]_.
    Members differ in their initial weights and in the order of the samples.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="matscholar"
    {embedding}

    {roost}

    {loss}

    {training}

    {running}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    RoostClassifier : The same network for classes.
    CrabNetRegressor : A transformer over the same elements.

    Notes
    -----
    `from_preset` names two settings, "default" and "paper", the latter an ensemble with the loss,
    batches and mean learning rate of [1]_. Each is plain parameters.

    References
    ----------
    {roost_reference}

    Examples
    --------
    >>> from crabsk import RoostRegressor
    >>> X = ["NaCl", "KCl", "NaBr", "KBr"]
    >>> y = [-2.13, -2.26, -1.87, -2.04]
    >>> model = RoostRegressor(max_epochs=5, n_estimators=2, random_state=0).fit(X, y)
    >>> mean, std = model.predict(["RbCl", "NaI"], return_std=True)
    >>> mean.shape, bool((std > 0).all())
    ((2,), True)
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "paper": {**_PAPER, "loss": "robust_l1"},
    }

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CompositionRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        embedding: Any = "matscholar",
        *,
        element_width: int = 64,
        n_layers: int = 3,
        n_heads: int = 3,
        gate_width: int = 256,
        message_width: int = 256,
        trunk_widths: tuple[int, ...] = (1024, 512, 256),
        head_widths: tuple[int, ...] = (128, 64),
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
        self.element_width = element_width
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.gate_width = gate_width
        self.message_width = message_width
        self.trunk_widths = trunk_widths
        self.head_widths = head_widths
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


class RoostClassifier(CompositionClassifier, _RoostEstimator):
    """Roost for classes: message passing between the elements of a formula.

    The network of `RoostRegressor` [1]_, which predicts logits. Members vote with their mean
    probability. A sample may be of one of two or more classes, or carry several labels.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="matscholar"
    {embedding}

    {roost}

    {class_weight}

    {training}

    {running}

    Attributes
    ----------
    {classes}

    {attributes}

    See Also
    --------
    RoostRegressor : The same network for real-valued targets.
    CrabNetClassifier : A transformer over the same elements.

    Notes
    -----
    `from_preset` names two settings, "default" and "paper", the latter an ensemble with the
    batches and mean learning rate of [1]_. Each is plain parameters.

    References
    ----------
    {roost_reference}

    Examples
    --------
    >>> from crabsk import RoostClassifier
    >>> X = ["Cu", "CuZn", "FeNi", "NaCl", "MgO", "SiO2"]
    >>> y = ["metal", "metal", "metal", "insulator", "insulator", "insulator"]
    >>> model = RoostClassifier(max_epochs=5, n_estimators=2, random_state=0).fit(X, y)
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
        embedding: Any = "matscholar",
        *,
        element_width: int = 64,
        n_layers: int = 3,
        n_heads: int = 3,
        gate_width: int = 256,
        message_width: int = 256,
        trunk_widths: tuple[int, ...] = (1024, 512, 256),
        head_widths: tuple[int, ...] = (128, 64),
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
        self.element_width = element_width
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.gate_width = gate_width
        self.message_width = message_width
        self.trunk_widths = trunk_widths
        self.head_widths = head_widths
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
