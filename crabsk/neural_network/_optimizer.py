"""The optimiser of CrabNet: Muon for the matrices within a network, AdamW for all else."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Of the averaged gradients, in steps.
MOMENTUM = 0.95
# The iteration nears an orthogonal matrix within some 20 % in five steps. Three train as well, by
# trials on inner splits, and cost less.
ITERATIONS = 3
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
# Root mean square of AdamW's typical update in units of the learning rate, which an orthogonal
# one is given, so that one rate and one weight decay do for both.
ADAMW_RMS = 0.2


class MuonAdamW(torch.optim.AdamW):
    """AdamW, but for the groups of matrices that are marked with ``{"orthogonal": True}``.

    Their averaged gradient is replaced by the nearest orthogonal matrix, approximately, as in
    Muon [1]_. A matrix then moves by as much in directions in which gradients are small. AdamW
    needs many more steps for these directions, which are decisive on tables of a few hundred rows.
    The updates have the size of AdamW's [2]_.

    Unlike `torch.optim.Muon`, it takes all matrices of a shape at once, in single precision: in
    small networks, launching an operation takes longer than the operation itself.

    Parameters
    ----------
    params : iterable of dict
        Groups of weights.
    **kwargs
        Parameters of `torch.optim.AdamW`; `lr` and `weight_decay` are those of all groups.

    References
    ----------
    .. [1] Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
       https://kellerjordan.github.io/posts/muon/
    .. [2] Liu et al., "Muon is scalable for LLM training", 2025, section 2.2.
       https://arxiv.org/abs/2502.16982
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step."""
        loss = None if closure is None else closure()
        gradients: list[tuple[Tensor, Tensor]] = []
        for group in self.param_groups:
            if group.get("orthogonal"):
                own = [(p, p.grad) for p in group["params"] if p.grad is not None]
                self._move(own, group["lr"], group["weight_decay"])
                gradients += own
        # AdamW passes by what has no gradient.
        for matrix, _ in gradients:
            matrix.grad = None
        super().step()
        for matrix, gradient in gradients:
            matrix.grad = gradient
        return loss

    @torch.no_grad()
    def _move(
        self, matrices: list[tuple[Tensor, Tensor]], learning_rate: float, weight_decay: float
    ) -> None:
        """Move matrices, each with its gradient."""
        of_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for matrix, gradient in matrices:
            of_shape[matrix.shape].append((matrix, gradient))
        for shape, its in of_shape.items():
            weights, gradients = map(list, zip(*its, strict=True))
            averages = [self._average(weight) for weight in weights]
            torch._foreach_lerp_(averages, gradients, 1 - MOMENTUM)
            # Nesterov's momentum looks a step ahead.
            ahead = torch.stack(torch._foreach_lerp(gradients, averages, MOMENTUM))
            size = learning_rate * ADAMW_RMS * max(shape) ** 0.5
            torch._foreach_mul_(weights, 1 - learning_rate * weight_decay)
            torch._foreach_sub_(weights, list(orthogonalize(ahead).mul_(size).unbind()))

    def _average(self, matrix: Tensor) -> Tensor:
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
            # AdamW looks for it when it restores a state.
            state["step"] = torch.zeros(())
        return state["momentum_buffer"]


def orthogonalize(matrices: Tensor) -> Tensor:
    """Return nearly orthogonal matrices near these, by Newton-Schulz iterations.

    **Shape**: (n, a, b), kept.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    # The iteration needs singular values of at most one.
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    linear, cubic, quintic = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(
            x, torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic), x, beta=linear
        )
    return x.mT if tall else x
