"""The base of all networks, and their predictions. Shape letters as in `_packing`."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from ._packing import PackedBatch

# In units of the standardised target, no measurement is surer than exp(-10). Without a bound, a
# target that can be met exactly drives a robust loss to minus infinity.
LOG_SIGMA_BOUND = 10.0


class Prediction(NamedTuple):
    """The prediction of a network for each composition, in units of the scaled target.

    Shape
    -----
    mean : (B, K); logits for a classifier
    log_sigma : (B, K), logarithm of the standard deviation

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import Prediction
    >>> prediction = Prediction(mean=torch.zeros(2, 1), log_sigma=torch.zeros(2, 1))
    >>> prediction.log_sigma.exp().flatten()
    tensor([1., 1.])
    """

    mean: Tensor
    log_sigma: Tensor


class CompositionNetwork(nn.Module, ABC):
    """Base of the networks: an encoder of compositions and a head that reads off the targets.

    Parameters
    ----------
    element_vectors : Tensor of shape (118, n_features)
        A fixed vector for each element, row ``z - 1`` for atomic number ``z``.
    n_outputs : int
        Number of targets K.
    n_features : int
        Length of what `encode` returns.

    Attributes
    ----------
    heads : tuple of str
        Names of the submodules that read off the targets; all others are the encoder.
    readers : tuple of str
        Prefixes of the weights in the heads that belong to the targets. A network can take over all
        weights before them from a network with other targets.
    settings : dict
        What an estimator made the network from, apart from the element vectors. Set by estimators.

    Examples
    --------
    >>> from crabsk.modules import CompositionNetwork, CrabNet
    >>> issubclass(CrabNet, CompositionNetwork), CrabNet.heads
    (True, ('head',))
    """

    heads: ClassVar[tuple[str, ...]]
    readers: ClassVar[tuple[str, ...]]
    element_vectors: Tensor
    settings: dict[str, Any]

    def __init__(self, element_vectors: Tensor, n_outputs: int, n_features: int) -> None:
        super().__init__()
        self.register_buffer("element_vectors", element_vectors.float())
        self.n_outputs: int = n_outputs
        self.n_features: int = n_features

    @abstractmethod
    def forward(self, batch: PackedBatch) -> Prediction:
        """Predict the properties of each composition. **Shape**: see `Prediction`."""

    @abstractmethod
    def encode(self, batch: PackedBatch) -> Tensor:
        """Return each composition as one vector. **Shape**: (B, n_features)."""
