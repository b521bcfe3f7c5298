"""Encodings of atomic fractions. Shape letters as in `_packing`."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._layers import PreciseLinear

# The spread of an element is drawn towards that of all elements with the weight of this share of a
# token. The weight is low, because the spread must be free to be small. For the mean, the weight
# is that of five tokens.
SPREAD_PRIOR = 0.3
MEAN_PRIOR = 5.0
# Differences below this number of standard deviations of the training noise are not resolved.
NOISE_FLOOR = 3.0
# Mean over tokens below which a data set has too few narrow elements to be worth an encoding.
LEAST_NARROW = 0.01
# Standard deviations beyond which `StandardizedFractions` flattens off.
SOFT_LIMIT = 3.0


class FractionStatistics(NamedTuple):
    """The usual fraction of each element in the data, and how much it varies.

    Shape
    -----
    mean, std : (118, 2), of the atomic fraction and of its natural logarithm, over the
        compositions that hold the element
    narrowness : (118,), from 0 to 1. An element has 1 if its fraction varies little. It has 0 if
        its fraction varies at least half as much as all fractions in the data do, or less than
        the noise. All elements have 0 if hardly any of them is narrow.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import FractionStatistics
    >>> none = FractionStatistics(torch.zeros(118, 2), torch.ones(118, 2), torch.zeros(118))
    >>> bool(none.narrowness.any())
    False
    """

    mean: Tensor
    std: Tensor
    narrowness: Tensor


def fraction_statistics(
    atomic_numbers: Tensor, fractions: Tensor, noise: float = 0.0
) -> FractionStatistics:
    """Compute the statistics of the fractions in training compositions.

    Parameters
    ----------
    atomic_numbers, fractions : Tensor of shape (T,)
        Tokens of the training compositions.
    noise : float, default=0.0
        Standard deviation of the relative noise that fractions will have during training.

    Returns
    -------
    FractionStatistics

    Examples
    --------
    Ninety steels. The fractions of carbon and iron vary little, but differ much from each other.

    >>> import torch
    >>> from crabsk.modules import fraction_statistics
    >>> fractions = torch.tensor([0.01, 0.99, 0.02, 0.98, 0.03, 0.97] * 30)
    >>> statistics = fraction_statistics(torch.tensor([6, 26] * 90), fractions)
    >>> bool((statistics.narrowness[[5, 25]] > 0).all())
    True
    """
    values = _scales(fractions.double())
    element = atomic_numbers - 1
    overall = values.mean(0) if len(values) else values.new_zeros(2)
    variance = values.var(0, correction=0) if len(values) else values.new_zeros(2)
    # Rounding makes a spread of 1e-16 where all fractions are equal.
    constant = variance < 1e-12
    variance[constant] = 1.0
    count = torch.bincount(element, minlength=118).unsqueeze(1).double()
    total = values.new_zeros(118, 2).index_add_(0, element, values)
    mean = (total + MEAN_PRIOR * overall) / (count + MEAN_PRIOR)
    total = values.new_zeros(118, 2).index_add_(0, element, (values - mean[element]).square())
    own = (total + SPREAD_PRIOR * variance) / (count + SPREAD_PRIOR)
    # One token says nothing about a spread.
    own = torch.where(count < 2, variance, own)
    blurred = (NOISE_FLOOR * noise) ** 2 * torch.stack([mean[:, 0].square(), torch.ones(118)], 1)
    reliability = (own / (own + blurred))[:, 0]
    std = (own + blurred).sqrt()
    narrowness = (1 - 2 * std[:, 0] / variance[0].sqrt()).clamp_min(0).square() * reliability
    if constant[0] or narrowness[element].mean() < LEAST_NARROW:
        narrowness = torch.zeros_like(narrowness)
    return FractionStatistics(mean.float(), std.float(), narrowness.float())


def _scales(fractions: Tensor) -> Tensor:
    """Return fractions and their logarithms. **Shape**: (T,) -> (T, 2)."""
    smallest = torch.finfo(torch.float32).tiny
    return torch.stack([fractions, fractions.clamp_min(smallest).log()], dim=1)


class StandardizedFractions(nn.Module):
    """Encodes how far the fraction of an element lies from its usual value in the data.

    In a set of steels, the fraction of iron runs from 0.6 to 0.8 and that of carbon from 0.0001 to
    0.02. An encoding of the range from 0 to 1 makes these differences tiny or erratic. This one
    standardises the fraction and its logarithm element by element. Each of the two moves the token
    along a direction of its element. The narrower the range of the element, the further the token
    moves. Elements that take all fractions, as in a set of compounds, are not encoded.

    Parameters
    ----------
    n_features : int
        Length of the element vectors.
    dim : int
        Length of the encoding.
    statistics : FractionStatistics
        Of the training compositions.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import StandardizedFractions, fraction_statistics
    >>> elements = torch.tensor([6, 26, 6, 26])
    >>> fractions = torch.tensor([0.01, 0.99, 0.03, 0.97])
    >>> encoding = StandardizedFractions(118, 8, fraction_statistics(elements, fractions))
    >>> encoding(torch.eye(118), elements, fractions).shape
    torch.Size([4, 8])
    """

    mean: Tensor
    std: Tensor
    narrowness: Tensor

    def __init__(self, n_features: int, dim: int, statistics: FractionStatistics) -> None:
        super().__init__()
        for name, values in statistics._asdict().items():
            self.register_buffer(name, values.clone())
        self.directions = PreciseLinear(n_features, 2 * dim, bias=False)

    def in_usual_amounts(self, atomic_numbers: Tensor, fractions: Tensor) -> Tensor:
        """Return fractions divided by the usual fraction to the power of the narrowness.

        **Shape**: (T,), (T,) -> (T,). The fraction of an element that is not narrow does not
        change.
        """
        usual = self.mean[:, 0] ** self.narrowness
        return fractions / usual[atomic_numbers - 1]

    def forward(self, element_vectors: Tensor, atomic_numbers: Tensor, fractions: Tensor) -> Tensor:
        """Encode. **Shape**: (118, n_features), (T,), (T,) -> (T, dim)."""
        element = atomic_numbers - 1
        deviation = (_scales(fractions) - self.mean[element]) / self.std[element]
        # Far from the data, differences fade and never vanish.
        deviation = deviation / (1 + (deviation / SOFT_LIMIT).square()).sqrt()
        steps = deviation * self.narrowness[element].unsqueeze(1)
        directions = F.embedding(element, self.directions(element_vectors))
        return (
            directions.view(len(element), 2, directions.shape[1] // 2) * steps.unsqueeze(2)
        ).sum(1)


class FractionalEncoding(nn.Module):
    """Sinusoidal encoding of atomic fractions, linear or logarithmic.

    CrabNet's counterpart of a positional encoding [1]_. The paper looks up the rounded fraction in
    a table of `resolution` rows. Here, the same functions are computed at the fraction itself, so
    that a prediction has no steps. Both are equal if rounding does not change the fraction.

    With `noise`, the encoding outside of training is the mean over fractions with the relative
    noise of the training. Waves that are shorter than the noise fade out, as in an integrated
    positional encoding [2]_. The network learns nothing from such waves, and they would only add
    ripples to its predictions.

    Parameters
    ----------
    dim : int
        Length of the encoding.
    resolution : int, default=5000
        Number of distinct fractions in the paper's table. The shortest wave is 2 pi rows long.
    log : bool, default=False
        Whether to encode ``min(1, 0.0025 log2(fraction)^2)``, in which small fractions differ more.
    noise : float, default=0.0
        Standard deviation of the relative noise on fractions in training.

    References
    ----------
    .. [1] Wang, Kauwe, Murdock, Sparks, "Compositionally restricted attention-based network for
       materials property predictions", npj Comput. Mater. 7, 77 (2021), methods.
    .. [2] Barron, Mildenhall, Tancik, Hedman, Martin-Brualla, Srinivasan, "Mip-NeRF", ICCV 2021,
       equations 11 to 14.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import FractionalEncoding
    >>> FractionalEncoding(8, log=True)(torch.tensor([0.5, 0.001])).shape
    torch.Size([2, 8])
    """

    def __init__(
        self, dim: int, resolution: int = 5000, log: bool = False, noise: float = 0.0
    ) -> None:
        super().__init__()
        self.dim = dim
        self.resolution = resolution
        self.log = log
        self.noise = noise

    def extra_repr(self) -> str:
        """Show what has no weights."""
        return f"dim={self.dim}, log={self.log}, noise={self.noise:g}"

    def forward(self, fractions: Tensor) -> Tensor:
        """Encode fractions. **Shape**: (T,) -> (T, dim)."""
        # The second is what a relative change of the fraction moves the first by.
        if self.log:
            # The square reaches 1 at 2^-20.
            exponent = fractions.clamp_min(2.0**-20).log2()
            scaled, slope = 0.0025 * exponent.square(), -0.005 / math.log(2) * exponent
        else:
            scaled, slope = fractions, fractions
        position = (scaled * self.resolution).clamp_min(1.0) - 1
        column = torch.arange(self.dim, dtype=fractions.dtype, device=fractions.device)
        rate = 50.0 ** (column * (-2 / self.dim))
        waves = (torch.outer(position, rate) + math.pi / 2 * (column % 2)).sin()
        if self.training or not self.noise:
            return waves
        width = slope * (self.noise * self.resolution)
        return waves * (-0.5 * torch.outer(width, rate).square()).exp()
