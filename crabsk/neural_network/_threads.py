"""Ensemble members side by side, and torch's threads as they were afterwards."""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import torch

_PROCESS = os.getpid()


def survive_fork() -> None:
    """Limit torch to one thread in a forked process, where its pool of threads is gone.

    Such a process has the pool's locks, but not its threads: work that torch shares out would wait
    for ever. In any other process this does nothing.
    """
    global _PROCESS
    if os.getpid() != _PROCESS:
        torch.set_num_threads(1)
        _PROCESS = os.getpid()


def train_members(train: Callable, members: list) -> list:
    """Call a function for each member side by side, as many as torch has threads here.

    It gets the member, an event that is set when another fails, and its share of the threads.

    Matrices are multiplied by one thread each, whatever there is: sums in another order would make
    another model. A member is told its share of the threads, for the parts of its batches. Where
    torch is limited to one thread (in the workers of a parallel search), members train one
    after the other. If one fails, or the user interrupts, the others are stopped and waited for.
    """
    stop = threading.Event()

    def limited(member: Any) -> Any:
        torch.set_num_threads(1)
        return train(member, stop, max(1, threads // len(members)))

    with _THREADS as threads, ThreadPoolExecutor(min(len(members), threads)) as pool:
        futures = [pool.submit(limited, member) for member in members]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()  # raises what a member raised, before the others are done
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise


def ask_side_by_side(ask: Callable, batches: Iterable, *, on_cpu: bool) -> list:
    """Return what a function of a batch says of each, as many at a time as torch has threads.

    A product of a batch is small: torch, which would cut each among its threads, gains half as
    much. Elsewhere than on a CPU, the batches queue on the device anyway.
    """
    with _THREADS as threads:
        if threads == 1 or not on_cpu:
            return [ask(batch) for batch in batches]
        alone = partial(torch.set_num_threads, 1)
        with ThreadPoolExecutor(threads, initializer=alone) as pool:
            return list(pool.map(ask, batches))


class _Threads:
    """The number of torch's threads, which fits change and the last of them restores.

    A thread's own number is also what later threads start with: a fit that begins beside another
    would take the other's for the user's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_fits = 0
        self._n_threads = 1

    def __enter__(self) -> int:
        with self._lock:
            if not self._n_fits:
                self._n_threads = torch.get_num_threads()
            self._n_fits += 1
            return self._n_threads

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._n_fits -= 1
            torch.set_num_threads(self._n_threads)


_THREADS = _Threads()
