"""CrabNet as scikit-learn estimators."""

from functools import cache
from numbers import Integral, Real
from typing import Any, ClassVar

from .._validation import CompositionTable, Interval, StrOptions
from ..embeddings import embedding_names
from ..feature_extraction import CompositionTransformer
from ..modules import CrabNet
from ._base import BaseCompositionNetwork, check_widths
from ._classification import CompositionClassifier
from ._net import CompositionNet
from ._regression import CompositionRegressor

_PAPER = {
    "d_model": 512,
    "dim_feedforward": 2048,
    "head_widths": (1024, 512, 256, 128),
    "norm_first": False,
    "standardize_fractions": False,
    "fraction_noise": 0.02,
    "max_epochs": 300,
    "learning_rate": 3e-4,
    "n_estimators": 1,
}
_PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "d_model": 64,
        "dim_feedforward": 128,
        "head_widths": (128, 64),
        "n_estimators": 2,
        "max_epochs": 30,
        "learning_rate": 2e-3,
    },
    "default": {},
    "accurate": {"n_estimators": 12, "cbfv": "magpie"},
    "paper": _PAPER,
}
_CONSTRAINTS: dict[str, Any] = {
    "d_model": [Interval(Integral, 2, 8192, closed="both")],
    "n_layers": [Interval(Integral, 0, None, closed="left")],
    "n_heads": [Interval(Integral, 1, None, closed="left")],
    "dim_feedforward": [Interval(Integral, 1, None, closed="left")],
    "head_widths": ["array-like"],
    "head": [StrOptions({"shared", "mmoe"})],
    "n_experts": [Interval(Integral, 1, None, closed="left")],
    "norm_first": ["boolean"],
    "standardize_fractions": ["boolean"],
    "cbfv": [StrOptions(set(embedding_names())), None],
    "dropout": [Interval(Real, 0, 1, closed="left")],
}


@cache
def _descriptors(table: str) -> CompositionTransformer:
    transformer = CompositionTransformer(table, stats=("mean", "std"), missing="mean")
    return transformer.fit(["H"])


