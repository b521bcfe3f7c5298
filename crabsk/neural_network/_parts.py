"""Large networks: each batch cut into parts, whose gradients threads compute side by side."""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor, nn

from ..modules import PackedBatch, PreciseLinear, Prediction

# A part has at least so many weights times compositions (some 50 ms of arithmetic a step), and
# there are at most so many.
PART_SIZE = 2**28
MAX_PARTS = 4
# Half precision is twice as fast, and wants matrices twice as large.
MAX_HALVED_PARTS = 2


def count_parts(module: nn.Module, batch_size: int, precision: str) -> int:
    """Return into how many parts to cut each batch: as many as are worth a thread."""
    n_weights = sum(weight.numel() for weight in module.parameters())
    most = MAX_HALVED_PARTS if precision == "bfloat16" else MAX_PARTS
    return max(1, min(most, n_weights * batch_size // PART_SIZE))


class BatchParts:
    """Computes the loss of a batch and its gradients in parts.

    Each part has a replica of the network, with gradients of its own. In single precision the
    replicas share the network's weights, and the first is the network itself; in half precision
    they share a copy, and the gradients that the weights get are overwritten by the next step.
    What is done to single weights between two steps is shared out to the threads as well, each
    weight to one thread: like the parts, the shares are a property of the training, not of the
    machine.

    Parameters
    ----------
    network : nn.Module
        The network, whose weights the optimiser moves.
    n_parts : int
        Number of parts.
    halved : bool
        Whether matrices are multiplied in half precision.
    device : str
        Where the network is.
    pool : ThreadPoolExecutor
        Where the parts are computed.
    """

    def __init__(
        self,
        network: nn.Module,
        n_parts: int,
        halved: bool,
        device: str,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.halved = halved
        self.device = torch.device(device)
        self.pool = pool
        self.weights = list(network.parameters())
        first = _halve(network).to(device) if halved else network
        self.replicas = [first]
        for _ in range(n_parts - 1):
            self.replicas.append(copy.deepcopy(first).train())
            for own, shared in zip(self.replicas[-1].parameters(), first.parameters(), strict=True):
                own.data = shared.data
        self._own_weights = [list(replica.parameters()) for replica in self.replicas]
        # What each part gives to the gradient of each weight: nothing to those that are frozen or
        # not learnt (a classifier's uncertainty).
        self._gradients: list[list[Tensor | None]] = [
            [None] * len(self.weights) for _ in self.replicas
        ]
        if halved:
            for gradients, own_weights in zip(self._gradients, self._own_weights, strict=True):
                for n, own in enumerate(own_weights):
                    _convert_gradient(own.requires_grad_(True), gradients, n)
        self._shares = _share_out([weight.numel() for weight in self.weights], n_parts)

    def backward(
        self, batch: PackedBatch, loss: Callable[[Prediction, Tensor], Tensor]
    ) -> Prediction:
        """Give the weights the gradients of a batch's loss, and return its prediction.

        Parameters
        ----------
        batch : PackedBatch
            The batch.
        loss : callable
            The mean loss of a prediction, given which rows of the batch it is of.
        """
        for own_weights in self._own_weights:
            for own, weight in zip(own_weights, self.weights, strict=True):
                own.requires_grad_(weight.requires_grad)
        if self.halved:
            self.for_shares(self._copy_weights)

        parts = batch.split(len(self.replicas))

        def run(k: int) -> Prediction:
            rows, packed = parts[k]
            self.replicas[k].zero_grad()
            self._gradients[k][:] = [None] * len(self.weights)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.halved):
                prediction = self.replicas[k](packed)
            prediction = Prediction(*(output.float() for output in prediction))
            (loss(prediction, rows) * (len(rows) / len(batch))).backward()
            if not self.halved:
                self._gradients[k][:] = [own.grad for own in self._own_weights[k]]
            return Prediction(*(output.detach() for output in prediction))

        predictions = list(self.pool.map(run, range(len(parts))))
        self.for_shares(partial(self._add_up, self._gradients[: len(parts)]))
        order = torch.cat([rows for rows, _ in parts]).argsort()
        return Prediction(*(torch.cat(part)[order] for part in zip(*predictions, strict=True)))

    def for_shares(self, function: Callable[[list[int]], None]) -> None:
        """Call a function with the numbers of each share of the weights, side by side."""
        list(self.pool.map(function, self._shares))

    def _copy_weights(self, share: list[int]) -> None:
        for n in share:
            self._own_weights[0][n].data.copy_(self.weights[n].data)

    def _add_up(self, gradients: list[list[Tensor | None]], share: list[int]) -> None:
        for n in share:
            weight = self.weights[n]
            for gradient in (part[n] for part in gradients):
                if weight.grad is None:
                    weight.grad = gradient
                elif gradient is not None and gradient is not weight.grad:
                    weight.grad += gradient


def _halve(network: nn.Module) -> nn.Module:
    """Return a copy to train in whose matrices are of half precision, for `torch.autocast`.

    By itself, that would convert them for each part of a batch, and the parts' gradients back.
    What stands at the ends of the network stays as it is: see `PreciseLinear`.
    """
    copied = copy.deepcopy(network).train()
    for layer in copied.modules():
        if isinstance(layer, nn.Linear) and not isinstance(layer, PreciseLinear):
            layer.to(torch.bfloat16)
    return copied


def _convert_gradient(own: Tensor, gradients: list[Tensor | None], n: int) -> None:
    """Have each gradient of a weight put into a list, in single precision, once it is there.

    That is, while it is in the cache, and into memory that is kept: blocks of this size, fresh
    from the system, would cost each step more time than the sums that are written to them.
    """
    converted = torch.empty_like(own, dtype=torch.float32, requires_grad=False)

    # It must not hold the weight, nor what holds that: Python cannot see through a hook, and
    # would never free them.
    def convert(weight: Tensor) -> None:
        assert weight.grad is not None
        gradients[n] = converted.copy_(weight.grad)
        weight.grad = None

    own.register_post_accumulate_grad_hook(convert)


def _share_out(sizes: list[int], n_shares: int) -> list[list[int]]:
    """Return which of some sizes make up each of at most `n_shares` shares of like total size."""
    shares: list[list[int]] = [[] for _ in range(n_shares)]
    totals = [0] * n_shares
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        smallest = totals.index(min(totals))
        shares[smallest].append(number)
        totals[smallest] += sizes[number]
    return [share for share in shares if share]
