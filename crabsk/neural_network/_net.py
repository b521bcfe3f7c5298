"""A skorch net fed with packed batches, and the labelled compositions that it reads."""

import copy
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..modules import Dropout, PackedBatch, PackedCompositions, PreciseLinear, Prediction
from ._parts import BatchParts

# The averaged weights forget over this share of the training's steps.
AVERAGING_HORIZON = 0.05


@dataclass(frozen=True)
class Targets:
    """Scaled targets and their weights, both of shape (n_samples, n_outputs).

    A missing label has weight 0 and a finite value.
    """

    values: Tensor
    weights: Tensor


class LabelledCompositions(torch.utils.data.Dataset):
    """Rows of packed compositions with their targets: what a net is fitted to.

    Parameters
    ----------
    compositions : PackedCompositions
        All compositions.
    targets : Targets
        Their targets.
    rows : Tensor of shape (n,), int64
        The rows that belong to this set.
    groups : ndarray of shape (n_samples,)
        Which rows are of one composition: these have the same number.
    """

    def __init__(
        self,
        compositions: PackedCompositions,
        targets: Targets,
        rows: Tensor,
        groups: np.ndarray,
    ) -> None:
        self.compositions = compositions
        self.targets = targets
        self.rows = rows
        self.groups = groups

    def __len__(self) -> int:
        return len(self.rows)

    def arrays(self) -> list[np.ndarray]:
        """Return everything that decides what nets learn of the set."""
        packed, targets = self.compositions, self.targets
        tensors = (
            *(packed.atomic_numbers, packed.fractions, packed.offsets, packed.extra),
            *(targets.values, targets.weights, self.rows),
        )
        return [*(tensor.numpy() for tensor in tensors), self.groups]


@dataclass
class _Batches:
    """Iterates over batches anew in each epoch, shuffled if a generator is given."""

    dataset: LabelledCompositions
    batch_size: int
    fraction_noise: float = 0.0
    generator: torch.Generator | None = None

    def __iter__(self) -> Iterator[tuple[PackedBatch, tuple[Tensor, Tensor]]]:
        order = self.dataset.rows
        if self.generator is not None:
            order = order[torch.randperm(len(order), generator=self.generator)]
        targets = self.dataset.targets
        for rows, batch in self.dataset.compositions.batches(
            order,
            self.batch_size,
            fraction_noise=self.fraction_noise,
            generator=self.generator,
        ):
            yield batch, (targets.values[rows], targets.weights[rows])


