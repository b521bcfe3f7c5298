"""Progress bars: one for all epochs of all members, and one for the rows of a long prediction."""

import multiprocessing
import sys
import threading
from typing import Any, Self

from skorch.callbacks import Callback
from tqdm import tqdm

# Seconds after which a prediction shows its progress.
_PATIENCE = 2.0


def is_silent(progress: bool) -> bool:
    """Whether to show nothing: unasked, or in a worker, where one bar would draw over another."""
    return not progress or multiprocessing.parent_process() is not None


def bar_of(total: int | None, unit: str, progress: bool) -> tqdm:
    """Return a bar that counts other things than epochs and rows."""
    return tqdm(total=total, unit=unit, disable=is_silent(progress), **_style())


def row_bar(n_rows: int) -> tqdm:
    """Return a bar that counts rows, and shows itself only if they take seconds."""
    return tqdm(total=n_rows, unit="row", unit_scale=True, delay=_PATIENCE, **_style())


def _style() -> dict[str, Any]:
    """Return how a bar is drawn: in a log, which keeps every state of it, seldom and in ASCII."""
    log = sys.stderr is None or not sys.stderr.isatty()
    return {"mininterval": 10, "miniters": 1, "ascii": True} if log else {}


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
            self._bar = tqdm(total=self.total, unit="epoch", **_style())
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
