"""What the ElemNet estimators share: their network, its parameters and presets."""

from numbers import Real
from typing import Any

from ..modules import ElemNet
from ._base import BaseCompositionNetwork, check_widths

WIDTHS = (
    (1024, 1024, 1024, 1024),
    (512, 512, 512),
    (256, 256, 256),
    (128, 128, 128),
    (64, 64),
    (32,),
)
PAPER: dict[str, Any] = {
    "embedding": "elemnet",
    "max_epochs": 300,
    "batch_size": 32,
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "fraction_noise": 0.0,
    "n_estimators": 1,
}
CONSTRAINTS: dict[str, Any] = {"widths": ["array-like"], "dropout": ["array-like"]}


class BaseElemNet(BaseCompositionNetwork):
    """What makes an estimator an ElemNet, whatever its targets."""

    _network_class = ElemNet

    def __init__(
        self,
        *,
        widths: tuple[tuple[int, ...], ...],
        dropout: tuple[float, ...],
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.widths = widths
        self.dropout = dropout

    def _network_settings(self) -> dict[str, Any]:
        rates = tuple(self.dropout)
        if not all(isinstance(rate, Real) and 0 <= float(rate) < 1 for rate in rates):
            raise ValueError(f"dropout={rates!r} must be rates of at least 0 and below 1")
        if not len(self.widths):
            raise ValueError("widths=() must be one or more blocks of widths")
        return {
            "widths": tuple(check_widths("a block of widths", block) for block in self.widths),
            "dropout": rates,
            "detach_uncertainty": self._detaches_uncertainty(),
        }
