"""From parameters and samples to a plan for each member of the ensemble."""

import copy
import os
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch.callbacks import BatchScoring, EpochScoring, TrainEndCheckpoint
from skorch.callbacks import Checkpoint as SkorchCheckpoint
from torch import Tensor, nn

from .._version import __version__
from ..modules import CompositionNetwork
from ._checkpoint import Checkpoint, Run, hash_of
from ._devices import resolve_device
from ._net import CompositionNet
from ._samples import SamplePreparation, Samples
from ._source import start_from

# Passes over the training samples of a set of up to so many rows.
EPOCHS = 60
FULL_LENGTH = 10_000
# Up to this share of variance within groups of equal samples, training is not shortened; and to
# what it is shortened at most. docs/trials.md has the inner splits on which the rule was chosen.
USUAL_PURE_ERROR = 0.15
FEWEST_EPOCHS = 3

# torch draws initial weights from one generator of the whole process.
_INITIALISING = threading.Lock()


@dataclass(frozen=True)
class Recipe:
    """How networks are trained: the same for all members of an ensemble.

    Parameters
    ----------
    max_epochs, batch_size : int
        Most passes over the training samples, and compositions in a batch.
    optimizer : type
        What moves the weights.
    learning_rate, weight_decay : float
        Peak of the one-cycle schedule, and the optimiser's decoupled weight decay.
    fraction_noise : float
        Standard deviation of the relative noise on atomic fractions.
    patience : int or None
        Epochs without improvement after which the training stops.
    device, precision : str
        Where, and in what precision matrices are multiplied.
    """

    max_epochs: int
    batch_size: int
    optimizer: type[torch.optim.Optimizer]
    learning_rate: float
    weight_decay: float
    fraction_noise: float
    patience: int | None
    device: str
    precision: str


@dataclass(frozen=True)
class MemberPlan:
    """What one member is trained from, beside the samples.

    Parameters
    ----------
    recipe : Recipe
        How it is trained.
    network : CompositionNetwork
        Where it starts.
    criterion : nn.Module
        The loss. Each member has its own, because a loss is told whether it trains or validates.
    seed : int
        Decides shuffling, noise and dropout.
    callbacks : list of skorch callbacks or (name, callback) pairs
        The user's, copied for this member.
    freezers : list of (name, callback) pairs
        What freezes weights that `init_from` gave.
    checkpoint : Checkpoint or None
        What notes its state, and restores it.
    """

    recipe: Recipe
    network: CompositionNetwork
    criterion: nn.Module
    seed: int
    callbacks: list[Any]
    freezers: list[Any]
    checkpoint: Checkpoint | None


