"""What reads off the targets from hidden vectors. Shape letters as in `_packing`; N vectors."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ._layers import PreciseLinear, ResidualNetwork


class ReadOff(NamedTuple):
    """The outputs of a head for each vector and target.

    Shape
    -----
    value, log_sigma, gate : (N, K)
    """

    value: Tensor
    log_sigma: Tensor
    gate: Tensor


class SharedHead(nn.Module):
    """A residual network that all targets share, with a linear layer that reads them off.

    Parameters
    ----------
    in_features : int
        Width d of the vectors.
    widths : tuple of int
        Widths of the residual network.
    n_outputs : int
        Number of targets K.
    detach_uncertainty : bool
        Whether learning the uncertainty leaves the layers below unchanged.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import SharedHead
    >>> head = SharedHead(8, (16, 4), n_outputs=2, detach_uncertainty=True)
    >>> head(torch.ones(5, 8)).value.shape
    torch.Size([5, 2])
    """

    def __init__(
        self, in_features: int, widths: tuple[int, ...], n_outputs: int, detach_uncertainty: bool
    ) -> None:
        super().__init__()
        self.detach_uncertainty = detach_uncertainty
        self.residual = ResidualNetwork(in_features, widths)
        self.out = PreciseLinear(widths[-1], 3 * n_outputs)

    def forward(self, x: Tensor) -> ReadOff:
        """Read off. **Shape**: (N, d) -> (N, K) three times."""
        hidden = self.residual(x)
        k = self.out.out_features // 3
        if not (self.detach_uncertainty and torch.is_grad_enabled()):
            # One product, even where nothing is learnt: a product with one column is summed in
            # another order at the end of a batch, and a prediction would depend on other rows.
            return ReadOff(*self.out(hidden).split(k, dim=1))
        return ReadOff(
            self.out(hidden, slice(0, k)),
            self.out(hidden.detach(), slice(k, 2 * k)),
            self.out(hidden, slice(2 * k, 3 * k)),
        )


class MixtureOfExpertsHead(nn.Module):
    """Multi-gate mixture of experts: each target mixes shared experts in its own way [1]_.

    Every expert is a residual network. Each target has a gate and a linear tower. The gate weights
    the experts for each vector. The tower reads the target off the mixture of the experts.

    Parameters
    ----------
    in_features, widths, n_outputs, detach_uncertainty
        As in `SharedHead`; `widths` are those of each expert.
    n_experts : int
        Number of experts.

    References
    ----------
    .. [1] Ma, Zhao, Yi, Chen, Hong, Chi, "Modeling task relationships in multi-task learning with
       multi-gate mixture-of-experts", KDD 2018, equations 5 to 7.
       https://doi.org/10.1145/3219819.3220007

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import MixtureOfExpertsHead
    >>> head = MixtureOfExpertsHead(
    ...     8, (16, 4), n_outputs=2, detach_uncertainty=True, n_experts=3
    ... )
    >>> head(torch.ones(5, 8)).value.shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        in_features: int,
        widths: tuple[int, ...],
        n_outputs: int,
        detach_uncertainty: bool,
        n_experts: int,
    ) -> None:
        super().__init__()
        self.detach_uncertainty = detach_uncertainty
        self.experts = nn.ModuleList(ResidualNetwork(in_features, widths) for _ in range(n_experts))
        self.gates = nn.Linear(in_features, n_outputs * n_experts)
        self.towers = nn.ModuleList(PreciseLinear(widths[-1], 3) for _ in range(n_outputs))

    def forward(self, x: Tensor) -> ReadOff:
        """Read off. **Shape**: (N, d) -> (N, K) three times."""
        experts = torch.stack([expert(x) for expert in self.experts], dim=1)
        weights = self.gates(x).view(len(x), len(self.towers), len(self.experts)).softmax(-1)
        values, log_sigmas, gates = [], [], []
        for tower, mixed in zip(self.towers, (weights @ experts).unbind(1), strict=True):
            value, log_sigma, gate = tower(mixed).split(1, dim=1)
            if self.detach_uncertainty:
                log_sigma = tower(mixed.detach())[:, 1:2]
            values.append(value)
            log_sigmas.append(log_sigma)
            gates.append(gate)
        return ReadOff(torch.cat(values, 1), torch.cat(log_sigmas, 1), torch.cat(gates, 1))
