"""The networks, in torch alone: layers on packed tokens, CrabNet, Roost, ElemNet, losses.

Nothing here depends on formulas, scikit-learn or skorch. Names that are imported `as` themselves
are for other parts of crabsk, not for users.
"""

from ._crabnet import CrabNet
from ._elemnet import ElemNet
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
    FractionWeights,
    PackedSelfAttention,
    PreciseLinear,
    ResidualNetwork,
    sample_subnetwork,
)
from ._losses import LOSSES, LogLoss, WeightedLoss
from ._network import LOG_SIGMA_BOUND as LOG_SIGMA_BOUND
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
    "LOSSES",
    "CompositionNetwork",
    "CrabNet",
    "Dropout",
    "ElemNet",
    "EncoderLayer",
    "FractionStatistics",
    "FractionWeights",
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
