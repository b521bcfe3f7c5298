"""The networks, in torch alone: layers on packed tokens, CrabNet, losses.

Nothing here knows formulas, scikit-learn or skorch.
"""

from ._crabnet import CrabNet, Prediction
from ._layers import (
    Dropout,
    EncoderLayer,
    FractionalEncoding,
    PackedSelfAttention,
    ResidualNetwork,
)
from ._losses import LOSSES, WeightedLoss
from ._packing import (
    Group,
    PackedBatch,
    PackedCompositions,
    mean_over_elements,
    spread_to_tokens,
)

__all__ = [
    "LOSSES",
    "CrabNet",
    "Dropout",
    "EncoderLayer",
    "FractionalEncoding",
    "Group",
    "PackedBatch",
    "PackedCompositions",
    "PackedSelfAttention",
    "Prediction",
    "ResidualNetwork",
    "WeightedLoss",
    "mean_over_elements",
    "spread_to_tokens",
]
