"""Layers on packed tokens. Shape letters as in `_packing`; h attention heads."""

import copy
import math
from collections.abc import Callable
from typing import ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._packing import Group


class Dropout(nn.Module):
    """Inverted dropout that draws from a generator of its own.

    The global random state is never touched, so that members of an ensemble train in parallel
    threads with reproducible results. One random byte decides for one value: the rate is rounded
    to a multiple of 1/256 and the scale corrected to match, for an eighth of the random numbers.

    Parameters
    ----------
    p : float
        Probability with which a value is set to zero.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import Dropout
    >>> layer = Dropout(0.5)
    >>> layer.generator = torch.Generator().manual_seed(0)
    >>> layer(torch.ones(4, 8)).unique()
    tensor([0., 2.])
    >>> layer.eval()(torch.ones(4, 8)).unique()
    tensor([1.])
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.threshold = round(p * 256)
        if not 0 <= self.threshold < 256:
            raise ValueError(f"dropout={p} would drop everything: at most 255/256 can be dropped")
        self.generator: torch.Generator | None = None
        self.sampled = False
        self._mask: Tensor | None = None

    def forward(self, x: Tensor, before_relu: bool = False) -> Tensor:
        """Drop values while training, or those of a sampled mask. **Shape**: (T, d), kept.

        Where a ReLU is all that follows, `before_relu` saves gradients the mask: they end where
        the ReLU's result is zero, dropped or negative. Of a hidden layer, the largest thing that a
        step of training keeps, one copy is kept then. Without a ReLU, gradients would be wrong.
        """
        if self.sampled:
            if self._mask is None:
                self._mask = self._drop(x.new_ones(1, x.shape[1]))
            return x * self._mask
        return self._drop(x, before_relu) if self.training else x

    def _drop(self, x: Tensor, before_relu: bool = False) -> Tensor:
        if not self.threshold:
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None, generator=self.generator)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape)
        # Bytes below the threshold become 0, the others 1. Comparing, and making numbers of
        # booleans, would take several times as long.
        kept.clamp_(self.threshold - 1, self.threshold).sub_(self.threshold - 1)
        # Half precision would round the scale, if the mask had it.
        x = x * (256 / (256 - self.threshold))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not before_relu):
            return x.mul_(kept.to(x.dtype))


class PreciseLinear(nn.Linear):
    """A linear layer that computes in the precision of its weights, whatever `torch.autocast` says.

    For the ends of a network: what goes in and comes out has more digits than half precision, and
    an element's gradient is a sum over thousands of tokens.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import PreciseLinear
    >>> layer, x = PreciseLinear(8, 6), torch.ones(5, 8)
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     layer(x).dtype
    torch.float32
    >>> layer(x, slice(0, 2)).shape  # the first two outputs
    torch.Size([5, 2])
    """

    def forward(self, x: Tensor, outputs: slice = slice(None)) -> Tensor:
        """Transform features, some outputs only. **Shape**: (N, in_features) -> (N, n)."""
        bias = None if self.bias is None else self.bias[outputs]
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(self.weight.dtype), self.weight[outputs], bias)


class FractionWeights(nn.Module):
    """Learnt weights by which elements count: a / (a + a0) of an amount a.

    The amount is the atomic fraction, or, of an element whose fraction varies little in the data,
    the fraction in units of what is usual (`StandardizedFractions.in_usual_amounts`). An element of
    which there is much more than a0 counts in full, and one of which there is less counts by its
    amount, so that next to nothing of an element counts for next to nothing. Before the training a0
    is 1.

    Parameters
    ----------
    n_weights : int
        How many there are, each with an a0 of its own. None falls below 1e-4.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import FractionWeights
    >>> weights = FractionWeights(1)
    >>> weights(torch.tensor([0.9, 0.1, 1e-6])).exp().flatten()  # of logarithms
    tensor([4.7368e-01, 9.0909e-02, 1.0000e-06], grad_fn=<ViewBackward0>)
    """

    least: ClassVar[float] = 1e-4

    def __init__(self, n_weights: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.full((n_weights,), math.log(1 - self.least)))

    def half_counted(self) -> Tensor:
        """Return a0, the amount that counts half. **Shape**: (n_weights,)."""
        return self.least + self.raw.exp()

    def forward(self, amounts: Tensor) -> Tensor:
        """Return logarithms of the weights. **Shape**: (T,) -> (T, n_weights)."""
        a = amounts.clamp_min(torch.finfo(torch.float32).tiny).unsqueeze(1)
        return a.log() - (a + self.half_counted()).log()


Network = TypeVar("Network", bound=nn.Module)


def sample_subnetwork(network: Network, seed: int) -> Network:
    """Return a copy of a network in which each dropout layer drops the same features of all rows.

    A draw from the distribution of networks that dropout stands for [1]_, with masks that are
    shared by all inputs [2]_: what it says of a row does not depend on the rows beside it.

    References
    ----------
    .. [1] Gal & Ghahramani, "Dropout as a Bayesian approximation", ICML 2016.
    .. [2] Kirsch, van Amersfoort, Gal, "BatchBALD", NeurIPS 2019, section 3.2 (consistent MC
       dropout).

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import Dropout, sample_subnetwork
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), Dropout(0.5)).eval()
    >>> sample = sample_subnetwork(network, seed=0)
    >>> dropped = (sample(torch.ones(3, 4)) == 0).sum(0)  # of each feature, in all rows or none
    >>> dropped.unique()
    tensor([0, 3])
    >>> sample[0].weight is network[0].weight
    True
    """
    # The weights are shared: only the masks differ.
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    sample = copy.deepcopy(network, shared)
    layers = [layer for layer in sample.modules() if isinstance(layer, Dropout)]
    if layers:
        generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)
    for layer in layers:
        layer.sampled = True
        layer.generator = generator
    return sample


class PackedSelfAttention(nn.Module):
    """Multi-head attention among the elements of each composition.

    Parameters
    ----------
    d_model : int
        Model width.
    n_heads : int
        Number of heads. Each has the width ``d_model / n_heads``, rounded up.
    weigh_fractions : bool, default=False
        Whether each head multiplies the attention that an element gets by a learnt weight of its
        fraction, `FractionWeights`.

    Examples
    --------
    Two compositions of one element and one of three, five tokens together:

    >>> import torch
    >>> from crabsk.modules import Group, PackedSelfAttention
    >>> attention = PackedSelfAttention(d_model=8, n_heads=2)
    >>> weights = []
    >>> attention(torch.ones(5, 8), (Group(1, 2), Group(3, 1)), weights).shape
    torch.Size([5, 8])
    >>> [tuple(group.shape) for group in weights]
    [(2, 2, 1, 1), (1, 2, 3, 3)]
    """

    def __init__(self, d_model: int, n_heads: int, weigh_fractions: bool = False) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.head_width = -(-d_model // n_heads)
        self.query_key_value = nn.Linear(d_model, 3 * n_heads * self.head_width)
        self.out = nn.Linear(n_heads * self.head_width, d_model)
        self.fraction_weights = FractionWeights(n_heads) if weigh_fractions else None
        nn.init.xavier_uniform_(self.query_key_value.weight)
        nn.init.zeros_(self.query_key_value.bias)
        nn.init.zeros_(self.out.bias)

    def extra_repr(self) -> str:
        """Show what the weights' shapes do not."""
        return f"n_heads={self.n_heads}"

    def forward(
        self,
        x: Tensor,
        groups: tuple[Group, ...],
        weights: list[Tensor] | None = None,
        amounts: Tensor | None = None,
    ) -> Tensor:
        """Attend within each composition. **Shape**: (T, d) and (T,) -> (T, d).

        Where a list is given as `weights`, the attention weights of each group are appended to
        it, (n_compositions, h, n_elements, n_elements). The amounts are needed with
        `weigh_fractions` only.
        """
        h, width = self.n_heads, self.head_width
        packed = self.query_key_value(x)
        # Products of so few elements take half precision twice as long.
        packed = packed.to(torch.promote_types(packed.dtype, torch.float32)).view(-1, 3, h, width)
        if self.fraction_weights is not None:
            assert amounts is not None
            # softmax(q k / sqrt(w) + log weight) without a mask, which torch's fused attention
            # would take many times as long for: queries and keys get one more feature, whose
            # product is the logarithm.
            packed = F.pad(packed, (0, 1))
            packed[:, 0, :, -1] = width**0.5
            packed[:, 1, :, -1] = self.fraction_weights(amounts)
        mixed = []
        for (n, m), tokens in zip(groups, packed.split([n * m for n, m in groups]), strict=True):
            if n == 0:
                continue
            if n == 1 and weights is None:
                # A lone element attends to itself with weight one.
                mixed.append(tokens[:, 2, :, :width].flatten(1))
                continue
            query, key, value = (
                tokens.view(m, n, 3, h, tokens.shape[-1]).permute(2, 0, 3, 1, 4).unbind(0)
            )
            if weights is None:
                with torch.autocast(x.device.type, enabled=False):
                    attended = F.scaled_dot_product_attention(query, key, value, scale=width**-0.5)
            else:
                scores = query @ key.transpose(-1, -2) * width**-0.5
                weights.append(scores.softmax(-1))
                attended = weights[-1] @ value
            mixed.append(attended[..., :width].transpose(1, 2).reshape(n * m, h * width))
        return self.out(torch.cat(mixed) if mixed else packed[:, 0, :, :width].flatten(1))


