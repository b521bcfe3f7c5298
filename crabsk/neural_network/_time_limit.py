"""A limit of time: the schedule is shortened before the training starts, and then runs to its end.

The learning rate rises and falls over the whole training. A training that is cut off never reaches
the small rates on which its accuracy depends.
"""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import replace

import torch

from ._net import LabelledCompositions
from ._plan import MemberPlan
from ._samples import Samples
from ._threads import train_members
from ._training import steps_per_epoch, train_member

# Steps of each of the two trials that are timed: the first pays for memory and late imports.
_FEWEST_STEPS = 3
# Shares of the time that the second trial may take, and that is left for what is not trained.
_TRIAL_SHARE = 0.02
_RESERVE = 0.05
# Validation has no backward pass.
_COST_OF_VALIDATION = 1 / 3


def shorten(
    plans: list[MemberPlan], samples: Samples, seconds: float, elapsed: Callable[[], float]
) -> list[MemberPlan]:
    """Return what of the plans can be trained within some seconds.

    Parameters
    ----------
    plans : list of MemberPlan
        What there would be to train.
    samples : Samples
        What is learnt from.
    seconds : float
        Length of the whole fit.
    elapsed : callable
        Returns how many of these seconds have gone.

    Warns
    -----
    UserWarning
        If there is not time enough for one pass over the samples.
    """
    n_parallel = min(len(plans), torch.get_num_threads())
    of_epoch = _seconds_of_an_epoch(plans[:n_parallel], samples, _TRIAL_SHARE * seconds)
    left = (1 - _RESERVE) * seconds - elapsed()
    wanted = plans[0].recipe.max_epochs
    n_members, n_epochs = fit_into(left / of_epoch, len(plans), n_parallel, wanted)
    if not n_epochs:
        warnings.warn(
            f"time_limit={seconds:g} is too short for one pass over {len(samples.training)} "
            f"samples, which takes {of_epoch:.2g} seconds: the fit will take longer",
            UserWarning,
            stacklevel=4,
        )
    recipe = replace(plans[0].recipe, max_epochs=max(1, n_epochs))
    return [replace(plan, recipe=recipe) for plan in plans[:n_members]]


def fit_into(
    epochs_of_one: float, n_members: int, n_parallel: int, n_epochs: int
) -> tuple[int, int]:
    """Return how many members to train, and in how many passes.

    Passes are reduced first, to no less than half of those wanted. Then members are left out that
    would train after the others. Passes are reduced further only after that.

    Parameters
    ----------
    epochs_of_one : float
        Passes that members can make side by side in the time that there is.
    n_members, n_parallel, n_epochs : int
        Members that are wanted, how many of them train at a time, and passes that are wanted.

    Examples
    --------
    Eight members, two at a time, in sixty passes each would take 240 passes of two:

    >>> from crabsk.neural_network._time_limit import fit_into
    >>> [fit_into(n, 8, 2, 60) for n in (300, 120, 119, 60, 30, 0.5)]
    [(8, 60), (8, 30), (6, 39), (4, 30), (2, 30), (2, 0)]
    """
    for turns in range(math.ceil(n_members / n_parallel), 0, -1):
        affordable = min(n_epochs, math.floor(max(0.0, epochs_of_one) / turns))
        if 2 * affordable >= n_epochs or turns == 1:
            break
    return min(n_members, turns * n_parallel), affordable


def _seconds_of_an_epoch(plans: list[MemberPlan], samples: Samples, seconds: float) -> float:
    """Return the time of one pass of some members side by side; spend some seconds to find out."""
    n_steps = steps_per_epoch(len(samples.training), plans[0].recipe.batch_size)
    of_step = _seconds_of_a_step(plans, samples, min(n_steps, _FEWEST_STEPS))
    n_timed = int(min(n_steps, max(_FEWEST_STEPS, seconds / of_step)))
    of_step = _seconds_of_a_step(plans, samples, n_timed)
    n_validation = 0 if samples.validation is None else len(samples.validation)
    share = _COST_OF_VALIDATION * n_validation / len(samples.training)
    return n_steps * of_step * (1 + share)


def _seconds_of_a_step(plans: list[MemberPlan], samples: Samples, n_steps: int) -> float:
    """Train copies of the members for some steps, side by side; return the seconds of each step."""
    recipe = replace(plans[0].recipe, max_epochs=1, patience=None)
    training = samples.training
    generator = torch.Generator().manual_seed(plans[0].seed)
    order = torch.randperm(len(training), generator=generator)[: n_steps * recipe.batch_size]
    some = LabelledCompositions(
        training.compositions, training.targets, training.rows[order], training.groups
    )
    trials = [
        replace(
            plan,
            recipe=recipe,
            network=copy.deepcopy(plan.network),
            callbacks=[],
            freezers=[],
            checkpoint=None,
        )
        for plan in plans
    ]
    nets = train_members(
        lambda trial, stop, threads: train_member(
            trial, samples._replace(training=some, validation=None), last=[], stop=stop,
            threads=threads,
        ),
        trials,
    )  # fmt: skip
    return max(net.history[0]["dur"] for net in nets) / steps_per_epoch(
        len(some), recipe.batch_size
    )
