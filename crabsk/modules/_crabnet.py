"""CrabNet on packed tokens. Shape letters as in `_packing`."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ._fractions import FractionalEncoding, FractionStatistics, StandardizedFractions
from ._heads import MixtureOfExpertsHead, SharedHead
from ._layers import EncoderLayer, FractionWeights, PreciseLinear
from ._network import LOG_SIGMA_BOUND, CompositionNetwork, Prediction
from ._packing import PackedBatch, mean_over_elements, spread_to_tokens


class CrabNet(CompositionNetwork):
    """A transformer over the elements of a composition [1]_.

    The sum of element vectors and fractional encodings passes through an encoder. For each element,
    a residual network then predicts its contribution to the property, the logarithm of its
    uncertainty and a gate. The property is the mean of the gated contributions over the elements.

    The defaults are the paper's network. All its elements have the same weight, whatever their
    fraction. With `weigh_fractions`, elements have learnt weights that depend on their fractions,
    and a trace of an element changes almost nothing.

    Parameters
    ----------
    element_vectors : Tensor of shape (118, n_features)
        A fixed vector for each element, row ``z - 1`` for atomic number ``z``.
    n_outputs : int, default=1
        Number of targets K.
    n_extra : int, default=0
        Number of extra features E (temperature, pressure, ...). They are embedded and added to
        every element before the encoder, so that they interact with the composition everywhere.
    fraction_statistics : FractionStatistics, optional
        If the fractions of some elements vary little in the training compositions, these statistics
        add an encoding of fractions relative to their usual values.
    fraction_noise : float, default=0.0
        Standard deviation of the relative noise on atomic fractions in training. In predictions,
        fractions are not encoded more finely than this noise. 0 for the paper's encoding.
    d_model : int, default=512
        Model width. Any number works. Multiples of 2 and of `n_heads` waste no multiplications.
    n_layers, n_heads, dim_feedforward : int, default=3, 4, 2048
        Number of encoder layers, number of attention heads, and hidden width of the feed-forward
        blocks.
    dropout : float, default=0.1
        Dropout rate in the encoder.
    norm_first : bool, default=False
        Whether the encoder normalises before its blocks (pre-norm, which trains faster) or after.
    head_widths : tuple of int, default=(1024, 512, 256, 128)
        Widths of the residual network that reads off the contributions.
    weigh_fractions : bool, default=False
        Whether elements have learnt weights that depend on their fractions (`FractionWeights`). The
        weights apply in the attention of each head and in the mean of the contributions. Each
        contribution includes its weight: the number of elements times the element's share of the
        weights.
    n_experts : int, default=1
        Number of residual networks that read off the contributions. With 1, all targets share the
        network. With more, each target mixes their outputs with its own weights.
    detach_uncertainty : bool, default=False
        Whether to read the uncertainty off the last hidden layer without sending gradients into it.
        Learning the uncertainty then cannot change the mean.

    References
    ----------
    .. [1] Wang, Kauwe, Murdock, Sparks, "Compositionally restricted attention-based network for
       materials property predictions", npj Comput. Mater. 7, 77 (2021).

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import CrabNet, PackedCompositions
    >>> network = CrabNet(torch.eye(118), d_model=16, dim_feedforward=32, head_widths=(16,))
    >>> salt = PackedCompositions(
    ...     torch.tensor([11, 17]), torch.tensor([0.5, 0.5]), torch.tensor([0, 2]))
    >>> rows, batch = next(salt.batches(torch.tensor([0]), batch_size=1))
    >>> network(batch).mean.shape
    torch.Size([1, 1])
    """

    heads: ClassVar[tuple[str, ...]] = ("head",)
    readers: ClassVar[tuple[str, ...]] = ("head.out.", "head.gates.", "head.towers.")

    def __init__(
        self,
        element_vectors: Tensor,
        *,
        n_outputs: int = 1,
        n_extra: int = 0,
        fraction_statistics: FractionStatistics | None = None,
        fraction_noise: float = 0.0,
        d_model: int = 512,
        n_layers: int = 3,
        n_heads: int = 4,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        norm_first: bool = False,
        weigh_fractions: bool = False,
        head_widths: tuple[int, ...] = (1024, 512, 256, 128),
        n_experts: int = 1,
        detach_uncertainty: bool = False,
    ) -> None:
        super().__init__(element_vectors, n_outputs, d_model)
        self.embed = PreciseLinear(element_vectors.shape[1], d_model)
        self.linear_encoding = FractionalEncoding(d_model - d_model // 2, noise=fraction_noise)
        self.log_encoding = FractionalEncoding(d_model // 2, log=True, noise=fraction_noise)
        self.embedding_scale = nn.Parameter(torch.ones(1))
        self.linear_scale = nn.Parameter(torch.ones(1))
        self.log_scale = nn.Parameter(torch.ones(1))
        self.standardized = (
            None
            if fraction_statistics is None or not fraction_statistics.narrowness.any()
            else StandardizedFractions(element_vectors.shape[1], d_model, fraction_statistics)
        )
        self.embed_extra = (
            nn.Sequential(PreciseLinear(n_extra, d_model), nn.ReLU(), nn.Linear(d_model, d_model))
            if n_extra
            else None
        )
        self.encoder = nn.ModuleList(
            EncoderLayer(d_model, n_heads, dim_feedforward, dropout, norm_first, weigh_fractions)
            for _ in range(n_layers)
        )
        # Pre-norm layers leave an unnormalised sum behind.
        self.encoder_norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()
        self.fraction_weights = FractionWeights(1) if weigh_fractions else None
        head = (d_model, head_widths, n_outputs, detach_uncertainty)
        self.head = MixtureOfExpertsHead(*head, n_experts) if n_experts > 1 else SharedHead(*head)

    def forward(self, batch: PackedBatch) -> Prediction:
        """Predict the properties of each composition. **Shape**: see `Prediction`."""
        value, log_sigma, gate = self.head(self.encode_elements(batch))
        weights = self._weights(batch)
        # What teaches the uncertainty must not move the mean through the weights, either.
        beside = weights.detach() if self.head.detach_uncertainty else weights
        return Prediction(
            mean_over_elements(value * gate.sigmoid() * weights, batch.groups),
            mean_over_elements(log_sigma * beside, batch.groups).clamp(
                -LOG_SIGMA_BOUND, LOG_SIGMA_BOUND
            ),
        )

    def encode(self, batch: PackedBatch) -> Tensor:
        """Return each composition's mean over its encoded elements. **Shape**: (B, d)."""
        return mean_over_elements(self.encode_elements(batch) * self._weights(batch), batch.groups)

    def encode_elements(
        self, batch: PackedBatch, weights: list[list[Tensor]] | None = None
    ) -> Tensor:
        """Return the encoded tokens. **Shape**: (T, d).

        If a list is given as `weights`, each layer appends a list of its attention weights to it:
        one tensor (n_compositions, h, n_elements, n_elements) for each group.
        """
        # Elements are far fewer than tokens: project each element once.
        vectors = self.embed(self.element_vectors)
        x = nn.functional.embedding(batch.atomic_numbers - 1, vectors) * self.embedding_scale
        x = x + torch.cat(
            [
                self.linear_encoding(batch.fractions) * self.linear_scale,
                self.log_encoding(batch.fractions) * self.log_scale,
            ],
            dim=1,
        )
        if self.standardized is not None:
            x = x + self.standardized(self.element_vectors, batch.atomic_numbers, batch.fractions)
        if self.embed_extra is not None:
            x = x + spread_to_tokens(self.embed_extra(batch.extra), batch.groups)
        amounts = self._amounts(batch)
        for layer in self.encoder:
            layer_weights: list[Tensor] | None = None if weights is None else []
            x = layer(x, batch.groups, layer_weights, amounts)
            if weights is not None and layer_weights is not None:
                weights.append(layer_weights)
        return self.encoder_norm(x)

    def contributions(self, batch: PackedBatch) -> tuple[Tensor, Tensor]:
        """Return the contribution of each element to each target, and its log standard deviation.

        The prediction for a composition is the mean of the contributions of its elements.

        Shape
        -----
        returns : (T, K), (T, K)
        """
        value, log_sigma, gate = self.head(self.encode_elements(batch))
        weights = self._weights(batch)
        return value * gate.sigmoid() * weights, log_sigma + weights.log()

    def _weights(self, batch: PackedBatch) -> Tensor:
        """Return weights of elements; their mean in a composition is 1. **Shape**: (T, 1)."""
        if self.fraction_weights is None:
            return torch.ones_like(batch.fractions).unsqueeze(1)
        weights = self.fraction_weights(self._amounts(batch)).exp()
        means = mean_over_elements(weights, batch.groups)
        return weights / spread_to_tokens(means, batch.groups)

    def _amounts(self, batch: PackedBatch) -> Tensor:
        """Return how much there is of each element, by which it counts. **Shape**: (T,)."""
        if self.standardized is None:
            return batch.fractions
        return self.standardized.in_usual_amounts(batch.atomic_numbers, batch.fractions)

    def attention_weights(self, batch: PackedBatch) -> list[list[Tensor]]:
        """Return the attention weights of each layer and group.

        Shape
        -----
        returns : for each layer and each group (n_compositions, h, n_elements, n_elements); the
            weights that an element (row) gives to all elements (columns) add up to 1
        """
        weights: list[list[Tensor]] = []
        self.encode_elements(batch, weights)
        return weights