class EncoderLayer(nn.Module):
    """A transformer encoder layer on packed tokens.

    As `torch.nn.TransformerEncoderLayer` with ReLU, except that attention weights are not dropped.

    Parameters
    ----------
    d_model, n_heads, dim_feedforward : int
        Width, heads and hidden width of the feed-forward block.
    dropout : float
        Dropout rate of both blocks.
    norm_first : bool
        Whether layer normalisation stands before each block (pre-norm) or after the sum.
    weigh_fractions : bool, default=False
        As in `PackedSelfAttention`.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import EncoderLayer, Group
    >>> layer = EncoderLayer(8, n_heads=2, dim_feedforward=16, dropout=0.1, norm_first=True)
    >>> layer.eval()(torch.ones(5, 8), (Group(1, 2), Group(3, 1))).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        dim_feedforward: int,
        dropout: float,
        norm_first: bool,
        weigh_fractions: bool = False,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = PackedSelfAttention(d_model, n_heads, weigh_fractions)
        self.widen = nn.Linear(d_model, dim_feedforward)
        self.narrow = nn.Linear(dim_feedforward, d_model)
        self.attention_norm = nn.LayerNorm(d_model)
        self.feedforward_norm = nn.LayerNorm(d_model)
        # A layer for each place, so that each has a mask of its own where masks are sampled.
        self.attention_dropout = Dropout(dropout)
        self.hidden_dropout = Dropout(dropout)
        self.feedforward_dropout = Dropout(dropout)

    def extra_repr(self) -> str:
        """Show what the weights' shapes do not."""
        return f"norm_first={self.norm_first}"

    def forward(
        self,
        x: Tensor,
        groups: tuple[Group, ...],
        weights: list[Tensor] | None = None,
        amounts: Tensor | None = None,
    ) -> Tensor:
        """Encode tokens. **Shape**: (T, d) and (T,) -> (T, d)."""
        if self.norm_first:
            attended = self.attention(self.attention_norm(x), groups, weights, amounts)
            x = x + self.attention_dropout(attended)
            return x + self._feedforward(self.feedforward_norm(x))
        attended = self.attention(x, groups, weights, amounts)
        x = self.attention_norm(x + self.attention_dropout(attended))
        return self.feedforward_norm(x + self._feedforward(x))

    def _feedforward(self, x: Tensor) -> Tensor:
        wide = self.widen(x)
        dropped = self.hidden_dropout(wide, before_relu=True)
        # Over what dropout made, but not over what a hook on `widen` may have kept.
        hidden = F.relu(dropped, inplace=dropped is not wide)
        return self.feedforward_dropout(self.narrow(hidden))


