"""One progress bar for all epochs of all ensemble members."""

import sys
import threading
from typing import Any, Self

from skorch.callbacks import Callback
from tqdm import tqdm


class ProgressBar(Callback):
    """Shows epochs done, the last losses and the time left.

    One instance serves every member, also from several threads.

    Parameters
    ----------
    total : int
        Number of epochs over all members.
    disable : bool
        Whether to show nothing.
    """

    def __init__(self, total: int, disable: bool) -> None:
        self.total = total
        self.disable = disable
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        # A tqdm, even a disabled one, starts a thread.
        self._bar = None
        if not self.disable:
            log = sys.stderr is None or not sys.stderr.isatty()
            # A log keeps every state of the bar: few, in characters that any pager shows.
            rarely: dict = {"mininterval": 10, "miniters": 1, "ascii": True} if log else {}
            self._bar = tqdm(total=self.total, unit="epoch", **rarely)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Count the epochs that an earlier, interrupted training did."""
        if self._bar is None:
            return
        with self._lock:
            # Of no account for the rate, and so for the time that is left.
            self._bar.initial += len(net.history)
            self._bar.update(len(net.history))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Count the epoch and show its losses."""
        if self._bar is None:
            return
        with self._lock:
            losses = {
                name: f"{net.history[-1][name]:.3f}"
                for name in ("train_loss", "valid_loss")
                if name in net.history[-1]
            }
            self._bar.set_postfix(losses, refresh=False)
            self._bar.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Take the epochs that early stopping saved off the total."""
        if self._bar is None:
            return
        with self._lock:
            self._bar.total -= net.max_epochs - len(net.history)
            self._bar.refresh()
