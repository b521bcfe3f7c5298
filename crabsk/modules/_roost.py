"""Roost on packed pairs of elements. Shape letters as in `_packing`.

h attention heads, w element width, P receivers of messages, n senders for each of them.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._layers import PreciseLinear, ResidualNetwork
from ._network import LOG_SIGMA_BOUND, CompositionNetwork, Prediction
from ._packing import Group, PackedBatch, spread_to_tokens

# Pairs worked on at once. A pair is 1536 numbers wide in the paper's network: a batch of them
# would leave the cache, and one of long formulas the memory.
MOST_PAIRS = 1024


class WeightedAttention(nn.Module):
    """What the two attention layers of Roost share.

    For every sender, two networks with one hidden layer each compute a gate and a message. The
    weights of the messages are a softmax of ``gate + power * log(fraction)``, with a learnt power
    for each head. The heads are averaged.

    Parameters
    ----------
    in_features : int
        Width of what the networks see of a sender (and its receiver).
    out_features : int
        Width of a message.
    n_heads : int
        Number of heads.
    gate_width, message_width : int
        Hidden widths of the two networks, for each head.
    """

    def __init__(
        self, in_features: int, out_features: int, n_heads: int, gate_width: int, message_width: int
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.gate_hidden = nn.Linear(in_features, n_heads * gate_width)
        # The softmax would cancel a bias.
        self.gate_out = nn.Linear(gate_width, n_heads, bias=False)
        self.message_hidden = nn.Linear(in_features, n_heads * message_width)
        self.message_out = nn.Linear(message_width, n_heads * out_features)
        self.power = nn.Parameter(torch.randn(n_heads))

    def split_heads(self, hidden: Tensor) -> Tensor:
        """Lay the heads out one after another. **Shape**: (T, h * k) -> (h, T, k)."""
        return hidden.unflatten(1, (self.n_heads, -1)).transpose(0, 1).contiguous()

    def attend(self, gate: Tensor, message: Tensor, log_fractions: Tensor) -> Tensor:
        """Sum the hidden layers of the messages with their weights.

        **Shape**: (h, P, n, gate_width), (h, P, n, message_width), (P, n) -> (h, P, message_width)
        """
        logits = (gate.flatten(1, 2) @ self.gate_out.weight.unsqueeze(2)).view(gate.shape[:3])
        logits = logits + self.power.view(-1, 1, 1) * log_fractions
        return (logits.softmax(2).unsqueeze(2) @ message).squeeze(2)

    def read_out(self, hidden: Tensor) -> Tensor:
        """Return the mean message over the heads. **Shape**: (h, P, message_width) -> (P, w).

        The last linear layer comes after the weighted sum: weights that add up to 1 leave it as
        it is, and there are fewer receivers than pairs.
        """
        weight = self.message_out.weight.unflatten(0, (self.n_heads, -1))
        bias = self.message_out.bias.view(self.n_heads, 1, -1)
        return torch.baddbmm(bias, hidden, weight.mT).mean(0)


class MessagePassing(WeightedAttention):
    """Every element gets messages from all elements of its composition, itself among them."""

    def forward(self, x: Tensor, log_fractions: Tensor, groups: tuple[Group, ...]) -> Tensor:
        """Return the messages. **Shape**: (T, w), (T,) -> (T, w)."""
        groups = _bounded(groups)
        sizes = [n * m for n, m in groups]
        projected = [
            part.split(sizes, dim=1)
            for linear in (self.gate_hidden, self.message_hidden)
            for part in self._project(linear, x)
        ]
        received = []
        for (n, m), logs, to_gate, from_gate, to_message, from_message in zip(
            groups, log_fractions.split(sizes), *projected, strict=True
        ):
            gate = _pairs(to_gate, from_gate, n, m)
            message = _pairs(to_message, from_message, n, m)
            logs = logs.view(m, 1, n).expand(m, n, n).reshape(m * n, n)
            received.append(self.attend(gate, message, logs))
        return self.read_out(torch.cat(received, dim=1))

    def _project(self, linear: nn.Linear, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what receiver and sender add to a linear map of the two side by side.

        **Shape**: (T, w) -> (h, T, k) twice. The sum of both is taken pair by pair, and the
        products, which cost most, element by element.
        """
        receiver, sender = linear.weight.chunk(2, dim=1)
        return (
            self.split_heads(F.linear(x, receiver, linear.bias)),
            self.split_heads(F.linear(x, sender)),
        )