class MemberPlanning(SamplePreparation):
    """The second step of `fit`: a plan for each member that is to be trained."""

    max_epochs: int | str
    batch_size: int | str
    learning_rate: float | str
    weight_decay: float
    precision: str
    callbacks: Any
    random_state: Any

    def _plan(
        self,
        samples: Samples,
        previous: list[CompositionNet],
        seeds: list[int],
        run: Run | None,
    ) -> list[MemberPlan]:
        """Return the plans of the members to train.

        As in scikit-learn's ensembles, a warm start that adds members leaves the others alone.
        """
        recipe = self._recipe(len(samples.training))
        plans = []
        for k, seed in enumerate(seeds):
            # Those that are left alone too: the parameters must still describe their network.
            network = self._initial_network(seed, previous[k : k + 1], samples.element_vectors)
            freezers: list[Any] = []
            if samples.source and k >= len(previous):
                source = samples.source[k % len(samples.source)]
                freezers = start_from(source, network, self.freeze)
            callbacks = member_callbacks(self.callbacks, k, len(seeds))
            for item in callbacks:
                callback = item[1] if isinstance(item, tuple) else item
                if hasattr(callback, "read_formulas"):
                    callback.read_formulas(self)
            checkpoint = None if run is None else run.member(k)
            plans.append(
                MemberPlan(
                    recipe, network, self._criterion(), seed, callbacks, freezers, checkpoint
                )
            )
        return plans[self._n_kept(previous) :]

    def _n_kept(self, previous: list[CompositionNet]) -> int:
        """Return how many members a warm start leaves alone."""
        return len(previous) if len(previous) < self.n_estimators else 0

    def _recipe(self, n_rows: int) -> Recipe:
        return Recipe(
            max_epochs=self._n_epochs(n_rows, self._pure_error),
            batch_size=self._batch_size(n_rows),
            optimizer=self._optimizer(),
            learning_rate=self._learning_rate(n_rows),
            weight_decay=self.weight_decay,
            fraction_noise=self.fraction_noise,
            patience=self.n_iter_no_change,
            device=resolve_device(self.device),
            precision=self.precision,
        )

    def _optimizer(self) -> type[torch.optim.Optimizer]:
        return torch.optim.AdamW

    def _learning_rate(self, n_rows: int) -> float:
        """Return the peak of the schedule."""
        assert not isinstance(self.learning_rate, str)
        return self.learning_rate

    def _batch_size(self, n_rows: int) -> int:
        """Return the number of compositions in a batch."""
        if not isinstance(self.batch_size, str):
            return self.batch_size
        return batch_near(n_rows / 32, least=32)

    def _n_epochs(self, n_rows: int, pure_error: float = 0.0) -> int:
        """Return the most passes over the training samples."""
        if not isinstance(self.max_epochs, str):
            return self.max_epochs
        usual = max(1, round(self._usual_epochs(n_rows)))
        if pure_error <= USUAL_PURE_ERROR:
            return usual
        # Longer training would memorise single labels.
        fewer = round(usual * (USUAL_PURE_ERROR / pure_error) ** 2)
        # What `init_from` gave is to be trained as well.
        return min(usual, max(fewer, FEWEST_EPOCHS) + self.freeze)

    def _usual_epochs(self, n_rows: int) -> float:
        """Return the passes over samples whose labels agree."""
        # Large sets are learnt in fewer passes: beyond FULL_LENGTH rows the number of steps grows
        # with the square root of n only.
        return EPOCHS * min(1.0, (FULL_LENGTH / n_rows) ** 0.5)

    def _initial_network(
        self, seed: int, previous: list[CompositionNet], element_vectors: Tensor
    ) -> CompositionNetwork:
        """Return a network with fresh weights, or those of the previous fit."""
        with _INITIALISING, torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which reseeds every GPU as well.
            torch.default_generator.manual_seed(seed)
            network = self._build_network(element_vectors, self._all_settings())
        # Whatever torch's default type is, which the user's process may have changed.
        network = network.float()
        if previous:
            before = previous[0].module_.cpu()
            if str(before) != str(network):
                raise ValueError(
                    "warm_start=True continues with the weights of the previous fit, but the "
                    "parameters describe another network"
                )
            network.load_state_dict(copy.deepcopy(before.state_dict()))
        return network

    def _run_key(self, samples: Samples, previous: list[CompositionNet], seeds: list[int]) -> str:
        """Return a hash of all that decides the result of a fit.

        The seeds drawn without a `random_state` do not count: the run remembers them.
        """
        parameters = self.get_params(deep=False)
        # What "auto" takes depends on more than the parameters.
        recipe = self._recipe(len(samples.training))
        length = recipe.max_epochs, recipe.batch_size, recipe.learning_rate
        for name in ("checkpoint", "progress", "init_from", "embedding", "random_state"):
            del parameters[name]
        # Its effect is contained in the targets.
        parameters.pop("target_transform", None)
        for name, value in parameters.items():
            if name.endswith("widths"):
                parameters[name] = _as_tuple(value)
        validation = samples.validation
        return hash_of(
            {
                "versions": (__version__, torch.__version__),
                "estimator": (type(self).__name__, parameters, resolve_device(self.device)),
                "recipe": length,
                "network": self._all_settings(),
                "criterion": repr(self._criterion()),
                "n_outputs": self._n_outputs(),
                "seeds": None if self.random_state is None else seeds,
                "element_vectors": samples.element_vectors.numpy(),
                "fraction_statistics": [part.numpy() for part in self._fraction_statistics],
                "training": samples.training.arrays(),
                "validation": None if validation is None else validation.arrays(),
                "start": [
                    {name: value.cpu().numpy() for name, value in net.module_.state_dict().items()}
                    for net in (*previous, *samples.source)
                ],
            }
        )


def batch_near(size: float, *, least: int, most: int = 512) -> int:
    """Return the nearest power of two, from `least` to `most`.

    As a share of the training samples: enough steps an epoch for small sets, enough arithmetic a
    step for large ones.
    """
    return int(np.clip(2 ** round(np.log2(size)), least, most))


def _as_tuple(widths: Any) -> Any:
    """Return lists and arrays, also within each other, as tuples."""
    if isinstance(widths, list | tuple | np.ndarray):
        return tuple(_as_tuple(item) for item in widths)
    return int(widths)


def member_callbacks(callbacks: Any, member: int, n_members: int) -> list[Any]:
    """Return copies of callbacks, and of (name, callback) pairs as skorch takes them, for a member.

    The copies are shallow. What a callback was made with stays the user's object: a list that it
    fills, an open file, a trial of Optuna. Members train side by side, so that each writes to a
    folder of its own.
    """
    copies = []
    for item in callbacks or ():
        name, callback = item if isinstance(item, tuple) else (None, item)
        if isinstance(callback, EpochScoring | BatchScoring):
            raise ValueError(
                f"{type(callback).__name__} cannot score these networks, because their outputs "
                "hold an uncertainty: give X_val and y_val, and read valid_loss in history_"
            )
        own = copy.copy(callback)
        if isinstance(own, SkorchCheckpoint | TrainEndCheckpoint) and n_members > 1:
            own.dirname = os.path.join(own.dirname, f"member{member}")
        copies.append(own if name is None else (name, own))
    return copies
