"""ElemNet on packed compositions. Shape letters as in `_packing`."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ._layers import Dropout, PreciseLinear
from ._network import LOG_SIGMA_BOUND, CompositionNetwork, Prediction
from ._packing import PackedBatch, count_elements


class ElemNet(CompositionNetwork):
    """A deep fully connected network on atomic fractions [1]_.

    It sees the mean of the element vectors of a composition, weighted by fractions. With one-hot
    vectors, this mean is the fractions themselves.

    The defaults are the paper's 17 layers. With the vectors of the table "elemnet"
    (`crabsk.embeddings.load_embedding`), they have the paper's 86 inputs. A second linear map of
    the last hidden layer predicts the logarithm of the uncertainty, which the paper's network does
    not have. Weights start as in the public code: Glorot's uniform distribution, biases zero.

    Parameters
    ----------
    element_vectors : Tensor of shape (118, n_features)
        A fixed vector for each element, row ``z - 1`` for atomic number ``z``.
    n_outputs : int, default=1
        Number of targets K.
    n_extra : int, default=0
        Number of extra features E (temperature, pressure, ...). They enter the first layer beside
        the composition, and interact with it in all later layers.
    widths : tuple of tuple of int
        Widths of the hidden layers, block by block.
    dropout : tuple of float, default=(0.2, 0.1, 0.3, 0.2)
        Dropout rates, one after each of the first blocks. At most as many as there are blocks.
    detach_uncertainty : bool, default=False
        Whether to read the uncertainty off the last hidden layer without sending gradients into it.
        Learning the uncertainty then cannot change the mean.

    References
    ----------
    .. [1] Jha, Ward, Paul, Liao, Choudhary, Wolverton, Agrawal, "ElemNet: deep learning the
       chemistry of materials from only elemental composition", Sci. Rep. 8, 17593 (2018).

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import ElemNet, PackedCompositions
    >>> network = ElemNet(torch.eye(118), widths=((16, 16), (8,)), dropout=(0.2,))
    >>> salt = PackedCompositions(
    ...     torch.tensor([11, 17]), torch.tensor([0.5, 0.5]), torch.tensor([0, 2]))
    >>> rows, batch = next(salt.batches(torch.tensor([0]), batch_size=1))
    >>> network(batch).mean.shape, network.encode(batch).shape
    (torch.Size([1, 1]), torch.Size([1, 8]))
    """

    heads: ClassVar[tuple[str, ...]] = ("mean", "log_sigma")
    readers: ClassVar[tuple[str, ...]] = ("mean.", "log_sigma.")

    def __init__(
        self,
        element_vectors: Tensor,
        *,
        n_outputs: int = 1,
        n_extra: int = 0,
        widths: tuple[tuple[int, ...], ...] = (
            (1024, 1024, 1024, 1024),
            (512, 512, 512),
            (256, 256, 256),
            (128, 128, 128),
            (64, 64),
            (32,),
        ),
        dropout: tuple[float, ...] = (0.2, 0.1, 0.3, 0.2),
        detach_uncertainty: bool = False,
    ) -> None:
        super().__init__(element_vectors, n_outputs, widths[-1][-1])
        if len(dropout) > len(widths):
            raise ValueError(f"{len(dropout)} dropout rates for {len(widths)} blocks of widths")
        self.detach_uncertainty = detach_uncertainty
        width = widths[0][0]
        self.embed = nn.Linear(element_vectors.shape[1], width)
        self.embed_extra = PreciseLinear(n_extra, width, bias=False) if n_extra else None
        layers: list[nn.Module] = [nn.ReLU()]
        for k, block in enumerate((widths[0][1:], *widths[1:])):
            for next_width in block:
                layers += [nn.Linear(width, next_width), nn.ReLU()]
                width = next_width
            if k < len(dropout):
                layers.append(Dropout(dropout[k]))
        self.hidden = nn.Sequential(*layers)
        self.mean = PreciseLinear(width, n_outputs)
        self.log_sigma = PreciseLinear(width, n_outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, batch: PackedBatch) -> Prediction:
        """Predict the properties of each composition. **Shape**: see `Prediction`."""
        hidden = self.encode(batch)
        log_sigma = self.log_sigma(hidden.detach() if self.detach_uncertainty else hidden)
        return Prediction(self.mean(hidden), log_sigma.clamp(-LOG_SIGMA_BOUND, LOG_SIGMA_BOUND))

    def encode(self, batch: PackedBatch) -> Tensor:
        """Return the last hidden layer. **Shape**: (B, widths[-1][-1])."""
        # A weighted sum of projections is the projection of the weighted sum, and elements are
        # fewer than compositions.
        vectors = F.linear(self.element_vectors, self.embed.weight)
        lengths = count_elements(batch.groups).to(vectors.device)
        x = self.embed.bias + F.embedding_bag(
            batch.atomic_numbers - 1,
            vectors.to(batch.fractions.dtype),  # of half precision where autocast is on
            lengths.cumsum(0) - lengths,
            mode="sum",
            per_sample_weights=batch.fractions,
        )
        if self.embed_extra is not None:
            x = x + self.embed_extra(batch.extra)
        return self.hidden(x)
