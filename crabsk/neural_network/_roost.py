"""What the Roost estimators share: their network, its parameters and presets."""

from numbers import Integral
from typing import Any

from .._validation import Interval
from ..modules import Roost
from ._base import BaseCompositionNetwork, check_widths

PAPER: dict[str, Any] = {
    "max_epochs": 100,
    "batch_size": 128,
    # Over one cycle the mean is the paper's constant rate, half of this.
    "learning_rate": 6e-4,
    "weight_decay": 1e-6,
    "fraction_noise": 0.0,
    # In the paper, too, an ensemble's spread is a part of the uncertainty.
    "n_estimators": 5,
}
CONSTRAINTS: dict[str, Any] = {
    "element_width": [Interval(Integral, 2, None, closed="left")],
    "n_layers": [Interval(Integral, 0, None, closed="left")],
    "n_heads": [Interval(Integral, 1, None, closed="left")],
    "gate_width": [Interval(Integral, 1, None, closed="left")],
    "message_width": [Interval(Integral, 1, None, closed="left")],
    "trunk_widths": ["array-like"],
    "head_widths": ["array-like"],
}


class BaseRoost(BaseCompositionNetwork):
    """What makes an estimator a Roost, whatever its targets."""

    _network_class = Roost

    def __init__(
        self,
        *,
        element_width: int,
        n_layers: int,
        n_heads: int,
        gate_width: int,
        message_width: int,
        trunk_widths: tuple[int, ...],
        head_widths: tuple[int, ...],
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.element_width = element_width
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.gate_width = gate_width
        self.message_width = message_width
        self.trunk_widths = trunk_widths
        self.head_widths = head_widths

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