class CompositionNet(NeuralNet):
    """A skorch net whose batches are packed compositions.

    Two sets of weights are kept: the optimiser moves `online_`, and `module_` is their
    exponential moving average, which is what validates and predicts. Averaging over the last
    steps does what a lower learning rate would, and costs one pass over the weights a step.

    Parameters
    ----------
    module : nn.Module
        The network, initialised.
    fraction_noise : float
        Noise on atomic fractions while training.
    generator : torch.Generator
        Source of shuffling and noise, and of the seeds of dropout; nothing else is random.
    n_steps : int
        Number of steps of the whole training.
    stop : threading.Event
        Ends the training with an error when it is set.
    n_parts : int
        Number of parts that each batch is cut into, whose gradients add up. A property of the
        training, not of the machine: sums in another order would make another model.
    pool : ThreadPoolExecutor
        Where the parts are computed, if there are several or they are of half precision.
    precision : {"float32", "bfloat16"}
        What matrices are multiplied in while training. The weights themselves, the optimiser and
        all that is predicted are of single precision. With "bfloat16", the forward pass of
        training is that of a copy, not of `online_`.
    **kwargs
        Parameters of `skorch.NeuralNet`.
    """

    def __init__(
        self,
        module: nn.Module,
        *args: Any,
        fraction_noise: float = 0.0,
        generator: torch.Generator | None = None,
        n_steps: int = 1,
        stop: threading.Event | None = None,
        n_parts: int = 1,
        pool: ThreadPoolExecutor | None = None,
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        self.fraction_noise = fraction_noise
        self.generator = generator
        self.n_steps = n_steps
        self.stop = stop
        self.n_parts = n_parts
        self.pool = pool
        self.precision = precision
        super().__init__(module, *args, **kwargs)

    def initialize_module(self) -> "CompositionNet":
        """Set up the averaged weights and those that the optimiser moves."""
        super().initialize_module()
        self.online_ = copy.deepcopy(self.module_)
        self.module_.requires_grad_(False)
        # Listing them takes as long as a layer; this is needed in each step.
        self._weights: tuple[list[nn.Parameter], list[nn.Parameter]] = (
            list(self.module_.parameters()),
            list(self.online_.parameters()),
        )
        self._parts: BatchParts | None = None
        replicas = [self.online_]
        if self.n_parts > 1 or self.precision == "bfloat16":
            assert self.pool is not None
            halved = self.precision == "bfloat16"
            self._parts = BatchParts(self.online_, self.n_parts, halved, self.device, self.pool)
            replicas = self._parts.replicas
        self.dropout_generators_ = []
        if self.generator is not None:
            # Not the generator of shuffling: that one lives on the CPU, and has one user.
            seed = self.generator.initial_seed()
            for k, replica in enumerate(replicas):
                generator = torch.Generator(self.device).manual_seed(seed + 1 + k)
                self.dropout_generators_.append(generator)
                for layer in replica.modules():
                    if isinstance(layer, Dropout):
                        layer.generator = generator
        return self

    def get_all_learnable_params(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the weights that the optimiser moves."""
        yield from self.online_.named_parameters()

    def get_params_for_optimizer(
        self, prefix: str, named_parameters: Iterable[tuple[str, nn.Parameter]]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of the optimiser; matrices within the network are a group."""
        _, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        within = {
            f"{name}.weight"
            for name, layer in self.online_.named_modules()
            if isinstance(layer, nn.Linear) and not isinstance(layer, PreciseLinear)
        }
        groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
        for name, weight in self.online_.named_parameters():
            groups[name in within].append(weight)
        marked = [{"params": its, "orthogonal": mark} for mark, its in groups.items() if its]
        return (marked,), kwargs

    def get_iterator(self, dataset: Any, training: bool = False) -> _Batches:
        """Return the batches of a data set, without a DataLoader's copies."""
        if not training:
            return _Batches(dataset, self.batch_size)
        return _Batches(dataset, self.batch_size, self.fraction_noise, self.generator)

    def infer(self, x: PackedBatch, **fit_params: Any) -> Prediction:
        """Run the weights in training while training, the averaged ones otherwise."""
        training = self.online_ is not None and self.online_.training
        network = self.online_ if training else self.module_
        return network(x.to(self.device))

    def get_loss(
        self, y_pred: Prediction, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Return the loss of a batch."""
        return self.criterion_(y_pred, tuple(part.to(self.device) for part in y_true))

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take one step, then move the averaged weights."""
        if self.stop is not None and self.stop.is_set():
            raise RuntimeError("training was stopped because another member failed")
        step = super().train_step(batch, **fit_params)
        average = get_ema_multi_avg_fn(1 - 1 / max(1.0, AVERAGING_HORIZON * self.n_steps))
        averaged, online = self._weights

        def move(share: list[int]) -> None:
            average([averaged[n] for n in share], [online[n] for n in share], 0)

        if self._parts is None:
            average(averaged, online, 0)
        else:
            self._parts.for_shares(move)
        return step

    def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """Note the learning rate that the epoch ended with."""
        self.history.record("learning_rate", self.optimizer_.param_groups[0]["lr"])
        super().on_epoch_end(*args, **kwargs)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch and its gradients."""
        if self._parts is None:
            return super().train_step_single(batch, **fit_params)
        self._set_training(True)
        compositions, targets = batch
        values, weights = (part.to(self.device) for part in targets)

        def loss(prediction: Prediction, rows: Tensor) -> Tensor:
            return self.criterion_(prediction, (values[rows], weights[rows]))

        prediction = self._parts.backward(compositions.to(self.device), loss)
        return {"loss": self.get_loss(prediction, (values, weights)), "y_pred": prediction}

    def _set_training(self, training: bool = True) -> None:
        # skorch goes through all layers before each step, which small networks notice.
        modules = (self.module_, self.online_, self.criterion_)
        if any(module is not None and module.training != training for module in modules):
            super()._set_training(training)

    def finish(self) -> None:
        """Drop what only training needs, so that a fitted net is its averaged weights."""
        self.trim_for_prediction()
        self.module: Any = type(self.module_)
        self.online_ = None
        self._weights = [], []
        self._parts = None
        self.dropout_generators_ = []
        self.generator = None
        self.stop = None
        self.pool = None


def trained_net(network: nn.Module, criterion: nn.Module, device: str) -> CompositionNet:
    """Return a net whose network has been trained already."""
    net = CompositionNet(network, criterion=criterion, device=device)
    net.initialize().finish()
    return net
