"""CrabNet as scikit-learn estimators."""

from numbers import Integral
from typing import Any, ClassVar

from torch import Tensor, nn

from .._validation import HasMethods, Interval, StrOptions
from ..modules import CrabNet
from ._base import BaseCompositionNetwork
from ._regression import CompositionRegressor


class CrabNetRegressor(CompositionRegressor):
    """CrabNet for real-valued targets."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "fast": {
            "d_model": 64,
            "dim_feedforward": 128,
            "head_widths": (128, 64),
            "n_estimators": 2,
            "max_epochs": 30,
        },
        "default": {},
        "accurate": {"d_model": 256, "dim_feedforward": 512, "n_estimators": 8},
        "paper": {
            "d_model": 512,
            "dim_feedforward": 2048,
            "head_widths": (1024, 512, 256, 128),
            "norm_first": False,
            "fraction_noise": 0.02,
            "loss": "robust_l1",
            "max_epochs": 300,
            "learning_rate": 3e-4,
            "n_estimators": 1,
        },
    }

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseCompositionNetwork._parameter_constraints,
        "d_model": [Interval(Integral, 2, None, closed="left")],
        "n_layers": [Interval(Integral, 0, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "dim_feedforward": [Interval(Integral, 1, None, closed="left")],
        "head_widths": [list, tuple],
        "norm_first": ["boolean"],
        "target_transform": [
            StrOptions({"log", "yeo-johnson"}),
            None,
            HasMethods(["fit", "transform", "inverse_transform"]),
        ],
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
        norm_first: bool = True,
        dropout: float = 0.1,
        fraction_noise: float = 0.02,
        loss: str = "absolute_error",
        target_transform: Any = None,
        max_epochs: int = 60,
        batch_size: int | str = "auto",
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        n_estimators: int = 4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        missing: str = "error",
        formula_column: Any = "auto",
        device: str = "auto",
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
        self.norm_first = norm_first
        self.dropout = dropout
        self.fraction_noise = fraction_noise
        self.loss = loss
        self.target_transform = target_transform
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.n_estimators = n_estimators
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.missing = missing
        self.formula_column = formula_column
        self.device = device
        self.progress = progress
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state

    def _build_module(self, element_vectors: Tensor, n_outputs: int, n_extra: int) -> nn.Module:
        return CrabNet(
            element_vectors,
            n_outputs=n_outputs,
            n_extra=n_extra,
            d_model=self.d_model,
            n_layers=self.n_layers,
            n_heads=self.n_heads,
            dim_feedforward=self.dim_feedforward,
            dropout=self.dropout,
            norm_first=self.norm_first,
            head_widths=tuple(self.head_widths),
            # The robust losses weigh errors by their uncertainty: there the two learn together.
            detach_uncertainty=not self.loss.startswith("robust"),
        )