class _CrabNetEstimator(BaseCompositionNetwork):
    """What makes an estimator a CrabNet, whatever its targets."""

    _network_class = CrabNet
    _cbfv: str | None

    def _settle_features(self, previous: list[CompositionNet]) -> None:
        if previous and self.cbfv != self._cbfv:
            raise ValueError(
                f"warm_start=True continues with cbfv={self._cbfv!r}, but it is {self.cbfv!r} now"
            )
        self._cbfv = self.cbfv

    def _with_features(self, table: CompositionTable) -> CompositionTable:
        if self._cbfv is None:
            return table
        features = _descriptors(self._cbfv)._transform(table)
        return CompositionTable(table.compositions, features)

    def _network_settings(self) -> dict[str, Any]:
        return {
            "standardize_fractions": self.standardize_fractions,
            # Without, the fractions are encoded as the paper's.
            "fraction_noise": self.fraction_noise if self.standardize_fractions else 0.0,
            "d_model": self.d_model,
            "n_layers": self.n_layers,
            "n_heads": self.n_heads,
            "dim_feedforward": self.dim_feedforward,
            "dropout": self.dropout,
            "norm_first": self.norm_first,
            "head_widths": check_widths("head_widths", self.head_widths),
            "n_experts": self.n_experts if self.head == "mmoe" else 0,
            "detach_uncertainty": self._detaches_uncertainty(),
        }

    def _arguments(self, settings: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(settings)
        standardizes = arguments.pop("standardize_fractions")
        arguments["fraction_statistics"] = self._fraction_statistics if standardizes else None
        return arguments


class CrabNetRegressor(CompositionRegressor, _CrabNetEstimator):
    """CrabNet for real-valued targets: an ensemble of transformers over chemical formulas.

    Each member reads a formula as a set of elements with fractions, lets the elements attend to
    each other, and averages what each contributes to the property [1]_. Members differ in their
    initial weights and in the order of the samples.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="mat2vec"
    {embedding}
        "onehot" makes the paper's HotCrab.

    {crabnet}

    {loss}

    {training}

    {mc_dropout}

    {running}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    CrabNetClassifier : The same network for classes.
    crabsk.CompositionTransformer : Features of formulas for any other estimator.

    Notes
    -----
    `from_preset` names four settings: "fast", "default", "accurate" and "paper", the last with the
    architecture, loss and length of training of [1]_. Each is plain parameters.

    References
    ----------
    {crabnet_reference}
    {mc_dropout_reference}

    Examples
    --------
    >>> from crabsk import CrabNetRegressor
    >>> X = ["NaCl", "KCl", "NaBr", "KBr"]
    >>> y = [-2.13, -2.26, -1.87, -2.04]
    >>> model = CrabNetRegressor(max_epochs=5, n_estimators=2, random_state=0).fit(X, y)
    >>> mean, std = model.predict(["RbCl", "NaI"], return_std=True)
    >>> mean.shape, bool((std > 0).all())
    ((2,), True)
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        **_PRESETS,
        "paper": {**_PAPER, "loss": "robust_l1"},
    }

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CompositionRegressor._parameter_constraints,
        **_CONSTRAINTS,
        "mc_dropout": [Interval(Integral, 0, 1000, closed="both")],
    }

    def __init__(
        self,
        embedding: Any = "mat2vec",
        *,
        d_model: int = 128,
        n_layers: int = 3,
        n_heads: int = 4,
        dim_feedforward: int = 256,
        head_widths: tuple[int, ...] = (256, 128),
        head: str = "shared",
        n_experts: int = 4,
        norm_first: bool = True,
        standardize_fractions: bool = True,
        cbfv: str | None = None,
        dropout: float = 0.1,
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
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.dim_feedforward = dim_feedforward
        self.head_widths = head_widths
        self.head = head
        self.n_experts = n_experts
        self.norm_first = norm_first
        self.standardize_fractions = standardize_fractions
        self.cbfv = cbfv
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


class CrabNetClassifier(CompositionClassifier, _CrabNetEstimator):
    """CrabNet for classes: an ensemble of transformers over chemical formulas.

    The network of `CrabNetRegressor` [1]_; what its elements contribute are logits. Members vote
    with their mean probability. A sample may be of one of two or more classes, or carry several
    labels.

    Parameters
    ----------
    embedding : str, DataFrame, mapping or elementembeddings Embedding, default="mat2vec"
    {embedding}
        "onehot" makes the paper's HotCrab.

    {crabnet}

    {class_weight}

    {training}

    {running}

    Attributes
    ----------
    {classes}

    {attributes}

    See Also
    --------
    CrabNetRegressor : The same network for real-valued targets.

    Notes
    -----
    `from_preset` names four settings: "fast", "default", "accurate" and "paper", the last with the
    architecture and length of training of [1]_. Each is plain parameters.

    References
    ----------
    {crabnet_reference}

    Examples
    --------
    >>> from crabsk import CrabNetClassifier
    >>> X = ["Cu", "CuZn", "FeNi", "NaCl", "MgO", "SiO2"]
    >>> y = ["metal", "metal", "metal", "insulator", "insulator", "insulator"]
    >>> model = CrabNetClassifier(max_epochs=20, n_estimators=2, random_state=0).fit(X, y)
    >>> model.predict_proba(["NiAl", "KCl"]).shape
    (2, 2)
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = _PRESETS

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CompositionClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        embedding: Any = "mat2vec",
        *,
        d_model: int = 128,
        n_layers: int = 3,
        n_heads: int = 4,
        dim_feedforward: int = 256,
        head_widths: tuple[int, ...] = (256, 128),
        head: str = "shared",
        n_experts: int = 4,
        norm_first: bool = True,
        standardize_fractions: bool = True,
        cbfv: str | None = None,
        dropout: float = 0.1,
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
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.dim_feedforward = dim_feedforward
        self.head_widths = head_widths
        self.head = head
        self.n_experts = n_experts
        self.norm_first = norm_first
        self.standardize_fractions = standardize_fractions
        self.cbfv = cbfv
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
