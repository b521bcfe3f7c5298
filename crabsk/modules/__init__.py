"""The networks, in torch alone: layers on packed tokens, CrabNet, losses.

Nothing here knows formulas, scikit-learn or skorch.
"""

from ._crabnet import CrabNet, Prediction
from ._fractions import (
    FractionalEncoding,
    FractionStatistics,
    StandardizedFractions,
    fraction_statistics,
)
from ._layers import Dropout, EncoderLayer, PackedSelfAttention, ResidualNetwork
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
    "FractionStatistics",
    "FractionalEncoding",
    "Group",
    "PackedBatch",
    "PackedCompositions",
    "PackedSelfAttention",
    "Prediction",
    "ResidualNetwork",
    "StandardizedFractions",
    "WeightedLoss",
    "fraction_statistics",
    "mean_over_elements",
    "spread_to_tokens",
]
