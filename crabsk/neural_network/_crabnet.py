"""What the CrabNet estimators share: their network, its parameters and presets."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch

from .._descriptors import describe
from .._validation import CompositionTable, Interval, StrOptions
from ..embeddings import embedding_names, load_embedding
from ..modules import CrabNet
from ._base import BaseCompositionNetwork
from ._net import CompositionNet
from ._optimizer import MuonAdamW
from ._plan import batch_near

# Statistics of a composition-based feature vector that a network sees.
CBFV_STATS = ["mean", "std"]

# Peak of the schedule of networks that start from random weights.
LEARNING_RATE = 2e-3
# Peak for networks that start from others, with TRANSFER_LENGTH samples or more. With fewer, it
# falls with the cube root of their number, down to FEWEST_SAMPLES.
TRANSFER_LEARNING_RATE = 4e-3
TRANSFER_LENGTH, FEWEST_SAMPLES = 4000, 100
# These networks take TRANSFER_SHARE of the usual passes. With fewer samples, the share rises with
# the cube root, up to LARGEST_SHARE.
TRANSFER_SHARE, LARGEST_SHARE = 0.27, 0.67

# dropout="auto": DROPOUT up to FULL_DROPOUT samples, none from NO_DROPOUT on, linear in between.
# Large sets are seen in few epochs, and learnt worse with dropout: see docs/trials.md.
DROPOUT = 0.1
FULL_DROPOUT, NO_DROPOUT = 120_000, 200_000

PAPER: dict[str, Any] = {
    "architecture": "paper",
    "cbfv": None,
    "d_model": 512,
    "dropout": 0.1,
    "max_epochs": 300,
    "learning_rate": 3e-4,
    "n_estimators": 1,
}
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"d_model": 64, "n_estimators": 2, "learning_rate": 3e-3},
    "default": {},
    "accurate": {"n_estimators": 12},
    "pretrained": {"init_from": "pretrained-1", "learning_rate": "auto"},
    "paper": PAPER,
}
CONSTRAINTS: dict[str, Any] = {
    "d_model": [Interval(Integral, 2, 8192, closed="both")],
    "n_layers": [Interval(Integral, 0, None, closed="left")],
    "architecture": [StrOptions({"crabsk", "paper"})],
    "n_experts": [Interval(Integral, 1, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    "cbfv": [StrOptions(set(embedding_names())), None],
    "dropout": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
}


class BaseCrabNet(BaseCompositionNetwork):
    """What makes an estimator a CrabNet, whatever its targets."""

    _network_class = CrabNet
    _replaced: ClassVar[dict[str, str]] = {
        "head": "n_experts, 1 for one network that all targets share",
        "N": "n_layers",
        "heads": "crabsk.modules.CrabNet, which takes any number; here it is four",
        "out_hidden": "architecture, which derives the widths from d_model; crabsk.modules.CrabNet "
        "takes any",
        "n_heads": "crabsk.modules.CrabNet, which takes any number; here it is four",
        "dim_feedforward": "architecture, which derives it from d_model; crabsk.modules.CrabNet "
        "takes any",
        "head_widths": "architecture, which derives them from d_model; crabsk.modules.CrabNet "
        "takes any",
        "norm_first": 'architecture="crabsk" (before the blocks) or "paper" (after them)',
        "standardize_fractions": 'architecture="crabsk" (with them) or "paper" (without)',
    }
    _cbfv: str | None
    _dropout = DROPOUT  # also of what was fitted before there was a rule

    def __init__(
        self,
        *,
        d_model: int,
        n_layers: int,
        architecture: str,
        n_experts: int,
        cbfv: str | None,
        dropout: float | str,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.d_model = d_model
        self.n_layers = n_layers
        self.architecture = architecture
        self.n_experts = n_experts
        self.cbfv = cbfv
        self.dropout = dropout

    def _batch_size(self, n_rows: int) -> int:
        if self.architecture == "paper" or not isinstance(self.batch_size, str):
            return super()._batch_size(n_rows)
        # Muon can take twice as many rows per step as AdamW. Small sets still get about eight steps
        # per pass, and large sets as many as precise labels need.
        least = min(64, batch_near(n_rows / 8, least=4))
        return batch_near(n_rows / 16, least=least, most=256)

    def _learning_rate(self, n_rows: int) -> float:
        if not isinstance(self.learning_rate, str):
            return self.learning_rate
        if self.init_from is None:
            return LEARNING_RATE
        n = np.clip(n_rows, FEWEST_SAMPLES, TRANSFER_LENGTH)
        return float(TRANSFER_LEARNING_RATE * (n / TRANSFER_LENGTH) ** (1 / 3))

    def _usual_epochs(self, n_rows: int) -> float:
        usual = super()._usual_epochs(n_rows)
        if self.init_from is None:
            return usual
        share = TRANSFER_SHARE * max(1.0, TRANSFER_LENGTH / n_rows) ** (1 / 3)
        return round(usual) * min(share, LARGEST_SHARE)

    def _choose_settings(self, n_rows: int) -> None:
        self._dropout = self._dropout_rate(n_rows)

    def _dropout_rate(self, n_rows: int) -> float:
        """Return the rate of dropout of networks that are trained on so many samples."""
        if not isinstance(self.dropout, str):
            return self.dropout
        return float(np.interp(n_rows, [FULL_DROPOUT, NO_DROPOUT], [DROPOUT, 0.0]))

    def _optimizer(self) -> type[torch.optim.Optimizer]:
        return torch.optim.AdamW if self.architecture == "paper" else MuonAdamW

    def _check_features(self, previous: list[CompositionNet]) -> None:
        if previous and self.cbfv != self._cbfv:
            raise ValueError(
                f"warm_start=True continues with cbfv={self._cbfv!r}, but it is {self.cbfv!r} now"
            )
        self._cbfv = self.cbfv

    def _with_features(self, table: CompositionTable) -> CompositionTable:
        table = super()._with_features(table)
        if self._cbfv is None:
            return table
        compositions = table.compositions
        # An element without a property counts as average: the networks know it by its vector.
        vectors = load_embedding(self._cbfv).fill(compositions, "mean")
        features = np.empty((len(compositions), len(CBFV_STATS) * vectors.shape[1]))
        describe(compositions, [vectors], CBFV_STATS, features)
        return CompositionTable(compositions, np.hstack([features, table.extra]))

    def _network_settings(self) -> dict[str, Any]:
        d, of_paper = self.d_model, self.architecture == "paper"
        widths = (2 * d, d, d // 2, d // 4) if of_paper else (2 * d, d)
        return {
            "standardize_fractions": not of_paper,
            # Without noise, the fractions are encoded as in the paper.
            "fraction_noise": 0.0 if of_paper else self.fraction_noise,
            "d_model": d,
            "n_layers": self.n_layers,
            "n_heads": 4,
            "dim_feedforward": 4 * d if of_paper else 2 * d,
            # A rate set after the fit differs from that of the networks: saving is then refused.
            "dropout": self._dropout if isinstance(self.dropout, str) else self.dropout,
            "norm_first": not of_paper,
            "weigh_fractions": not of_paper,
            "head_widths": tuple(max(1, width) for width in widths),
            "n_experts": self.n_experts,
            "detach_uncertainty": self._detaches_uncertainty(),
        }

    def _arguments(self, settings: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(settings)
        standardizes = arguments.pop("standardize_fractions")
        arguments["fraction_statistics"] = self._fraction_statistics if standardizes else None
        return arguments
