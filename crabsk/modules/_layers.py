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
    """Inverted dropout with its own random generator.

    The global random state does not change. Members of an ensemble can therefore train in parallel
    threads with reproducible results. One random byte decides about one value, which takes an
    eighth of the random numbers. The rate is rounded to a multiple of 1/256, and the scale is
    corrected to match.

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
        """Drop values in training, or those of a sampled mask. **Shape**: (T, d), kept.

        With `before_relu`, a ReLU must follow, or gradients are wrong. The backward pass then needs
        no mask: the ReLU stops all gradients where its result is zero, dropped or negative. A
        training step keeps one copy of the hidden layer, its largest tensor, instead of two.
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
    """A linear layer that ignores `torch.autocast` and computes in the precision of its weights.

    It is used at both ends of a network. Inputs and outputs have more digits than half precision,
    and the gradient of an element is a sum over thousands of tokens.

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
        """Return n of the outputs, or all. **Shape**: (N, in_features) -> (N, n)."""
        bias = None if self.bias is None else self.bias[outputs]
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(self.weight.dtype), self.weight[outputs], bias)


class FractionWeights(nn.Module):
    """Learnt weights of elements: a / (a + a0) for an amount a.

    The amount is the atomic fraction. For an element whose fraction varies little in the data, it
    is the fraction relative to its usual value (`StandardizedFractions.in_usual_amounts`). If the
    amount is far above a0, the weight is close to 1. If it is far below a0, the weight is
    proportional to the amount, so that a trace has almost no weight. Before training, a0 is 1.

    Parameters
    ----------
    n_weights : int
        Number of weights, each with its own a0. No a0 falls below 1e-4.

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
        """Return a0, the amount with weight one half. **Shape**: (n_weights,)."""
        return self.least + self.raw.exp()

    def forward(self, amounts: Tensor) -> Tensor:
        """Return logarithms of the weights. **Shape**: (T,) -> (T, n_weights)."""
        a = amounts.clamp_min(torch.finfo(torch.float32).tiny).unsqueeze(1)
        return a.log() - (a + self.half_counted()).log()


Network = TypeVar("Network", bound=nn.Module)


def sample_subnetwork(network: Network, seed: int) -> Network:
    """Return a copy of a network in which each dropout layer drops the same features of all rows.

    The copy is a sample from the distribution of networks that dropout represents [1]_. All inputs
    share the masks [2]_, so that the prediction for a row does not depend on other rows.

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
        Whether each head multiplies the attention that an element gets by a learnt weight, which
        depends on the element's fraction (`FractionWeights`).

    Examples
    --------
    Two compositions of one element and one of three, with five tokens in total:

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

        If a list is given as `weights`, the attention weights of each group are appended to it:
        one tensor (n_compositions, h, n_elements, n_elements). `amounts` are needed only with
        `weigh_fractions`.
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

    Like `torch.nn.TransformerEncoderLayer` with ReLU, but without dropout of attention weights.

    Parameters
    ----------
    d_model, n_heads, dim_feedforward : int
        Width, heads and hidden width of the feed-forward block.
    dropout : float
        Dropout rate of both blocks.
    norm_first : bool
        Whether to apply layer normalisation before each block (pre-norm) or after the sum.
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
        # In place of the output of dropout, but not of `widen`, which a hook may have kept.
        hidden = F.relu(dropped, inplace=dropped is not wide)
        return self.feedforward_dropout(self.narrow(hidden))


class ResidualNetwork(nn.Module):
    """Fully connected layers, each with a linear skip connection without bias.

    This is the output network of Roost [1]_ (with ReLU) and of CrabNet, without the last linear
    layer.

    Parameters
    ----------
    in_features : int
        Width of the input.
    widths : sequence of int
        Width of each layer.
    activation : callable, default=leaky_relu
        Applied to the output of each layer, but not to its skip connection.

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
