"""scikit-learn's own callbacks, which release 1.9 brought: `set_callbacks`, and what calls them."""

import copy
import threading
from typing import Any

from skorch.callbacks import Callback

from ._net import CompositionNet, trained_net
from ._plan import MemberPlan

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
except ImportError:  # scikit-learn 1.8

    class CallbackSupport:  # type: ignore[no-redef]
        """No callbacks."""


class SklearnTasks:
    """What scikit-learn's callbacks are told of a fit: when it and each of its epochs begins, ends.

    Parameters
    ----------
    estimator : BaseCompositionNetwork
        The estimator that is fitted.
    X, y, sample_weight
        What it is fitted to.
    plans : list of MemberPlan
        Plans of the members to train.

    Attributes
    ----------
    callbacks : list of (name, callback) pairs
        For the nets of all members; empty where nobody set callbacks.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        plans: list[MemberPlan],
    ) -> None:
        self.callbacks: list[tuple[str, Callback]] = []
        self._context = None
        if not getattr(estimator, "_skl_callbacks", None):
            return
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context = estimator._init_callback_context(
            max_subtasks=sum(plan.recipe.max_epochs for plan in plans)
        )
        self._context.call_on_fit_task_begin(**self._arguments)
        self.callbacks.append(("sklearn_callbacks", _EpochTasks(self._context, self._arguments)))

    def end(self) -> None:
        """Tell that the estimator is fitted."""
        if self._context is not None:
            self._context.call_on_fit_task_end(**self._arguments, reconstruction_attributes={})


class _EpochTasks(Callback):
    """Makes each epoch of each member a task.

    One instance serves every member, also from several threads.
    """

    def __init__(self, context: Any, arguments: dict[str, Any]) -> None:
        self.context = context
        self.arguments = arguments
        self._lock = threading.Lock()
        self._epochs: dict[int, Any] = {}

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin the task of an epoch."""
        with self._lock:
            epoch = self.context.subcontext(task_name="epoch")
            self._epochs[id(net)] = epoch
            epoch.call_on_fit_task_begin(**self.arguments)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """End it, with what the member would predict; stop the member if a callback says so."""
        with self._lock:
            stop = self._epochs.pop(id(net)).call_on_fit_task_end(
                **self.arguments,
                reconstruction_attributes=lambda: self.arguments["estimator"]._fitted_to(
                    [_finished(net)]
                ),
            )
        if stop:
            raise KeyboardInterrupt  # skorch's own way to end a training early


def _finished(net: CompositionNet) -> CompositionNet:
    """Return a net of the averaged weights as they are now."""
    return trained_net(copy.deepcopy(net.module_).eval(), net.criterion_, net.device)
