"""Losses of what networks predict. Shape letters as in `_packing`.

The robust losses are negative log densities, up to a constant. They train an uncertainty as well.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._network import Prediction


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
# The likelihood that trains the uncertainty if the loss itself has none.
BESIDE: dict[str, Loss] = {"absolute_error": robust_l1, "squared_error": robust_l2}


class WeightedLoss(nn.Module):
    """Mean of a loss over compositions and targets, each value times its weight.

    In training, a negative log likelihood of the detached error is added to a loss that has no
    uncertainty. It trains the uncertainty, but not the mean. In evaluation, it is left out.

    Parameters
    ----------
    name : str
        One of `LOSSES`.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import Prediction, WeightedLoss
    >>> prediction = Prediction(torch.tensor([[1.0], [2.0]]), log_sigma=torch.zeros(2, 1))
    >>> value, weight = torch.tensor([[1.5], [0.0]]), torch.tensor([[1.0], [0.0]])
    >>> WeightedLoss("absolute_error").eval()(prediction, (value, weight))
    tensor(0.2500)
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


class LogLoss(nn.Module):
    """Mean negative log likelihood of classes, each sample times its weight.

    The mean of a prediction holds logits, either of classes that exclude each other (softmax) or of
    independent labels (sigmoid).

    Parameters
    ----------
    exclusive : bool
        Whether the classes exclude each other.

    Examples
    --------
    Three classes with equal logits:

    >>> import torch
    >>> from crabsk.modules import LogLoss, Prediction
    >>> prediction = Prediction(torch.zeros(1, 3), log_sigma=torch.zeros(1, 3))
    >>> indicator, weight = torch.tensor([[0.0, 1.0, 0.0]]), torch.ones(1, 1)
    >>> LogLoss(exclusive=True)(prediction, (indicator, weight))  # log 3
    tensor(1.0986)
    """

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive

    def forward(self, prediction: Prediction, target: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss.

        **Shape**: prediction and indicator of the classes (B, K), weight (B, K), or (B, 1) for
        exclusive classes -> ().
        """
        indicator, weight = target
        if self.exclusive:
            loss = -(indicator * prediction.mean.log_softmax(1)).sum(1, keepdim=True)
        else:
            loss = F.binary_cross_entropy_with_logits(prediction.mean, indicator, reduction="none")
        return (loss * weight).mean()
