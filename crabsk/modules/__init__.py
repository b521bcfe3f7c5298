"""The networks, in torch alone: layers on packed tokens, CrabNet, Roost, ElemNet, losses.

Nothing here knows formulas, scikit-learn or skorch.
"""

from ._crabnet import CrabNet
from ._elemnet import ELEMNET_ELEMENTS, ElemNet
from ._fractions import (
    FractionalEncoding,
    FractionStatistics,
    StandardizedFractions,
    fraction_statistics,
)
from ._heads import MixtureOfExpertsHead, SharedHead
from ._layers import (
    Dropout,
    EncoderLayer,
    PackedSelfAttention,
    PreciseLinear,
    ResidualNetwork,
    sample_subnetwork,
)
from ._losses import LOSSES, LogLoss, WeightedLoss
from ._network import CompositionNetwork, Prediction
from ._packing import (
    Group,
    PackedBatch,
    PackedCompositions,
    mean_over_elements,
    spread_to_tokens,
)
from ._roost import Roost
from ._transfer import copy_encoder

__all__ = [
    "ELEMNET_ELEMENTS",
    "LOSSES",
    "CompositionNetwork",
    "CrabNet",
    "Dropout",
    "ElemNet",
    "EncoderLayer",
    "FractionStatistics",
    "FractionalEncoding",
    "Group",
    "LogLoss",
    "MixtureOfExpertsHead",
    "PackedBatch",
    "PackedCompositions",
    "PackedSelfAttention",
    "PreciseLinear",
    "Prediction",
    "ResidualNetwork",
    "Roost",
    "SharedHead",
    "StandardizedFractions",
    "WeightedLoss",
    "copy_encoder",
    "fraction_statistics",
    "mean_over_elements",
    "sample_subnetwork",
    "spread_to_tokens",
]
