"""The third step of `fit`: one network fitted in a one-cycle schedule."""

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.helper import predefined_split

from ._net import CompositionNet
from ._parts import count_parts
from ._plan import MemberPlan
from ._samples import Samples

# Peak of the one-cycle schedule, as a share of its length.
WARM_UP = 0.2


def one_cycle(step: int, n_steps: int) -> float:
    """Return the share of the peak learning rate at a step: half a cosine up, half one down.

    As `torch.optim.lr_scheduler.OneCycleLR`, which cannot be had for fewer than six steps.
    """
    peak = WARM_UP * n_steps
    if step < peak:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * step / peak)) / 2
    return (1 + math.cos(math.pi * (step - peak) / (n_steps - peak))) / 2


def steps_per_epoch(n_rows: int, batch_size: int) -> int:
    """Return the number of batches that an epoch has."""
    return -(-n_rows // batch_size)


def train_member(
    plan: MemberPlan,
    samples: Samples,
    *,
    last: Sequence[tuple[str, Callback]],
    stop: threading.Event,
    threads: int,
) -> CompositionNet:
    """Fit one network in a one-cycle schedule, from where its checkpoint restores it.

    With a patience, training stops when the validation loss has not improved for so many epochs,
    and the weights of the best epoch are kept.

    Parameters
    ----------
    plan : MemberPlan
        What the member is made of.
    samples : Samples
        What it learns from.
    last : list of (name, callback) pairs
        Callbacks to call after those of the member.
    stop : threading.Event
        Ends the training with an error when it is set.
    threads : int
        Number of threads that the parts of a batch may use.

    Returns
    -------
    CompositionNet
        The fitted net; its `module_` holds the weights to predict with.

    Raises
    ------
    ValueError
        If the weights diverged.
    """
    recipe = plan.recipe
    dataset, validation = samples.training, samples.validation
    max_epochs, batch_size = recipe.max_epochs, recipe.batch_size
    n_steps = max_epochs * steps_per_epoch(len(dataset), batch_size)
    built_in: list[tuple[str, Callback]] = [
        (
            "crabsk_schedule",
            LRScheduler(
                policy=torch.optim.lr_scheduler.LambdaLR,
                step_every="batch",
                lr_lambda=partial(one_cycle, n_steps=n_steps),
            ),
        )
    ]
    if recipe.patience is not None:
        built_in.append(
            (
                "crabsk_early_stopping",
                EarlyStopping(patience=recipe.patience, threshold=0.0, load_best=True),
            )
        )
    own = [*built_in, *plan.freezers, *plan.callbacks]
    epochs_done = 0
    if plan.checkpoint is not None:
        own.append(("crabsk_checkpoint", plan.checkpoint))
        epochs_done = plan.checkpoint.epochs_done(max_epochs)
    n_parts = 1
    if torch.device(recipe.device).type == "cpu":
        n_parts = count_parts(plan.network, min(batch_size, len(dataset)), recipe.precision)
    with ThreadPoolExecutor(
        min(n_parts, threads), initializer=partial(torch.set_num_threads, 1)
    ) as pool:
        net = CompositionNet(
            plan.network,
            criterion=plan.criterion,
            optimizer=recipe.optimizer,
            optimizer__fused=True,
            optimizer__weight_decay=recipe.weight_decay,
            lr=recipe.learning_rate,
            max_epochs=max_epochs,
            batch_size=batch_size,
            train_split=None if validation is None else predefined_split(validation),
            callbacks=[*own, *last],
            callbacks__print_log=None,
            fraction_noise=recipe.fraction_noise,
            generator=torch.Generator().manual_seed(plan.seed),
            n_steps=n_steps,
            stop=stop,
            n_parts=n_parts,
            pool=pool,
            precision=recipe.precision,
            device=recipe.device,
            verbose=0,
        )
        net.initialize()
        net.partial_fit(dataset, None, epochs=max_epochs - epochs_done)
    if not all(parameter.isfinite().all() for parameter in net.module_.parameters()):
        raise ValueError(
            f"training diverged: the weights are no longer finite after {len(net.history)} epochs; "
            f"lower learning_rate={recipe.learning_rate}"
        )
    if validation is not None and not np.isfinite(net.history[:, "valid_loss"]).all():
        raise ValueError(
            "the validation loss is not finite: validation samples have numeric columns too far "
            "from those of the training samples, or targets too large"
        )
    return net