class ResidualNetwork(nn.Module):
    """Fully connected layers, each beside a linear skip without bias.

    The output network of Roost [1]_ (with ReLU) and of CrabNet, without its last linear layer.

    Parameters
    ----------
    in_features : int
        Width of the input.
    widths : sequence of int
        Width of each layer.
    activation : callable, default=leaky_relu
        What each layer, but not its skip, goes through.

    References
    ----------
    .. [1] Goodall & Lee, "Predicting materials properties without crystal structure", Nat.
       Commun. 11, 6280 (2020).

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import ResidualNetwork
    >>> ResidualNetwork(8, (16, 4))(torch.ones(5, 8)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        in_features: int,
        widths: tuple[int, ...],
        activation: Callable[[Tensor], Tensor] = F.leaky_relu,
    ) -> None:
        super().__init__()
        self.activation = activation
        sizes = list(zip((in_features, *widths[:-1]), widths, strict=True))
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in sizes)
        self.skips = nn.ModuleList(
            nn.Linear(a, b, bias=False) if a != b else nn.Identity() for a, b in sizes
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform features. **Shape**: (T, in_features) -> (T, widths[-1])."""
        for layer, skip in zip(self.layers, self.skips, strict=True):
            x = self.activation(layer(x)) + skip(x)
        return x
