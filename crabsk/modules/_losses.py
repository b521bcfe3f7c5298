"""Losses of a mean and a log sigma. Shape letters as in `_packing`.

The robust ones are negative logarithms of a density, up to a constant: they learn an uncertainty.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ._crabnet import Prediction


def robust_l1(error: Tensor, log_sigma: Tensor) -> Tensor:
    r"""Laplace likelihood: :math:`\sqrt 2 |e| / \sigma + \log \sigma` (Goodall & Lee 2020).

    **Shape**: any, kept. `sigma` is the standard deviation of the Laplace distribution.
    """
    return 2**0.5 * error.abs() * torch.exp(-log_sigma) + log_sigma


def robust_l2(error: Tensor, log_sigma: Tensor) -> Tensor:
    r"""Gaussian likelihood: :math:`e^2 / 2\sigma^2 + \log \sigma` (Kendall & Gal 2017).

    **Shape**: any, kept.
    """
    return 0.5 * error.square() * torch.exp(-2 * log_sigma) + log_sigma


def absolute_error(error: Tensor, log_sigma: Tensor) -> Tensor:
    """Absolute error. **Shape**: any, kept."""
    return error.abs()


def squared_error(error: Tensor, log_sigma: Tensor) -> Tensor:
    """Squared error. **Shape**: any, kept."""
    return error.square()


Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Loss] = {
    "absolute_error": absolute_error,
    "squared_error": squared_error,
    "robust_l1": robust_l1,
    "robust_l2": robust_l2,
}
# Which likelihood teaches the uncertainty beside a loss that knows none.
BESIDE: dict[str, Loss] = {"absolute_error": robust_l1, "squared_error": robust_l2}


class WeightedLoss(nn.Module):
    """Mean of a loss over compositions and targets, each value with its weight.

    While training, a loss that knows no uncertainty is joined by a likelihood of the detached
    error, which moves the uncertainty and not the mean. In evaluation it stands alone.

    Parameters
    ----------
    name : str
        One of `LOSSES`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.loss = LOSSES[name]
        self.beside = BESIDE.get(name)

    def forward(self, prediction: Prediction, target: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss. A missing label has weight 0 (and any finite value).

        **Shape**: prediction (B, K) twice, target and weight (B, K) each -> ().
        """
        value, weight = target
        error = value - prediction.mean
        loss = self.loss(error, prediction.log_sigma)
        if self.training and self.beside is not None:
            loss = loss + self.beside(error.detach(), prediction.log_sigma)
        return (loss * weight).mean()