class AttentionPooling(WeightedAttention):
    """Every composition gets messages from its elements; an empty one, nothing but a bias."""

    def forward(self, x: Tensor, log_fractions: Tensor, groups: tuple[Group, ...]) -> Tensor:
        """Return the messages. **Shape**: (T, w), (T,) -> (B, w)."""
        sizes = [n * m for n, m in groups]
        gates, messages = (
            self.split_heads(F.leaky_relu(linear(x))).split(sizes, dim=1)
            for linear in (self.gate_hidden, self.message_hidden)
        )
        received = [
            self.attend(gate.unflatten(1, (m, n)), message.unflatten(1, (m, n)), logs.view(m, n))
            for (n, m), logs, gate, message in zip(
                groups, log_fractions.split(sizes), gates, messages, strict=True
            )
        ]
        return self.read_out(torch.cat(received, dim=1))


def _bounded(groups: tuple[Group, ...]) -> tuple[Group, ...]:
    """Cut the groups into runs of at most `MOST_PAIRS` pairs, or of a single composition."""
    runs = []
    for n, m in groups:
        most = max(1, MOST_PAIRS // max(1, n * n))
        runs += [Group(n, min(most, m - start)) for start in range(0, m, most)]
    return tuple(runs)


def _pairs(receivers: Tensor, senders: Tensor, n: int, m: int) -> Tensor:
    """Return the hidden layer of all pairs. **Shape**: (h, m n, k) twice -> (h, m n, n, k)."""
    pairs = receivers.unflatten(1, (m, n, 1)) + senders.unflatten(1, (m, 1, n))
    return F.leaky_relu(pairs, inplace=True).flatten(1, 2)


class Roost(CompositionNetwork):
    """Message passing on the complete graph of a composition's elements [1]_.

    Each element has a vector: its embedding, with its fraction as the last entry. In each layer,
    every element gets messages from all elements of its composition. Attention pooling then makes
    one vector of each composition. Residual networks read the property and the logarithm of its
    uncertainty off this vector.

    The defaults are the paper's network as in the public code, with two differences that have no
    effect. Attention weights are a plain softmax, without the 1e-10 with which that code avoids a
    division by zero. The gates have no last bias, because a softmax cancels it.

    Parameters
    ----------
    element_vectors : Tensor of shape (118, n_features)
        A fixed vector for each element, row ``z - 1`` for atomic number ``z``.
    n_outputs : int, default=1
        Number of targets K.
    n_extra : int, default=0
        Number of extra features E (temperature, pressure, ...). They are embedded and added to
        every element before the first message, so that they interact with the composition
        everywhere.
    element_width : int, default=64
        Width w of an element's vector; the fraction is one of its entries.
    n_layers, n_heads : int, default=3, 3
        Number of message layers, and number of heads in each of them and in the pooling.
    gate_width, message_width : int, default=256, 256
        Hidden widths of the networks that compute gates and messages, for each head.
    trunk_widths : tuple of int, default=(1024, 512, 256)
        Widths of the network that follows the pooling. At least two. The last layer has no skip
        connection.
    head_widths : tuple of int, default=(128, 64)
        Widths of the residual network that follows.
    detach_uncertainty : bool, default=False
        Whether to read the uncertainty off the last hidden layer without sending gradients into it.
        Learning the uncertainty then cannot change the mean.

    References
    ----------
    .. [1] Goodall & Lee, "Predicting materials properties without crystal structure: deep
       representation learning from stoichiometry", Nat. Commun. 11, 6280 (2020).

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import PackedCompositions, Roost
    >>> network = Roost(torch.eye(118), element_width=16, trunk_widths=(32, 16), head_widths=(8,))
    >>> salt = PackedCompositions(
    ...     torch.tensor([11, 17]), torch.tensor([0.5, 0.5]), torch.tensor([0, 2]))
    >>> rows, batch = next(salt.batches(torch.tensor([0]), batch_size=1))
    >>> network(batch).mean.shape, network.encode(batch).shape
    (torch.Size([1, 1]), torch.Size([1, 16]))
    """

    heads: ClassVar[tuple[str, ...]] = ("trunk", "trunk_out", "head", "mean", "log_sigma")
    readers: ClassVar[tuple[str, ...]] = ("mean.", "log_sigma.")

    def __init__(
        self,
        element_vectors: Tensor,
        *,
        n_outputs: int = 1,
        n_extra: int = 0,
        element_width: int = 64,
        n_layers: int = 3,
        n_heads: int = 3,
        gate_width: int = 256,
        message_width: int = 256,
        trunk_widths: tuple[int, ...] = (1024, 512, 256),
        head_widths: tuple[int, ...] = (128, 64),
        detach_uncertainty: bool = False,
    ) -> None:
        super().__init__(element_vectors, n_outputs, element_width)
        if len(trunk_widths) < 2:
            raise ValueError(f"trunk_widths={trunk_widths} must be at least two widths")
        self.detach_uncertainty = detach_uncertainty
        self.embed = PreciseLinear(element_vectors.shape[1], element_width - 1)
        self.embed_extra = (
            nn.Sequential(
                PreciseLinear(n_extra, element_width),
                nn.ReLU(),
                nn.Linear(element_width, element_width),
            )
            if n_extra
            else None
        )
        self.layers = nn.ModuleList(
            MessagePassing(2 * element_width, element_width, n_heads, gate_width, message_width)
            for _ in range(n_layers)
        )
        self.pool = AttentionPooling(
            element_width, element_width, n_heads, gate_width, message_width
        )
        self.trunk = ResidualNetwork(element_width, trunk_widths[:-1], F.relu)
        self.trunk_out = nn.Linear(trunk_widths[-2], trunk_widths[-1])
        self.head = ResidualNetwork(trunk_widths[-1], head_widths, F.relu)
        self.mean = PreciseLinear(head_widths[-1], n_outputs)
        self.log_sigma = PreciseLinear(head_widths[-1], n_outputs)

    def forward(self, batch: PackedBatch) -> Prediction:
        """Predict the properties of each composition. **Shape**: see `Prediction`."""
        hidden = self.head(F.relu(self.trunk_out(self.trunk(self.encode(batch)))))
        log_sigma = self.log_sigma(hidden.detach() if self.detach_uncertainty else hidden)
        return Prediction(self.mean(hidden), log_sigma.clamp(-LOG_SIGMA_BOUND, LOG_SIGMA_BOUND))

    def encode(self, batch: PackedBatch) -> Tensor:
        """Return the pooled vector of each composition. **Shape**: (B, w)."""
        # Elements are far fewer than tokens: project each element once.
        vectors = F.embedding(batch.atomic_numbers - 1, self.embed(self.element_vectors))
        x = torch.cat([vectors, batch.fractions.unsqueeze(1)], dim=1)
        if self.embed_extra is not None:
            x = x + spread_to_tokens(self.embed_extra(batch.extra), batch.groups)
        # A fraction may be too small for its type, and zero times a power is no number.
        smallest = torch.finfo(batch.fractions.dtype).tiny
        log_fractions = batch.fractions.clamp_min(smallest).log()
        for layer in self.layers:
            x = x + layer(x, log_fractions, batch.groups)
        return self.pool(x, log_fractions, batch.groups)
